"""Tables of the current state: several queries, one column each, merged by the labels that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.dashboards.panels import RED, YELLOW, Json, Panel, Query, bad_from_one, override, texts

WHERE = {"address": "Address", "instance": "Exporter", "job": "Job"}
"""Labels that say where a target is watched. They are the last columns, except the address, which identifies the
target."""

WIDTHS: Mapping[str, int] = {
    "Address": 130,
    "Attack": 200,
    "Begins": 180,
    "Bits": 80,
    "Chain ends": 180,
    "Check": 170,
    "Cipher suite": 400,
    "Client": 200,
    "Configured since": 190,
    "Ends": 180,
    "Exporter": 230,
    "Issuer": 180,
    "Job": 110,
    "Key": 80,
    "Next scan": 180,
    "Policy": 150,
    "Protocol": 110,
    "SHA-256 fingerprint": 550,
    "Serial number": 360,
    "Severity": 110,
    "Signature": 180,
    "Started": 180,
    "Subject": 200,
    "Support ends": 180,
}
"""Width in pixels of the columns whose cells are longer than their heading. The other columns share the rest."""

COLOURED_TEXT = {"type": "color-text"}


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
        links: heading of a column -> the link of its cells.
    """

    labels: Mapping[str, str]
    width: int
    height: int
    sort_by: str = ""
    highest_first: bool = False
    links: Mapping[str, Json] = field(default_factory=dict)


def table(title: str, description: str, columns: Sequence[Column], frame: Frame, no_value: str) -> Panel:
    """A table with a row for each set of labels; each column has its own colours."""
    fields = _fields(columns)
    shown = [column for column in columns if column.properties]
    place = dict.fromkeys([*frame.labels, "address", *(fields[column.name] for column in shown), *WHERE])
    labels = {**WHERE, **frame.labels}
    names = {fields[column.name]: column.name for column in shown} | labels
    hidden = {name: True for name in ("Time", "target") if name not in labels} | {
        fields[column.name]: True for column in columns if not column.properties
    }
    sort = {"field": fields.get(frame.sort_by, frame.sort_by), "desc": frame.highest_first}
    steps: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [sort]}},
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {name: index for index, name in enumerate(place)},
                "renameByName": names,
            },
        },
    ]
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries=[Query(column.expr, table=True) for column in columns],
        unit="none",
        thresholds=bad_from_one(RED),
        no_value=no_value,
        width=frame.width,
        height=frame.height,
        options={"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
        extra={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}},
        overrides=[
            *(override(column.name, **column.properties, **_width(column.name)) for column in shown),
            *(override(name, **_of_label(frame.links.get(name)), **_width(name)) for name in labels.values()),
        ],
        transformations=[step for step in steps if frame.sort_by or step["id"] != "sortBy"],
    )


def _fields(columns: Sequence[Column]) -> Mapping[str, str]:
    """Heading -> Grafana's name of the values of its query. With only one query, the name has no letter."""
    if len(columns) == 1:
        return {columns[0].name: "Value"}
    return {column.name: f"Value #{chr(ord('A') + index)}" for index, column in enumerate(columns)}


def _of_label(link: Json | None) -> Json:
    """Settings of a column of labels: if a row lacks the label, the cell has a dash and not the text of an empty panel.

    Without the unit, Grafana treats text such as the version 8.5 as a number and rounds it.
    """
    return {"unit": "string", "noValue": "–"} | ({"links": [link]} if link else {})


def _width(heading: str) -> Json:
    """Settings for a width that is enough for the heading, the filter icon, and the cells."""
    if heading in WIDTHS:
        return {"custom__width": WIDTHS[heading]}
    return {"custom__minWidth": 50 + 8 * len(heading)}


def verdict(zero: tuple[str, str], one: tuple[str, str]) -> Json:
    """Settings of a column that shows yes or no, or `unknown` without a sample."""
    return coded({0: zero, 1: one}, "unknown")


def coded(values: Mapping[int, tuple[str, str]], absent: str) -> Json:
    """Settings of a column of words; `absent` is shown without a sample."""
    return {"mappings": texts(values, absent), "noValue": absent, "custom__cellOptions": COLOURED_TEXT}


def number(thresholds: Json, absent: str, *, unit: str = "none", decimals: int = 0) -> Json:
    """Settings of a column of numbers; `absent` is shown without a sample."""
    return {
        "unit": unit,
        "decimals": decimals,
        "thresholds": thresholds,
        "mappings": [{"type": "special", "options": {"match": "null", "result": {"text": absent, "color": YELLOW}}}],
        "noValue": absent,
        "custom__cellOptions": COLOURED_TEXT,
    }


def plain(absent: str, *, unit: str = "none") -> Json:
    """Settings of a column whose values are neither good nor bad."""
    return {"unit": unit, "noValue": absent}


HIDDEN: Json = {}
