"""The committed dashboards, and functions that extract their parts."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent.parent / "grafana"

Dashboard = dict[str, Any]
Panel = dict[str, Any]

DASHBOARDS: Mapping[str, Dashboard] = {
    file.name: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))
}
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))

HIDDEN = "hidden"
"""Used as the heading of the first column without one, which rows are sorted by."""

SCRAPE_LABELS = {"job", "instance"}

_ALL = {
    "$__rate_interval": "5m",
    "$__range": "1d",
    "$group": "team",
    "$policy": "kopano-checklist",
    "$check": ".+",
    "$job": ".+",
    "$instance": ".+",
    "$target": "old-appliance",
    "$address": ".*",
}
"""Values of the variables in Grafana if nothing is chosen except a target of the demonstration."""


def panels(dashboard: Dashboard) -> list[Panel]:
    """The panels, without rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def exprs(dashboard: Dashboard) -> Iterator[str]:
    """Every expression of a dashboard."""
    return (target["expr"] for panel in panels(dashboard) for target in panel["targets"])


def substituted(expr: str, **chosen: str) -> str:
    """The expression with Grafana's variables replaced by the chosen values, or by all values."""
    for name, value in {**_ALL, **{f"${name}": value for name, value in chosen.items()}}.items():
        expr = expr.replace(name, value)
    return expr


def made(expr: str) -> set[str]:
    """The labels that an expression makes by `label_join`."""
    return set(re.findall(r'"(\w+)", "", "', expr))


def columns(panel: Panel) -> dict[str, str]:
    """Field name -> heading, of a table."""
    names: dict[str, str] = panel["transformations"][-1]["options"]["renameByName"]
    return names


def expression(file: str, title: str, name: str = "") -> str:
    """The expression with this legend, column heading or letter (`query B`) in the panel with this title."""
    (panel,) = (panel for panel in panels(DASHBOARDS[file]) if panel["title"] == title)
    by_name = {target["legendFormat"]: target["expr"] for target in panel["targets"]}
    if panel["type"] == "table":
        names = columns(panel)
        by_name = {
            names.get(f"Value #{target['refId']}", names.get("Value", HIDDEN)): target["expr"]
            for target in reversed(panel["targets"])
        }
    by_name |= {f"query {target['refId']}": target["expr"] for target in panel["targets"]}
    found: str = by_name[name] if name else panel["targets"][0]["expr"]
    return found
