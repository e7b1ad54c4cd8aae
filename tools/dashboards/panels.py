"""Kinds of panels, and their parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

Json = dict[str, object]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
GRID_WIDTH = 24
DASH = "–"
MOST_POINTS, MORE_POINTS = 60, 300
"""Points of a graph; Grafana's default is one a pixel. Each costs Prometheus as much as a query of the current state,
which matters for graphs of all targets."""
RED, YELLOW, GREEN, BLUE, PURPLE = "red", "yellow", "green", "blue", "light-purple"


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Attributes:
        at_end: ask for the end of the time range only. The current state must not include the last value of an exporter
            that no longer exists.
    """

    expr: str
    legend: str = ""
    at_end: bool = True
    table: bool = False


def steps(base: str, *rest: tuple[float, str]) -> Json:
    """Thresholds: a colour from minus infinity, then others, each from its value."""
    colours = [{"color": base, "value": None}, *({"color": colour, "value": value} for value, colour in rest)]
    return {"mode": "absolute", "steps": colours}


def bad_from_one(colour: str) -> Json:
    """Thresholds of something of which there should be none."""
    return steps(GREEN, (1, colour))


def words(values: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Value mappings that show words and colours instead of numbers."""
    return [
        {
            "type": "value",
            "options": {
                str(value): {"text": text, "color": colour, "index": index}
                for index, (value, (text, colour)) in enumerate(values.items())
            },
        }
    ]


def texts(values: Mapping[int, tuple[str, str]], absent: str) -> list[Json]:
    """The same, and a word for an absent sample."""
    return [*words(values), *without_value(absent, len(values))]


def without_value(text: str, index: int = 0) -> list[Json]:
    """Value mappings for an absent sample: yellow if it is unknown; a dash means that there is nothing to know."""
    result = {"text": text, "color": "text" if text == DASH else YELLOW, "index": index}
    return [{"type": "special", "options": {"match": "null", "result": result}}]


def override(name: str, **properties: object) -> Json:
    """Field settings for the field of this name; `__` in a property means a dot."""
    settings = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": settings}


@dataclass(frozen=True)
class Panel:
    """One panel, before it has a position.

    Attributes:
        no_value: shown instead of an empty result; says what that means.
        extra: further keys of `fieldConfig.defaults`.
        transformations: applied to the results of the queries.
        points: of a graph.
    """

    kind: str
    title: str
    description: str
    queries: Sequence[Query]
    unit: str
    thresholds: Json
    no_value: str
    width: int
    height: int
    options: Json = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    points: int = MOST_POINTS

    def render(self, number: int, x: int, y: int) -> Json:
        """The panel's JSON at this position."""
        defaults = {"unit": self.unit, "thresholds": self.thresholds, "noValue": self.no_value, "mappings": []}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults | self.extra, "overrides": list(self.overrides)},
            "options": self.options,
            **({"maxDataPoints": self.points} if self.kind == "timeseries" else {}),
            "targets": [_target(query, chr(ord("A") + index)) for index, query in enumerate(self.queries)],
            "transformations": list(self.transformations),
        }


def _target(query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": "table" if query.table else "time_series",
        "instant": query.at_end,
        "range": not query.at_end,
        "legendFormat": query.legend or "__auto",
    }


@dataclass(frozen=True)
class Scale:
    """How values are shown.

    Attributes:
        extra: further keys of `fieldConfig.defaults`.
        colours: of lines whose name alone means good or bad.
    """

    unit: str
    thresholds: Json
    extra: Json = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


COUNT: Json = {"min": 0, "decimals": 0}


def stat(title: str, description: str, queries: Sequence[tuple[str, str]], scale: Scale, no_value: str) -> Panel:
    """A tile for each sample, from pairs of query and legend. The legend is shown if there are several."""
    options: Json = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
        "text": {"titleSize": 12},  # otherwise a long name makes all of them tiny
    }
    return Panel(
        kind="stat",
        title=title,
        description=description,
        queries=[Query(expr, legend) for expr, legend in queries],
        unit=scale.unit,
        thresholds=scale.thresholds,
        no_value=no_value,
        width=4,
        height=4,
        options=options,
        extra=scale.extra,
    )


def number_of(title: str, description: str, expr: str, thresholds: Json, no_value: str) -> Panel:
    """A count, as one big number."""
    return stat(title, description, [(expr, "")], Scale("none", thresholds, {"decimals": 0}), no_value)


@dataclass(frozen=True)
class Bar:
    """One class of things: its name, the query of its count, and its colour from 1 on (0 is green)."""

    name: str
    expr: str
    colour: str


def bars(title: str, description: str, classes: Sequence[Bar], no_value: str, *, width: int) -> Panel:
    """The count of each class, one bar each."""
    options: Json = {
        "displayMode": "basic",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "maxVizHeight": 40,
        "text": {"titleSize": 12, "valueSize": 18},  # otherwise the letters of a few bars are too large for their names
        "valueMode": "color",
    }
    return Panel(
        kind="bargauge",
        title=title,
        description=description,
        queries=[Query(bar.expr, bar.name) for bar in classes],
        unit="none",
        thresholds=bad_from_one(RED),
        no_value=no_value,
        width=width,
        height=8,
        options=options,
        extra=COUNT,
        overrides=[override(bar.name, thresholds=bad_from_one(bar.colour)) for bar in classes if bar.colour != RED],
    )


def with_short_legend(panel: Panel) -> Panel:
    """A graph with many lines whose legend has names only."""
    return replace(
        panel, options=panel.options | {"legend": {"calcs": [], "displayMode": "list", "placement": "bottom"}}
    )


def graph(
    title: str,
    description: str,
    queries: Sequence[tuple[str, str]],
    scale: Scale,
    no_value: str,
) -> Panel:
    """Lines over time, from pairs of query and legend; the thresholds are dashed lines."""
    custom: Json = {
        "drawStyle": "line",
        "fillOpacity": 10,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,  # a gap is a time without data
        "thresholdsStyle": {"mode": "dashed"},
    }
    if scale.unit == "none":
        custom["axisSoftMax"] = 1  # if all values are 0, Grafana would draw an axis up to 100
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        queries=[Query(expr, legend, at_end=False) for expr, legend in queries],
        unit=scale.unit,
        thresholds=scale.thresholds,
        no_value=no_value,
        width=12,
        height=8,
        options={
            "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        extra={"color": {"mode": "palette-classic"}, "custom": custom} | scale.extra,
        overrides=[
            override(name, color={"mode": "fixed", "fixedColor": colour}) for name, colour in scale.colours.items()
        ],
    )
