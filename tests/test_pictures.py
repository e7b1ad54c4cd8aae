"""The data for pictures of dashboards, as far as no browser is needed: queries, variables, a day ago."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.pictures import browser
from tools.pictures.fleet import Site, caa_answers, nginx_config
from tools.pictures.panels import Json, Span, UnknownToTool, answered, substituted, variables
from tools.pictures.watch import a_day_ago

ROOT = Path(__file__).parent.parent
SPAN = Span(start=1000.0, end=1360.0, scrape=5)
DATASOURCE = {"type": "datasource", "name": "datasource", "label": "Data source"}
MANY = {"type": "query", "name": "job", "multi": True, "allValue": ".+"}
ADHOC = {"type": "adhoc", "name": "labels", "label": "Labels"}


def one(query: str) -> Json:
    return {"type": "query", "name": "target", "multi": False, "query": {"query": query}}


def dashboard(*panels: Json, lists: tuple[Json, ...] = (DATASOURCE, MANY)) -> Json:
    return {"title": "A dashboard", "templating": {"list": list(lists)}, "panels": list(panels)}


def panel(*targets: Json, **more: Any) -> Json:  # noqa: ANN401 - JSON
    return {"type": "stat", "title": "Of $job", "description": "", "targets": list(targets), **more}


class Asked:
    """An API that answers with these samples and keeps what it was asked."""

    def __init__(self, *samples: Json) -> None:
        self.samples = list(samples)
        self.questions: list[tuple[str, Mapping[str, str]]] = []

    def __call__(self, endpoint: str, parameters: Mapping[str, str]) -> list[Json]:
        self.questions.append((endpoint, parameters))
        return self.samples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('up{job=~"$job"}', 'up{job=~".+"}'),
        ("${job}s and $job", ".+s and .+"),
        ("no variable", "no variable"),
    ],
)
def test_variables_are_filled_in(text: str, expected: str) -> None:
    assert substituted(text, {"job": ".+"}) == expected


@pytest.mark.parametrize("text", ["$jobs", "${job:regex}", "$__from"])
def test_a_variable_that_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises(UnknownToTool):
        substituted(text, {"job": ".+"})


@pytest.mark.parametrize(
    ("span", "interval", "rate_interval", "whole"),
    [
        (SPAN, "5s", "20s", "360s"),
        (Span(start=0, end=86_400, scrape=15), "123s", "138s", "86400s"),
    ],
)
def test_intervals_are_those_of_grafana(span: Span, interval: str, rate_interval: str, whole: str) -> None:
    assert span.builtin() == {"__interval": interval, "__rate_interval": rate_interval, "__range": whole}


def test_of_what_may_be_many_all_are_chosen_and_of_others_the_pick() -> None:
    ask = Asked({"metric": {"target": "www"}}, {"metric": {"target": "api"}})
    lists = (DATASOURCE, MANY, one('label_values(x{job=~"$job"}, target)'), ADHOC)

    values = variables(dashboard(lists=lists), SPAN, {"target": "www"}, ask)

    assert values == {**SPAN.builtin(), "datasource": "prometheus", "job": ".+", "target": "www"}
    assert ask.questions == [("query", {"query": 'group by (target) (x{job=~".+"})', "time": "1360.0"})]


def test_without_a_pick_the_first_is_chosen() -> None:
    ask = Asked({"metric": {"target": "www"}}, {"metric": {"target": "api"}})

    assert variables(dashboard(lists=(one("label_values(x, target)"),)), SPAN, {}, ask)["target"] == "api"


def test_a_text_has_its_default() -> None:
    text = {"type": "textbox", "name": "group", "query": "team"}

    assert variables(dashboard(lists=(text,)), SPAN, {}, Asked())["group"] == "team"


@pytest.mark.parametrize(
    ("variable", "picks"),
    [
        (one("label_values(x, target)"), {"target": "gone"}),
        (one("query_result(x)"), {}),
        ({"type": "custom", "name": "text"}, {}),
    ],
)
def test_a_variable_without_a_value_is_an_error(variable: Json, picks: Mapping[str, str]) -> None:
    with pytest.raises(UnknownToTool):
        variables(dashboard(lists=(variable,)), SPAN, picks, Asked({"metric": {"target": "www"}}))


def test_queries_are_asked_as_the_panel_says() -> None:
    ask = Asked({"metric": {}, "value": [1360, "1"]})
    now = {"refId": "A", "expr": 'up{job=~"$job"}', "instant": True, "range": False}
    over_time = {"refId": "B", "expr": "rate(x[$__rate_interval])", "instant": False, "range": True}

    drawn = answered(dashboard(panel(now, over_time)), Span(start=1002.0, end=1361.0, scrape=5), {}, ask)

    assert ask.questions == [
        ("query", {"query": 'up{job=~".+"}', "time": "1361.0"}),
        ("query_range", {"query": "rate(x[20s])", "start": "1000.0", "end": "1360.0", "step": "5"}),
    ]
    assert [target["answer"] for target in drawn["panels"][0]["targets"]] == [ask.samples, ask.samples]
    assert drawn["panels"][0]["title"] == "Of .+"
    assert (drawn["from"], drawn["to"]) == (1_002_000, 1_361_000)


def test_a_graph_with_fewer_points_is_asked_for_fewer() -> None:
    ask, day = Asked({"metric": {}, "value": [1360, "1"]}), Span(start=0, end=86_400, scrape=15)
    over_time = {"refId": "A", "expr": "up", "instant": False, "range": True}

    for points in ({}, {"maxDataPoints": 100}, {"maxDataPoints": 5000}):
        answered(dashboard(panel(over_time, **points)), day, {}, ask)

    assert [parameters["step"] for _, parameters in ask.questions] == ["123", "864", "123"]


@pytest.mark.parametrize(
    "odd",
    [
        panel({"refId": "A", "expr": "up", "instant": True, "range": True}),
        panel({"refId": "A", "expr": "up"}),
        panel(repeat="job"),
        {"type": "row", "title": "Folded", "collapsed": True},
    ],
)
def test_a_panel_that_cannot_be_drawn_as_it_is_meant_is_an_error(odd: Json) -> None:
    with pytest.raises(UnknownToTool):
        answered(dashboard(odd), SPAN, {}, Asked())


def test_above_the_panels_stands_what_is_chosen() -> None:
    hidden = {"type": "datasource", "name": "hidden", "hide": 2}

    drawn = answered(dashboard(lists=(DATASOURCE, MANY, ADHOC, hidden)), SPAN, {}, Asked())

    assert drawn["variables"] == [
        {"label": "Data source", "value": "prometheus", "adhoc": False},
        {"label": "job", "value": "All", "adhoc": False},
        {"label": "Labels", "value": "", "adhoc": True},
    ]


def test_a_day_ago_there_were_targets_and_who_watched_them() -> None:
    page = (
        "# TYPE tls_posture_compliant gauge\n"
        'tls_posture_compliant{target="a",policy="p"} 1\n'
        'tls_posture_exporter_build_info{version="1"} 1\n'
        'tls_posture_exporter_scans_total{outcome="success"} 7\n'
        "process_open_fds 9\n"
    )

    lines = a_day_ago(page, now=90_000.0, minutes=1).splitlines()

    scraped = 'job="tls-posture",instance="exporter.demo.example:19443"'
    assert lines == [
        f'tls_posture_compliant{{target="a",policy="p",{scraped}}} 1 3540',
        f'tls_posture_exporter_build_info{{version="1",{scraped}}} 1 3540',
        f'tls_posture_compliant{{target="a",policy="p",{scraped}}} 1 3600',
        f'tls_posture_exporter_build_info{{version="1",{scraped}}} 1 3600',
        "# EOF",
    ]


def test_the_page_is_as_high_as_its_panels() -> None:
    panels = [{"gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}}, {"gridPos": {"x": 0, "y": 1, "w": 12, "h": 8}}]

    assert browser.height({"panels": panels}) == browser.HEADER + 9 * 38


def test_python_and_javascript_agree_on_the_grid() -> None:
    source = (ROOT / "tools" / "pictures" / "src" / "main.jsx").read_text()
    found = re.findall(r"^const (HEADER|CELL|GAP) = (\d+);", source, re.MULTILINE)
    constants = {name: int(value) for name, value in found}

    assert constants == {"HEADER": browser.HEADER, "CELL": browser.CELL, "GAP": browser.GAP}


def test_nginx_serves_every_site() -> None:
    sites = [Site("a.example", 1, "A;", [Path("/a.pem")]), Site("b.example", 2, "B;", [Path("/b.pem")], "127.0.0.2")]

    config = nginx_config(Path("/x"), sites)

    assert re.findall(r"listen (\S+) ssl; server_name (\S+); ssl_certificate (\S+);", config) == [
        ("127.0.0.1:1", "a.example", "/a.pem"),
        ("127.0.0.2:2", "b.example", "/b.pem"),
    ]


def test_names_above_hosts_with_caa_exist() -> None:
    assert caa_answers(["a.demo.example"]) == {
        "example": [],
        "demo.example": [],
        "a.demo.example": ['0 issue "ca.demo.example"'],
    }


def test_packages_are_pinned_and_name_no_registry() -> None:
    folder = ROOT / "tools" / "pictures"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]

    assert lock[""]["dependencies"] == wanted
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    fetched = [package for name, package in lock.items() if name]
    assert all(package["integrity"].startswith("sha512-") for package in fetched)
    assert not [package for package in fetched if "resolved" in package]


def test_there_is_a_picture_of_every_dashboard_and_none_is_large() -> None:
    pictures = {file.stem: file.stat().st_size for file in (ROOT / "docs" / "pictures").glob("*.png")}

    assert pictures.keys() == {file.stem for file in (ROOT / "grafana").glob("*.json")}
    assert max(pictures.values()) < 300_000
