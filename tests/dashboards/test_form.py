"""The dashboards match the output of the generator, are valid for Grafana, and explain themselves."""

import re
from typing import Any

import pytest

from tests.support.dashboards import (
    DASHBOARDS,
    FOLDER,
    Dashboard,
    Panel,
    columns,
    each_dashboard,
    made,
    panels,
    substituted,
)
from tests.support.prometheus import read
from tools.dashboards.files import rendered
from tools.dashboards.grades import GRADES

VALUES = {"{{grade}}": {letter for letter, _ in GRADES.values()}, "{{outcome}}": {"success", "failure"}}
"""Values that a label in a legend can have."""
BY_UID = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS.values()}


def test_files_are_as_generated() -> None:
    assert rendered() == {name: (FOLDER / name).read_text(encoding="utf-8") for name in DASHBOARDS}


def test_uids_stay_as_bookmarks_hold_them() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == {
        "fleet.json": "tls-posture-fleet",
        "target.json": "tls-posture-target",
        "audit.json": "tls-posture-audit",
        "exporter.json": "tls-posture-exporter",
    }


@each_dashboard
def test_can_be_imported(dashboard: Dashboard) -> None:
    numbers = [panel["id"] for panel in dashboard["panels"]]

    assert dashboard["schemaVersion"] == 39
    assert dashboard["tags"]
    assert "id" not in dashboard  # the number of a dashboard is the server's
    assert len(set(numbers)) == len(numbers)
    assert len(panels(dashboard)) <= 25


@each_dashboard
def test_only_kinds_of_panels_that_every_grafana_has(dashboard: Dashboard) -> None:
    assert {panel["type"] for panel in panels(dashboard)} <= {"stat", "bargauge", "table", "timeseries"}


@each_dashboard
def test_titles_tell_panels_apart(dashboard: Dashboard) -> None:
    titles = [panel["title"] for panel in panels(dashboard)]

    assert len(set(titles)) == len(titles)


@each_dashboard
def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        across = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in across for y in range(place["y"], place["y"] + place["h"])}
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
def test_overrides_meet_a_field(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        names = {target["legendFormat"] for target in panel["targets"]}
        names |= {value for legend in names for value in VALUES.get(legend, ())}
        if panel["type"] == "table":
            names |= set(columns(panel).values())
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in names, panel["title"]


@each_dashboard
def test_legends_name_labels_that_are_left(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= read(substituted(target["expr"])).grouped | made(target["expr"]), panel["title"]


# --- What is unknown -------------------------------------------------------------------------------------------------


def colours_of(text: str, mappings: list[dict[str, Any]]) -> set[str]:
    """The colours that value mappings give this word."""
    results = [mapping["options"].get("result", {}) for mapping in mappings]
    results += [result for mapping in mappings if mapping["type"] == "value" for result in mapping["options"].values()]
    return {result["color"] for result in results if result.get("text") == text}


def mappings_of(panel: Panel) -> list[dict[str, Any]]:
    """All value mappings of a panel."""
    found: list[dict[str, Any]] = list(panel["fieldConfig"]["defaults"]["mappings"])
    for override in panel["fieldConfig"]["overrides"]:
        found += [m for one in override["properties"] if one["id"] == "mappings" for m in one["value"]]
    return found


@each_dashboard
def test_unknown_is_yellow_everywhere(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        assert colours_of("unknown", mappings_of(panel)) <= {"yellow"}, panel["title"]


@each_dashboard
def test_a_cell_without_a_value_never_takes_the_colour_of_a_good_one(dashboard: Dashboard) -> None:
    """Grafana gives it that of the lowest step otherwise, which is green where less is better."""
    for panel in panels(dashboard):
        for override in panel["fieldConfig"]["overrides"]:
            properties = {one["id"]: one["value"] for one in override["properties"]}
            if properties.get("custom.cellOptions", {"type": "auto"})["type"] != "auto":
                null = [m for m in properties["mappings"] if m["options"].get("match") == "null"]
                (absent,) = (m["options"]["result"] for m in null)
                assert absent["color"] == ("text" if absent["text"] == "–" else "yellow"), panel["title"]


# --- Room ------------------------------------------------------------------------------------------------------------

SMALLEST_WINDOW = 1280
PAGE_PADDING, GAP, PANEL_PADDING, SCROLL_BAR = 32, 8, 18, 10
"""Pixels: of the page, between panels, inside of a panel with its border, of a table's scroll bar."""


def room(panel: Panel) -> float:
    """The width in pixels that a table has in the smallest window."""
    column = (SMALLEST_WINDOW - PAGE_PADDING - 23 * GAP) / 24
    width: int = panel["gridPos"]["w"]
    return width * column + (width - 1) * GAP - PANEL_PADDING - SCROLL_BAR


def needed(panel: Panel) -> float:
    """The width of all columns by Grafana's rule: those without a width share the rest, but have a minimum."""
    fixed, least = 0.0, list[float]()
    for override in panel["fieldConfig"]["overrides"]:
        properties = {one["id"]: one["value"] for one in override["properties"]}
        if "custom.hidden" not in properties:
            fixed += properties.get("custom.width", 0)
            least += [properties["custom.minWidth"]] if "custom.minWidth" in properties else []
            assert ("custom.width" in properties) != ("custom.minWidth" in properties), panel["title"]
    share = (room(panel) - fixed) / max(1, len(least))
    return fixed + sum(max(share, one) for one in least)


@each_dashboard
def test_tables_need_no_sideways_scrolling(dashboard: Dashboard) -> None:
    """Even if targets are scanned at several addresses by several exporters."""
    tables = [panel for panel in panels(dashboard) if panel["type"] == "table"]

    assert {panel["title"]: round(needed(panel) - room(panel)) for panel in tables if needed(panel) > room(panel)} == {}


@each_dashboard
def test_columns_that_links_need_and_nobody_reads_are_hidden(dashboard: Dashboard) -> None:
    """Grafana 10 and 11 go by one of the two settings, newer ones by the other."""
    for panel in panels(dashboard):
        if panel["type"] == "table" and "job" in columns(panel):
            hidden = {
                override["matcher"]["options"]
                for override in panel["fieldConfig"]["overrides"]
                if {"id": "custom.hidden", "value": True} in override["properties"]
                and any(one["id"] == "custom.hideFrom" and one["value"]["viz"] for one in override["properties"])
            }
            assert "job" in hidden, panel["title"]


SCREEN_ROWS = 25
"""Rows of Grafana's grid in a window of 1080 pixels: 38 pixels each, and 120 for the header with the variables."""
FIRST = {
    "fleet.json": "Compliance by policy",
    "target.json": "Grade and what caps it",
    "audit.json": "Targets by $group",
    "exporter.json": "Exporters",
}


@pytest.mark.parametrize(("file", "title"), FIRST.items(), ids=FIRST)
def test_the_first_screen_has_what_matters_most(file: str, title: str) -> None:
    places = {panel["title"]: panel["gridPos"] for panel in panels(DASHBOARDS[file])}

    assert places[title]["y"] + places[title]["h"] <= SCREEN_ROWS


@each_dashboard
def test_graphs_have_few_points(dashboard: Dashboard) -> None:
    """Each point costs as much as a query of the current state."""
    graphs = [panel for panel in panels(dashboard) if panel["type"] == "timeseries"]

    of_targets = {
        panel["maxDataPoints"]
        for panel in graphs
        if not all("exporter_" in expr or "process_" in expr for expr in (one["expr"] for one in panel["targets"]))
    }

    assert of_targets <= {60, 300} if "exporter" in dashboard["uid"] else of_targets == {60}
    assert all(panel["maxDataPoints"] <= 300 for panel in graphs)


# --- Links -----------------------------------------------------------------------------------------------------------

PAGES = {
    "fleet.json": ["/", "/changes", "/certificates"],
    "target.json": ["/targets/${target:percentencode}"],
    "audit.json": ["/policies/${policy:percentencode}", "/"],
    "exporter.json": ["/status"],
}


@each_dashboard
def test_links_to_the_other_dashboards_keep_time_and_variables(dashboard: Dashboard) -> None:
    others = {f"/d/{uid}" for uid in BY_UID if uid != dashboard["uid"]}
    links = [link for link in dashboard["links"] if link["url"].startswith("/")]

    assert {link["url"] for link in links} == others
    assert all(link["includeVars"] and link["keepTime"] for link in links)


@pytest.mark.parametrize(("file", "paths"), PAGES.items(), ids=PAGES)
def test_links_to_pages_of_the_exporter(file: str, paths: list[str]) -> None:
    links = [link for link in DASHBOARDS[file]["links"] if not link["url"].startswith("/d/")]

    assert [link["url"] for link in links] == ["${url:raw}" + path for path in paths]
    assert all(link["targetBlank"] and not link["includeVars"] and not link["keepTime"] for link in links)


def data_links(dashboard: Dashboard) -> list[tuple[Panel, str, str]]:
    """Panel, column and URL of every link of a cell."""
    return [
        (panel, override["matcher"]["options"], link["url"])
        for panel in panels(dashboard)
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]


FIELD = re.compile(r"\$\{__data\.fields\.(\w+):percentencode}")
OWN_PAGES = re.compile(
    r"\$\{url:raw}(/targets/V(#check-V)?|/policies/V|/\?policy=V&check=V&verdict=fail)".replace(
        "V", r"\$\{(?:__data\.fields\.\w+|target|policy):percentencode}"
    )
)


@each_dashboard
def test_links_of_cells_keep_time_and_source_and_choose_what_the_row_is_about(dashboard: Dashboard) -> None:
    for panel, _, url in data_links(dashboard):
        assert set(FIELD.findall(url)) <= set(columns(panel).values()), panel["title"]
        if OWN_PAGES.fullmatch(url):
            continue
        found = re.fullmatch(r"/d/([\w-]+)\?\$\{__url_time_range}&\$\{datasource:queryparam}&(.+)", url)
        assert found, url
        variables = {variable["name"] for variable in BY_UID[found[1]]["templating"]["list"]}
        chosen = dict(part.split("=", 1) for part in found[2].split("&"))
        assert all(FIELD.fullmatch(value) for value in chosen.values())
        assert {name.removeprefix("var-") for name in chosen} <= variables


@pytest.mark.parametrize("file", ["fleet.json", "audit.json"])
def test_rows_about_targets_lead_to_the_target(file: str) -> None:
    about_targets = {
        panel["title"]
        for panel in panels(DASHBOARDS[file])
        if panel["type"] == "table" and "Target" in columns(panel).values()
    }

    for part in ("/d/tls-posture-target?", "${url:raw}/targets/"):
        linked = {panel["title"] for panel, column, url in data_links(DASHBOARDS[file]) if part in url}
        assert linked == about_targets
    assert about_targets


# --- Variables -------------------------------------------------------------------------------------------------------


def test_variables() -> None:
    names = {
        file: [(variable["type"], variable["name"]) for variable in dashboard["templating"]["list"]]
        for file, dashboard in DASHBOARDS.items()
    }
    everywhere = [("datasource", "datasource"), ("query", "job"), ("query", "instance"), ("query", "url")]
    group, labels = ("textbox", "group"), ("adhoc", "labels")

    assert names == {
        "fleet.json": [*everywhere, group, labels],
        "target.json": [*everywhere, ("query", "target"), ("query", "address"), labels],
        "audit.json": [*everywhere, ("query", "policy"), ("query", "check"), group, labels],
        "exporter.json": everywhere,  # exporters have no labels of targets
    }


def test_targets_are_grouped_by_team_if_nothing_else_is_chosen() -> None:
    (group,) = (one for one in DASHBOARDS["fleet.json"]["templating"]["list"] if one["name"] == "group")

    assert group["query"] == group["current"]["value"] == "team"


@pytest.mark.parametrize("file", ["fleet.json", "target.json", "audit.json"])
def test_labels_of_operators_filter_the_chosen_data_source(file: str) -> None:
    (labels,) = (one for one in DASHBOARDS[file]["templating"]["list"] if one["type"] == "adhoc")

    assert labels["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
