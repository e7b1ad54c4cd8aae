"""The queries of a dashboard and their results from Prometheus, as Grafana's server and its data source do it."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Ask = Callable[[str, Mapping[str, str]], list[Json]]
"""Name of an endpoint and its parameters -> samples or series, as Prometheus' API returns them."""

PLOT_PIXELS = 700
"""Width of a plot in a panel of half the page: Grafana requests one point per pixel."""


class UnknownToTool(Exception):  # noqa: N818 - an unknown feature is not an error of the dashboard
    """A dashboard uses a feature that is not imitated here."""


@dataclass(frozen=True)
class Span:
    """The time range of a picture. All values are in seconds; start and end are since the epoch.

    Attributes:
        scrape: how often Prometheus scrapes; in Grafana a setting of the data source.
    """

    start: float
    end: float
    scrape: int

    @property
    def step(self) -> int:
        """Time between the points of a graph."""
        return self.step_of(PLOT_PIXELS)

    def step_of(self, points: int) -> int:
        """Time between the points of a graph that has this many at most."""
        return max(self.scrape, round((self.end - self.start) / points))

    def builtin(self) -> Mapping[str, str]:
        """Grafana's own variables."""
        return {
            "__interval": f"{self.step}s",
            "__rate_interval": f"{max(self.step + self.scrape, 4 * self.scrape)}s",
            "__range": f"{round(self.end - self.start)}s",
        }


def prometheus(url: str) -> Ask:
    """The API of the server at this URL."""

    def ask(endpoint: str, parameters: Mapping[str, str]) -> list[Json]:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{url}/api/v1/{endpoint}?{query}", timeout=30) as response:  # noqa: S310 - http
            result: list[Json] = json.load(response)["data"]["result"]
        return result

    return ask


def substituted(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables replaced: `$name` and `${name}`.

    Raises:
        UnknownToTool: a variable does not exist, or has a format.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in variables:
            raise UnknownToTool(f"variable {found[0]} in {text!r}")
        return variables[name]

    return re.sub(r"\$(?:(\w+)|{([^}]*)})", value, text)


def variables(dashboard: Json, span: Span, picks: Mapping[str, str], ask: Ask) -> Mapping[str, str]:
    """The values of all variables: all values if multiple choice is possible, otherwise the pick or the first value.

    Raises:
        UnknownToTool: a variable of another kind, a pick that does not exist, or no value to pick from.
    """
    values = dict(span.builtin())
    for variable in dashboard["templating"]["list"]:
        match variable["type"], variable.get("multi"):
            case "datasource", _:
                values[variable["name"]] = "prometheus"
            case "adhoc", _:
                pass  # no filter is chosen
            case "textbox", _:
                values[variable["name"]] = variable["query"]
            case "query", True:
                values[variable["name"]] = variable["allValue"]
            case "query", False:
                values[variable["name"]] = _picked(variable, values, span, picks, ask)
            case kind, _:
                raise UnknownToTool(f"variable {variable['name']} of type {kind}")
    return values


def _picked(variable: Json, values: Mapping[str, str], span: Span, picks: Mapping[str, str], ask: Ask) -> str:
    name, query = variable["name"], substituted(variable["query"]["query"], values)
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    if not found:
        raise UnknownToTool(f"variable {name} by {query!r}")
    samples = ask("query", {"query": f"group by ({found[2]}) ({found[1]})", "time": str(span.end)})
    there = sorted(str(sample["metric"].get(found[2], "")) for sample in samples)
    if not there or picks.get(name, there[0]) not in there:
        raise UnknownToTool(f"variable {name}: {picks.get(name)!r} is not among {there}")
    return picks.get(name, there[0])


def answered(dashboard: Json, span: Span, picks: Mapping[str, str], ask: Ask) -> Json:
    """The dashboard with variables replaced, and with `answer` and `step` (seconds) in every query (`targets`).

    Raises:
        UnknownToTool: the dashboard uses a feature that is not imitated.
    """
    values = variables(dashboard, span, picks, ask)
    drawn = [_panel(panel, values, span, ask) for panel in _unfolded(dashboard)]
    return {
        "title": dashboard["title"],
        "from": round(span.start * 1000),
        "to": round(span.end * 1000),
        "variables": _shown(dashboard, values),
        "panels": drawn,
    }


def _unfolded(dashboard: Json) -> Iterator[Json]:
    for panel in dashboard["panels"]:
        if panel.get("repeat") or panel.get("collapsed"):
            raise UnknownToTool(f"panel {panel['title']!r} is repeated or collapsed")
        yield panel


def _shown(dashboard: Json, values: Mapping[str, str]) -> list[Json]:
    """The variables shown above the panels."""
    names = {variable["name"]: variable for variable in dashboard["templating"]["list"] if not variable.get("hide")}
    return [
        {
            "label": variable.get("label") or name,
            "value": "All" if variable.get("multi") else values.get(name, ""),
            "adhoc": variable["type"] == "adhoc",
        }
        for name, variable in names.items()
    ]


def _panel(panel: Json, values: Mapping[str, str], span: Span, ask: Ask) -> Json:
    if panel["type"] == "row":
        return {**panel, "title": substituted(panel["title"], values)}
    step = span.step_of(min(panel.get("maxDataPoints", PLOT_PIXELS), PLOT_PIXELS))
    targets = [
        {**target, "answer": _answer(target, values, span, step, ask), "step": step}
        for target in panel["targets"]
        if not target.get("hide")
    ]
    texts = {key: substituted(panel[key], values) for key in ("title", "description")}
    return {**panel, **texts, "targets": targets}


def _answer(target: Json, values: Mapping[str, str], span: Span, step: int, ask: Ask) -> list[Json]:
    expr = substituted(target["expr"], values)
    match bool(target.get("instant")), bool(target.get("range")):
        case True, False:
            return ask("query", {"query": expr, "time": str(span.end)})
        case False, True:
            # Grafana aligns ranges with the step, so that refreshed graphs do not flicker.
            start, end = (time // step * step for time in (span.start, span.end))
            return ask("query_range", {"query": expr, "start": str(start), "end": str(end), "step": str(step)})
    raise UnknownToTool(f"a query must be either instant or range: {expr}")
