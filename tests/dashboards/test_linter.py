"""The rules of Grafana's dashboard-linter, implemented again, because it is a Go program and not part of the tests."""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import promql_parser
import pytest

from tests.support.dashboards import DASHBOARDS, Dashboard, each_dashboard, exprs, panels, substituted
from tests.support.prometheus import read

UNITS = {"none", "short", "percentunit", "s", "bytes", "dateTimeAsIso", "cpm"}
"""Of the linter's list, those in use; it takes free suffixes in overrides only."""


def _template(dashboard: Dashboard, name: str) -> dict[str, Any]:
    return next((variable for variable in dashboard["templating"]["list"] if variable["name"] == name), {})


def datasource_is_templated(dashboard: Dashboard) -> bool:
    variable = _template(dashboard, "datasource")
    return (variable.get("type"), variable.get("query"), variable.get("label")) == (
        "datasource",
        "prometheus",
        "Data source",
    )


def job_and_instance_are_templated(dashboard: Dashboard) -> bool:
    variables = [_template(dashboard, name) for name in ("job", "instance")]
    return all(
        variable.get("type") == "query"
        and variable["label"] == variable["name"]
        and variable["datasource"]["uid"] == "${datasource}"
        and variable["multi"]
        and variable["includeAll"]
        and variable["allValue"] == ".+"
        for variable in variables
    )


def variables_follow_the_time_range(dashboard: Dashboard) -> bool:
    return all(variable["refresh"] == 2 for variable in dashboard["templating"]["list"] if variable["type"] == "query")


def variables_ask_for_labels(dashboard: Dashboard) -> bool:
    queries = [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    found = [re.fullmatch(r"label_values\((.+), (\w+)\)", query) for query in queries]
    return all(match is not None and promql_parser.parse(substituted(match[1])) for match in found)


def panels_use_the_datasource(dashboard: Dashboard) -> bool:
    expected = {"type": "prometheus", "uid": "${datasource}"}
    return all(
        panel["datasource"] == expected and all(target["datasource"] == expected for target in panel["targets"])
        for panel in panels(dashboard)
    )


def panels_are_described(dashboard: Dashboard) -> bool:
    return all(panel["title"].strip() and panel["description"].strip() for panel in panels(dashboard))


def panels_have_a_unit(dashboard: Dashboard) -> bool:
    return all(panel["fieldConfig"]["defaults"].get("unit") in UNITS for panel in panels(dashboard))


def panels_have_queries(dashboard: Dashboard) -> bool:
    return all(
        panel["targets"] and all(target["expr"].strip() for target in panel["targets"]) for panel in panels(dashboard)
    )


def _parsable(expr: str) -> str:
    """The expression with the variables replaced that are not inside of strings."""
    for name, value in {"$__rate_interval": "5m", "$__range": "1d", "$group": "team"}.items():
        expr = expr.replace(name, value)
    return expr


def queries_match_job_and_instance(dashboard: Dashboard) -> bool:
    wanted = {("job", "MatchOp.Re", "$job"), ("instance", "MatchOp.Re", "$instance")}
    return all(
        wanted <= {(m.name, str(m.op), m.value) for m in selector.matchers.matchers}
        for expr in exprs(dashboard)
        for selector in read(_parsable(expr)).selectors
    )


def rates_use_the_rate_interval(dashboard: Dashboard) -> bool:
    ranges = [
        found for expr in exprs(dashboard) for found in re.findall(r"\b(?:rate|irate|increase)\((.+?)\[(.+?)]", expr)
    ]
    return all(window == "$__rate_interval" for _, window in ranges)


def counters_are_rated(dashboard: Dashboard) -> bool:
    counters = re.compile(r"\b\w+_total\b")
    rated = re.compile(r"\b(?:rate|irate|increase)\(\s*\w+_total\b")
    return all(len(counters.findall(expr)) == len(rated.findall(expr)) for expr in exprs(dashboard))


def is_not_editable(dashboard: Dashboard) -> bool:
    return dashboard["editable"] is False


LINTER: tuple[Callable[[Dashboard], bool], ...] = (
    datasource_is_templated,
    job_and_instance_are_templated,
    variables_follow_the_time_range,
    variables_ask_for_labels,
    panels_use_the_datasource,
    panels_are_described,
    panels_have_a_unit,
    panels_have_queries,
    queries_match_job_and_instance,
    rates_use_the_rate_interval,
    counters_are_rated,
    is_not_editable,
)


@each_dashboard
@pytest.mark.parametrize("rule", LINTER, ids=lambda rule: rule.__name__)
def test_linter(rule: Callable[[Dashboard], bool], dashboard: Dashboard) -> None:
    assert rule(dashboard)


def _with_expr(expr: str) -> Callable[[Dashboard], None]:
    def change(dashboard: Dashboard) -> None:
        panels(dashboard)[0]["targets"][0]["expr"] = expr

    return change


BREAKS: Mapping[Callable[[Dashboard], bool], Callable[[Dashboard], None]] = {
    datasource_is_templated: lambda d: d["templating"]["list"].pop(0),
    job_and_instance_are_templated: lambda d: _template(d, "instance").update(allValue=".*"),
    variables_follow_the_time_range: lambda d: _template(d, "job").update(refresh=1),
    variables_ask_for_labels: lambda d: _template(d, "job").update(query={"query": "up"}),
    panels_use_the_datasource: lambda d: panels(d)[0].update(datasource={"type": "prometheus", "uid": "mine"}),
    panels_are_described: lambda d: panels(d)[0].update(description=" "),
    panels_have_a_unit: lambda d: panels(d)[0]["fieldConfig"]["defaults"].pop("unit"),
    panels_have_queries: lambda d: panels(d)[0].update(targets=[]),
    queries_match_job_and_instance: _with_expr('count(tls_posture_compliant{job=~"$job"})'),
    rates_use_the_rate_interval: _with_expr('rate(x_total{job=~"$job", instance=~"$instance"}[5m])'),
    counters_are_rated: _with_expr('sum(x_total{job=~"$job", instance=~"$instance"})'),
    is_not_editable: lambda d: d.update(editable=True),
}


@pytest.mark.parametrize("rule", LINTER, ids=lambda rule: rule.__name__)
def test_linter_sees_a_broken_dashboard(rule: Callable[[Dashboard], bool]) -> None:
    dashboard = deepcopy(next(iter(DASHBOARDS.values())))

    BREAKS[rule](dashboard)

    assert not rule(dashboard)
