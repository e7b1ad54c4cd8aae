"""Tables of the current state: several queries, one column each, merged by the labels that they share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tools.dashboards.panels import DASH, RED, Json, Panel, Query, bad_from_one, override, texts, without_value
from tools.dashboards.queries import with_exporter

WATCHED = {"address": "Address", "exporter": "Exporter"}
"""Labels that say where a target is watched. A column is there only if it says something: `address` if a target is
scanned at each of its addresses, `exporter` if there are several exporters."""
ROW_LABELS = ("job", "instance")
"""Labels of each row that links need; their columns are hidden."""

WIDTHS: Mapping[str, int] = {
    "Address": 130,
    "Bits": 65,
    "Key": 70,
    "Policy": 162,
    "Protocol": 100,
    "SHA-256 fingerprint": 555,
    "Python": 90,
    "Severity": 95,
    "Version": 105,
}
"""Width in pixels of columns of labels whose values have about one length. The first label has no fixed width."""
LEAST_WIDTH = 100
"""Least width in pixels of the other columns of labels. They share equally what the columns of fixed width leave.
Longer values are cut off, and complete while the mouse is over the cell."""
LEAST_WIDTHS = {"Cipher suite": 340}
"""The same, of columns with long words."""
SHORT, LONG = 9, 15
"""Most characters of a heading, and of a text in a cell, that is not wrapped."""
FIELD_WIDTHS = {"time:YYYY-MM-DD": 98, "dateTimeFromNow": 125, "s": 90}
"""Least width in pixels of columns of values with these units."""

COLOURED_TEXT = {"type": "color-text", "wrapText": True}
COLOURED_CELL = {"type": "color-background", "mode": "basic"}
WRAPPED = ("Issuer", "Subject")
"""Columns of labels whose values have several words."""
NOT_SHOWN: Json = {"custom__hidden": True, "custom__hideFrom": {"viz": True, "legend": False, "tooltip": False}}
"""Settings for a hidden field, for Grafana before and since 12. Links can still use it."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        expr: gives one value for each row.
        properties: settings of the field. Without any, the column is hidden, but can still be used for sorting.
    """

    name: str
    expr: str
    properties: Json


@dataclass(frozen=True)
class Frame:
    """The rows of a table, and its size.

    Attributes:
        labels: label -> heading, of the first columns.
        sort_by: a column or a label; if empty, the order of the query is kept.
        links: heading of a column -> the links of its cells.
        targets: the series of the targets that the rows are about; empty if rows are about something else.
        one_target: all rows are about the same target, so that the exporter does not matter.
    """

    labels: Mapping[str, str]
    width: int
    height: int
    sort_by: str = ""
    highest_first: bool = False
    links: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    targets: str = ""
    one_target: bool = False

    @property
    def headings(self) -> Mapping[str, str]:
        """Label -> heading, of all visible columns of labels."""
        watched = {"address": "Address"} if self.one_target else WATCHED if self.targets else {}
        return {**self.labels, **watched}

    @property
    def not_shown(self) -> Sequence[str]:
        """Labels that rows have and that are hidden."""
        watched = self.targets or self.one_target or "instance" in self.labels
        return [label for label in ROW_LABELS if watched and label not in self.labels]


def table(title: str, description: str, columns: Sequence[Column], frame: Frame, no_value: str) -> Panel:
    """A table with a row for each set of labels; each column has its own colours."""
    fields = _fields(columns)
    shown = [column for column in columns if column.properties]
    names = {fields[column.name]: column.name for column in shown} | frame.headings
    stretched = None if frame.labels else shown[-1]
    queries = [column.expr for column in columns]
    if frame.targets:
        queries[0] = with_exporter(queries[0], frame.targets)
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries=[Query(expr, table=True) for expr in queries],
        unit="none",
        thresholds=bad_from_one(RED),
        no_value=no_value,
        width=frame.width,
        height=frame.height,
        options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
        extra={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "wrapHeaderText": True}},
        overrides=[
            *(
                override(name, **_of_label(name, frame.links.get(name, ()), first=index == 0 and bool(frame.labels)))
                for index, name in enumerate(frame.headings.values())
            ),
            *(
                override(column.name, **column.properties | _width(column, flexible=column is stretched))
                for column in shown
            ),
            *(override(name, **NOT_SHOWN) for name in frame.not_shown),
        ],
        transformations=_merged(columns, frame, fields, names),
    )


def _merged(
    columns: Sequence[Column], frame: Frame, fields: Mapping[str, str], names: Mapping[str, str]
) -> Sequence[Json]:
    """The transformations that make one sorted table of the results of the queries."""
    place = dict.fromkeys([*frame.labels, "address", *(name for name in names if name.startswith("Value")), "exporter"])
    hidden = {name: True for name in ("Time", "target", "policy", "severity") if name not in names} | {
        fields[column.name]: True for column in columns if not column.properties
    }
    sort = {"field": fields.get(frame.sort_by, frame.sort_by), "desc": frame.highest_first}
    order: Json = {name: index for index, name in enumerate(place)}
    renamed = {**names, **{label: label for label in frame.not_shown}}
    steps: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [sort]}},
        {"id": "organize", "options": {"excludeByName": hidden, "indexByName": order, "renameByName": renamed}},
    ]
    return [step for step in steps if frame.sort_by or step["id"] != "sortBy"]


def _fields(columns: Sequence[Column]) -> Mapping[str, str]:
    """Heading -> Grafana's name of the values of its query. With only one query, the name has no letter."""
    if len(columns) == 1:
        return {columns[0].name: "Value"}
    return {column.name: f"Value #{chr(ord('A') + index)}" for index, column in enumerate(columns)}


def _of_label(heading: str, links: Sequence[Json], *, first: bool) -> Json:
    """Settings of a column of labels: if a row lacks the label, the cell has a dash and not the text of an empty panel.

    Without the unit, Grafana treats text such as the version 8.5 as a number and rounds it.
    """
    fixed = heading in WIDTHS and not first
    least = LEAST_WIDTHS.get(heading, LEAST_WIDTH)
    width: Json = {"custom__width": WIDTHS[heading]} if fixed else {"custom__minWidth": least}
    wrapped: Json = {"custom__cellOptions": {"type": "auto", "wrapText": True}, "custom__wrapText": True}
    return {
        "unit": "string",
        "noValue": DASH,
        "custom__filterable": True,
        **width,
        **(wrapped if heading in WRAPPED else {}),  # the two settings are for Grafana before and since 12
        **({"links": list(links)} if links else {}),
    }


def _width(column: Column, *, flexible: bool) -> Json:
    """Settings for a width that is enough for the heading and the cells, of which long ones are wrapped.

    The last column of a table without another flexible one is flexible, so that the table fills its panel.
    """
    unit, texts_of_cells = str(column.properties.get("unit", "")), _texts(column.properties)
    heading = max(map(len, [column.name] if len(column.name) <= SHORT else re.split("[ -]", column.name)))
    cells = max(len(word) for text in texts_of_cells for word in ([text] if len(text) <= LONG else text.split()))
    width = max(FIELD_WIDTHS.get(unit, 62), 22 + 8 * heading, round(18 + 7.4 * cells))
    return {"custom__minWidth": width, "custom__align": "left"} if flexible else {"custom__width": width}


def _texts(properties: Json) -> Sequence[str]:
    """The texts that cells can have instead of numbers."""
    mappings = cast("list[dict[str, Any]]", properties.get("mappings", []))
    found = [str(properties.get("noValue", ""))]
    for mapping in mappings:
        options = mapping["options"]
        results = options.values() if mapping["type"] == "value" else [options["result"]]
        found += [result["text"] for result in results]
    return found


def verdict(zero: tuple[str, str], one: tuple[str, str]) -> Json:
    """Settings of a column that shows yes or no, or `unknown` without a sample."""
    return coded({0: zero, 1: one}, "unknown")


def coded(values: Mapping[int, tuple[str, str]], absent: str) -> Json:
    """Settings of a column of words; `absent` is shown without a sample."""
    return {
        "mappings": texts(values, absent),
        "noValue": absent,
        "custom__align": "left",
        "custom__cellOptions": COLOURED_TEXT,
        "custom__wrapText": True,
    }


def letters(values: Mapping[int, tuple[str, str]], absent: str) -> Json:
    """Settings of a column of letters on a coloured ground."""
    return coded(values, absent) | {"custom__align": "center", "custom__cellOptions": COLOURED_CELL}


def number(thresholds: Json, absent: str, *, unit: str = "none", decimals: int = 0) -> Json:
    """Settings of a column of numbers; `absent` is shown without a sample."""
    return {
        "unit": unit,
        "decimals": decimals,
        "thresholds": thresholds,
        "mappings": without_value(absent),
        "noValue": absent,
        "custom__align": "right",
        "custom__cellOptions": COLOURED_TEXT,
    }


def plain(absent: str, *, unit: str = "none") -> Json:
    """Settings of a column whose values are neither good nor bad."""
    return {"unit": unit, "noValue": absent, "custom__align": "right"}


HIDDEN: Json = {}
