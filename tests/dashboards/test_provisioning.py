"""The provisioning files have the form that Grafana documents, and the dashboards can be provisioned.

Source: Grafana's documentation, "Provision Grafana"; Grafana ignores keys that it does not know without a message.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dashboards import DASHBOARDS, FOLDER, Dashboard, each_dashboard

PROVIDER_KEYS = {
    *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates"),
    "options",
}
SOURCE_KEYS = {
    *("name", "type", "access", "orgId", "uid", "url", "user", "database", "basicAuth", "basicAuthUser"),
    *("withCredentials", "isDefault", "jsonData", "secureJsonData", "version", "editable"),
}
FILES = sorted((FOLDER / "provisioning").rglob("*.yaml"))


def read(name: str) -> Any:  # noqa: ANN401 - YAML
    """A provisioning file as plain data."""
    return yaml.safe_load((FOLDER / "provisioning" / name).read_text(encoding="utf-8"))


def test_there_is_one_file_of_each_kind() -> None:
    assert [str(file.relative_to(FOLDER / "provisioning")) for file in FILES] == [
        "dashboards/tls-posture.yaml",
        "datasources/prometheus.yaml",
    ]


def test_the_dashboards_are_found_in_a_folder() -> None:
    file = read("dashboards/tls-posture.yaml")
    (provider,) = file["providers"]

    assert file.keys() == {"apiVersion", "providers"}
    assert file["apiVersion"] == 1
    assert provider.keys() <= PROVIDER_KEYS
    assert provider["type"] == "file"
    assert provider["options"].keys() <= {"path", "foldersFromFilesStructure"}
    assert Path(provider["options"]["path"]).is_absolute()
    assert provider["allowUiUpdates"] is False


def test_the_readme_puts_the_dashboards_where_they_are_looked_for() -> None:
    (provider,) = read("dashboards/tls-posture.yaml")["providers"]
    readme = (FOLDER.parent / "docs" / "prometheus.md").read_text(encoding="utf-8")

    assert f"./grafana:{provider['options']['path']}:ro" in readme
    mounted = re.findall(r"-v \./grafana/(\S+):/etc/grafana/(\S+):ro", readme)
    assert mounted == [(f"provisioning/{kind}",) * 2 for kind in ("dashboards", "datasources")]


def test_the_data_source_is_the_default_one_of_the_kind_that_the_dashboards_use() -> None:
    file = read("datasources/prometheus.yaml")
    (source,) = file["datasources"]

    assert file.keys() == {"apiVersion", "datasources"}
    assert file["apiVersion"] == 1
    assert source.keys() <= SOURCE_KEYS
    assert source["isDefault"] is True
    for dashboard in DASHBOARDS.values():
        (variable,) = (one for one in dashboard["templating"]["list"] if one["type"] == "datasource")
        assert (variable["query"], variable["current"]) == (source["type"], {})


@each_dashboard
def test_a_dashboard_needs_no_answers_of_an_import(dashboard: Dashboard) -> None:
    """What the dialogue of an import replaces stays in a provisioned dashboard."""
    assert not {"__inputs", "__requires", "__elements"} & dashboard.keys()
    assert "${DS_" not in json.dumps(dashboard)


@each_dashboard
def test_a_uid_is_one_that_grafana_accepts(dashboard: Dashboard) -> None:
    assert re.fullmatch(r"[\w-]{1,40}", dashboard["uid"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_other_file_is_taken_for_a_dashboard(file: Path) -> None:
    assert not list(file.parent.glob("*.json"))
