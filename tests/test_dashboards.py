"""The dashboards are the ones that the generator writes, sound for Grafana, and ask only for what the exporter shows.

The rules for dashboards are those of Grafana's dashboard-linter, which is a Go program and no part of the tests.
"""

import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.__main__ import main
from exporter.metrics import FAMILIES, OwnMetrics

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "grafana"
DASHBOARDS: Mapping[str, dict[str, Any]] = {
    file.name: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))
}
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=list(DASHBOARDS))

Dashboard = dict[str, Any]

UNITS = {"none", "short", "percentunit", "s", "bytes", "dateTimeAsIso", "cpm"}
"""Of the linter's list, those in use; it takes free suffixes in overrides only."""

SCRAPE_LABELS = {"job", "instance"}


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def substituted(expr: str) -> str:
    """The expression with Grafana's variables filled in as it does for `All`."""
    values = {"$__rate_interval": "5m", "$__range": "1d", "$__interval": "1m", "$job": ".+", "$instance": ".+"}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


# --- The rules of dashboard-linter -----------------------------------------------------------------------------------


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


def queries_match_job_and_instance(dashboard: Dashboard) -> bool:
    wanted = {("job", "MatchOp.Re", "$job"), ("instance", "MatchOp.Re", "$instance")}
    return all(
        wanted <= {(m.name, str(m.op), m.value) for m in selector.matchers.matchers}
        for expr in exprs(dashboard)
        for selector in read(expr.replace("$__rate_interval", "5m")).selectors
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


# --- Reading expressions ---------------------------------------------------------------------------------------------


class Expression(NamedTuple):
    """What an expression asks for: its selectors, and the labels that its operators group and join by."""

    selectors: list[Any]
    grouped: set[str]


def read(expr: str) -> Expression:
    """Take an expression apart."""
    selectors: list[Any] = []
    grouped: set[str] = set()

    def visit(node: Any) -> None:  # noqa: ANN401 - a node of any class of promql_parser
        match type(node).__name__:
            case "VectorSelector":
                selectors.append(node)
            case "MatrixSelector":
                selectors.append(node.vector_selector)
            case "AggregateExpr" if node.modifier:
                grouped.update(node.modifier.labels)
            case "BinaryExpr" if node.modifier and node.modifier.matching:
                grouped.update(node.modifier.matching.labels)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return Expression(selectors, grouped)


def exprs(dashboard: Dashboard) -> Iterator[str]:
    """Every expression of a dashboard."""
    return (target["expr"] for panel in panels(dashboard) for target in panel["targets"])


# --- What the exporter shows -----------------------------------------------------------------------------------------


def labels_in(page: str) -> dict[str, set[str]]:
    """Sample name -> its label names, over all samples of a page."""
    labels: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels[sample.name] |= sample.labels.keys()
    return labels


@pytest.fixture(scope="module")
def demo_address() -> Iterator[str]:
    """`host:port` of the demonstration, its targets scanned."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    environment = os.environ | {"COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"Metrics: http://([^/]+)/metrics", line) for line in process.stdout)
            yield next(match[1] for match in found if match)
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture
def shown(demo_address: str, capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """Sample name -> label names of two scanned targets, and of one that nothing answers for.

    With `address`, as if all addresses of a target had been scanned.
    """
    with urllib.request.urlopen(f"http://{demo_address}/metrics") as response:
        labels = labels_in(response.read().decode())
    main(["scan", "--format", "prometheus", "127.0.0.1:1"])
    for name, names in labels_in(capsys.readouterr().out).items():
        labels[name] |= names
    labels["up"] = set()
    return {name: names | {"address"} if "target" in names else names for name, names in labels.items()}


# --- Tests -----------------------------------------------------------------------------------------------------------


def test_files_are_as_generated() -> None:
    rendered = runpy.run_path(str(ROOT / "tools" / "dashboards.py"))["rendered"]()

    assert rendered == {name: (FOLDER / name).read_text(encoding="utf-8") for name in DASHBOARDS}


def test_there_is_a_fleet_dashboard() -> None:
    assert DASHBOARDS["fleet.json"]["uid"] == "tls-posture-fleet"


@each_dashboard
def test_can_be_imported(dashboard: Dashboard) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]

    assert dashboard["schemaVersion"] == 39
    assert dashboard["tags"]
    assert "id" not in dashboard  # the number of a dashboard is the server's
    assert len(set(numbers)) == len(numbers)
    assert len(panels(dashboard)) <= 25


@each_dashboard
def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@each_dashboard
def test_panels_say_what_colours_and_emptiness_mean(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        assert len(defaults["thresholds"]["steps"]) > 1, panel["title"]
        assert re.search("red|yellow|green|dashed line", panel["description"].lower()), panel["title"]
        assert defaults["noValue"].startswith("No data: "), panel["title"]


@each_dashboard
def test_state_of_now_is_asked_for_at_the_end_only(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            over_time = panel["type"] == "timeseries"
            assert (target["range"], target["instant"]) == (over_time, not over_time), panel["title"]
            assert target["format"] == ("table" if panel["type"] == "table" else "time_series")


@each_dashboard
def test_no_zero_out_of_nothing(dashboard: Dashboard) -> None:
    """An exporter that is gone must not look like a fleet without findings."""
    assert not [expr for expr in exprs(dashboard) if "vector(" in expr or "absent(" in expr]


@each_dashboard
def test_metrics_exist(dashboard: Dashboard) -> None:
    own = {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    known = {family.name for family in FAMILIES} | own | {"up"}

    used = {selector.name for expr in exprs(dashboard) for selector in read(substituted(expr)).selectors}

    assert used <= known


@each_dashboard
def test_labels_exist(dashboard: Dashboard, shown: Mapping[str, set[str]]) -> None:
    for expr in exprs(dashboard):
        selectors, grouped = read(substituted(expr))
        here = set(SCRAPE_LABELS)
        for selector in selectors:
            known = shown[selector.name] | SCRAPE_LABELS
            here |= known
            assert {matcher.name for matcher in selector.matchers.matchers} <= known, expr
        assert grouped <= here, expr


@each_dashboard
def test_legends_name_labels_that_are_left(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= read(substituted(target["expr"])).grouped, panel["title"]


@each_dashboard
def test_overrides_meet_a_field(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        names = {target["legendFormat"] for target in panel["targets"]}
        for step in panel["transformations"]:
            names |= set(step["options"].get("renameByName", {}).values())
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in names, panel["title"]


# --- Against a real Prometheus ---------------------------------------------------------------------------------------

EMPTY_IN_THE_DEMO = {"{{probe}}: {{reason}}"}
"""Legends of queries that are rightly empty there: no probe of the demonstration fails."""


class Prometheus:
    """The query interface of a Prometheus server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an instant query, now."""
        query = urllib.parse.urlencode({"query": expr})
        with urllib.request.urlopen(f"http://{self._address}/api/v1/query?{query}", timeout=5) as response:
            result: list[dict[str, Any]] = json.load(response)["data"]["result"]
        return result

    def wait_for(self, expr: str) -> None:
        """Return when the expression has samples."""
        for _ in range(300):
            try:
                if self.ask(expr):
                    return
            except urllib.error.URLError:
                pass  # it is still starting
            time.sleep(0.1)
        pytest.fail(f"no samples of {expr}")

    def number(self, expr: str) -> float | None:
        """The value of an expression that gives at most one sample."""
        samples = self.ask(expr)
        return float(samples[0]["value"][1]) if samples else None


@pytest.fixture(scope="module")
def prometheus(demo_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus server that scrapes the demonstration."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    jobs = [{"job_name": "tls-posture", "static_configs": [{"targets": [demo_address]}]}]
    config = folder / "prometheus.yml"  # JSON is YAML
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder}", f"--web.listen-address={address}"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([program, *arguments], stdout=quiet, stderr=quiet) as process:
        try:
            server = Prometheus(address)
            server.wait_for("count(tls_posture_scan_success) == 2")
            yield server
        finally:
            process.terminate()


@pytest.mark.real
@each_dashboard
def test_every_query_has_an_answer(dashboard: Dashboard, prometheus: Prometheus) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            empty = target["legendFormat"] in EMPTY_IN_THE_DEMO
            assert bool(prometheus.ask(substituted(target["expr"]))) is not empty, (panel["title"], target["refId"])


@pytest.mark.real
def test_answers_are_right(prometheus: Prometheus) -> None:
    fleet = DASHBOARDS["fleet.json"]
    shown = {p["title"]: prometheus.number(substituted(p["targets"][0]["expr"])) for p in panels(fleet)[:6]}

    assert shown == {
        "Compliant": 1,
        "Not compliant": 1,
        "Unknown": 0,
        "Failed scans": 0,
        "Overdue scans": 0,
        "Exporters down": 0,
    }


@pytest.mark.real
@each_dashboard
def test_no_answers_about_an_exporter_that_is_gone(dashboard: Dashboard, prometheus: Prometheus) -> None:
    """No zero, and so no green, where nothing is known."""
    for expr in exprs(dashboard):
        elsewhere = expr.replace("$instance", "gone:19443")
        assert prometheus.ask(substituted(elsewhere)) == [], expr
