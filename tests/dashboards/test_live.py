"""The queries against a real Prometheus that scrapes the demonstration."""

import re
from collections.abc import Mapping

import pytest

from tests.support.dashboards import DASHBOARDS, Dashboard, columns, each_dashboard, exprs, panels, substituted
from tests.support.prometheus import Prometheus

pytestmark = pytest.mark.real

A_DAY = "the demonstration has not run for a day; test_queries has these"

EMPTY_IN_THE_DEMO: Mapping[tuple[str, str], tuple[str, str]] = {
    ("fleet.json", "Since a day ago"): ("ABCDEFGH", A_DAY),
    ("fleet.json", "Checks that changed within a day"): ("ABC", A_DAY),
    ("fleet.json", "CAA"): ("B", "its CA is in no table of CAA domains"),
    ("audit.json", "Failures over time"): ("C", "every check has a result or does not apply"),
    ("target.json", "Addresses"): ("A", "its targets have one address"),
    ("target.json", "Key exchange and compression"): ("D", "it has no finite-field key exchange"),
    ("target.json", "Cipher suites"): ("AB", "it does not run in full detail"),
    ("target.json", "HSTS"): ("D", "it is not on port 443, beside which port 80 would be asked"),
    ("target.json", "CAA"): ("BCDE", "its CA is in no table of CAA domains; the target shown has no CAA records"),
    ("exporter.json", "Failed probes by reason"): ("B", "no probe fails"),
    ("exporter.json", "Sources of targets"): ("ABCDEF", "its targets are in its configuration"),
}
"""Dashboard and panel -> the queries that are rightly empty there, and why."""


@each_dashboard
def test_every_query_has_an_answer(
    dashboard: Dashboard, prometheus: Prometheus, request: pytest.FixtureRequest
) -> None:
    file = request.node.callspec.id
    prometheus.wait_for("count_over_time(up[1m]) > 1")  # or there are no rates yet
    empty = {
        (panel["title"], target["refId"])
        for panel in panels(dashboard)
        for target in panel["targets"]
        if not prometheus.ask(substituted(target["expr"]))
    }

    assert empty == {(title, ref) for (of, title), (refs, _) in EMPTY_IN_THE_DEMO.items() if of == file for ref in refs}


def test_answers_are_right(prometheus: Prometheus) -> None:
    fleet = DASHBOARDS["fleet.json"]
    shown = {p["title"]: prometheus.number(substituted(p["targets"][0]["expr"])) for p in panels(fleet)[:6]}

    assert shown == {
        "Compliant": 4,
        "Not compliant": 3,
        "Unknown": 0,
        "Failed scans": 0,
        "Overdue scans": 0,
        "Exporters down": 0,
    }


@each_dashboard
def test_no_answers_about_an_exporter_that_is_gone(dashboard: Dashboard, prometheus: Prometheus) -> None:
    """No zero, and so no green, where nothing is known."""
    for expr in exprs(dashboard):
        assert prometheus.ask(substituted(expr, instance="gone:19443")) == [], expr


@each_dashboard
def test_every_variable_has_values(dashboard: Dashboard, prometheus: Prometheus) -> None:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and variable["name"] != "address":  # the targets have one address each
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found, variable["name"]
            values = prometheus.ask(f"group by ({found[2]}) ({substituted(found[1])})")
            assert all(value["metric"][found[2]] for value in values), variable["name"]
            assert values, variable["name"]


@each_dashboard
def test_tables_have_a_heading_for_each_label_or_hide_it(dashboard: Dashboard, prometheus: Prometheus) -> None:
    for panel in (panel for panel in panels(dashboard) if panel["type"] == "table"):
        excluded = panel["transformations"][-1]["options"]["excludeByName"]
        for target in panel["targets"]:
            for sample in prometheus.ask(substituted(target["expr"])):
                assert set(sample["metric"]) <= {*columns(panel), *excluded}, panel["title"]


@pytest.mark.parametrize("file", ["fleet.json", "target.json", "audit.json"])
def test_no_answers_where_a_filter_by_labels_meets_no_target(file: str, prometheus: Prometheus) -> None:
    """Grafana writes the filter into every selector."""
    for expr in exprs(DASHBOARDS[file]):
        filtered = substituted(expr).replace('job=~".+"', 'job=~".+", team="nobody"')
        assert filtered.count("nobody") == expr.count("$job")
        assert prometheus.ask(filtered) == [], expr
