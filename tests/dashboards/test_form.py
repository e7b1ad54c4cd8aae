"""The dashboards match the output of the generator, are valid for Grafana, and explain themselves."""

import re
from typing import Any

import pytest

from tests.support.dashboards import DASHBOARDS, FOLDER, Dashboard, Panel, columns, each_dashboard, panels, substituted
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
            assert named <= read(substituted(target["expr"])).grouped, panel["title"]


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
            if "custom.cellOptions" in properties:
                null = [m for m in properties["mappings"] if m["options"].get("match") == "null"]
                assert [m["options"]["result"]["color"] for m in null] == ["yellow"], panel["title"]


# --- Links -----------------------------------------------------------------------------------------------------------


@each_dashboard
def test_links_to_the_other_dashboards_keep_time_and_variables(dashboard: Dashboard) -> None:
    others = {f"/d/{uid}" for uid in BY_UID if uid != dashboard["uid"]}

    assert {link["url"] for link in dashboard["links"]} == others
    assert all(link["includeVars"] and link["keepTime"] for link in dashboard["links"])


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


@each_dashboard
def test_links_of_cells_keep_time_and_source_and_choose_what_the_row_is_about(dashboard: Dashboard) -> None:
    for panel, _, url in data_links(dashboard):
        found = re.fullmatch(r"/d/([\w-]+)\?\$\{__url_time_range}&\$\{datasource:queryparam}&(.+)", url)
        assert found, url
        variables = {variable["name"] for variable in BY_UID[found[1]]["templating"]["list"]}
        chosen = dict(part.split("=", 1) for part in found[2].split("&"))
        fields = {re.fullmatch(r"\$\{__data\.fields\.(\w+):percentencode}", value)[1] for value in chosen.values()}  # type: ignore[index]
        assert {name.removeprefix("var-") for name in chosen} <= variables
        assert fields <= set(columns(panel).values()), panel["title"]


def test_rows_about_targets_lead_to_the_target() -> None:
    linked = {panel["title"] for panel, column, url in data_links(DASHBOARDS["fleet.json"]) if "-target?" in url}
    about_targets = {
        panel["title"]
        for panel in panels(DASHBOARDS["fleet.json"])
        if panel["type"] == "table" and "Target" in columns(panel).values()
    }

    assert linked == about_targets
    assert "Targets, worst first" in linked


# --- Variables -------------------------------------------------------------------------------------------------------


def test_variables() -> None:
    names = {
        file: [(variable["type"], variable["name"]) for variable in dashboard["templating"]["list"]]
        for file, dashboard in DASHBOARDS.items()
    }
    everywhere = [("datasource", "datasource"), ("query", "job"), ("query", "instance")]

    assert names == {
        "fleet.json": [*everywhere, ("adhoc", "labels")],
        "target.json": [*everywhere, ("query", "target"), ("query", "address"), ("adhoc", "labels")],
        "exporter.json": everywhere,  # exporters have no labels of targets
    }


@pytest.mark.parametrize("file", ["fleet.json", "target.json"])
def test_labels_of_operators_filter_the_chosen_data_source(file: str) -> None:
    (labels,) = (one for one in DASHBOARDS[file]["templating"]["list"] if one["type"] == "adhoc")

    assert labels["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
