"""The example for Alertmanager is valid, routes as described, and mutes by labels that the alerts have."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import find_program, free_port, running

FOLDER = Path(__file__).parent.parent / "prometheus"
FILE = FOLDER / "alertmanager.example.yml"
CONFIG: dict[str, Any] = yaml.load(FILE.read_text(encoding="utf-8"), yaml.CSafeLoader)
GROUPS = yaml.load((FOLDER / "tls-posture.rules.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["groups"]
ALERTS = {rule["alert"] for group in GROUPS for rule in group["rules"] if "alert" in rule}

ROUTES = {
    "alertname=TLSPostureNonCompliant target=shop team=web severity=warning": "team-web",
    "alertname=TLSPostureNonCompliant target=shop team=web severity=critical": "security,team-web",
    "alertname=TLSPostureVulnerable target=imap team=mail severity=critical": "security,team-mail",
    "alertname=TLSPostureTargetUnreachable target=imap team=mail severity=warning": "team-mail",
    "alertname=TLSPostureCAAMissing target=shop team=web severity=info": "digest",
    "alertname=TLSPostureCAAMissing target=shop severity=info": "digest",
    "alertname=TLSPostureWeakProtocol target=shop severity=warning": "security",
    "alertname=TLSPostureWeakProtocol target=shop severity=critical": "security",
    "alertname=TLSPostureWeakProtocol target=shop team=unheard-of severity=warning": "security",
    "alertname=TLSPostureExporterDown job=tls instance=a:19443 severity=critical": "monitoring",
    "alertname=TLSPostureExporterDown job=tls severity=critical": "monitoring",
    "alertname=TLSPostureConfigReloadFailed job=tls instance=a:19443 severity=warning": "monitoring",
    "alertname=TLSPostureDataFilesOld job=tls instance=a:19443 severity=info": "monitoring",
}
"""Labels of an alert -> its receivers."""


def amtool(*arguments: str) -> tuple[bool, str]:
    """Whether amtool is content, and what it says."""
    done = subprocess.run(
        [find_program("amtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
def test_amtool_finds_nothing_wrong() -> None:
    good, said = amtool("check-config", FILE.name)
    assert good, said


@pytest.mark.real
def test_alertmanager_starts_with_it_without_a_warning(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "alertmanager.log"
    command = [find_program("prometheus-alertmanager"), f"--config.file={FILE}", f"--storage.path={tmp_path}/alerts"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.format=json"]
    with running(command, log, port=port):
        pass  # it loads the configuration before it listens
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert "Completed loading of configuration file" in {line.get("msg") for line in lines}
    assert [line for line in lines if line["level"].lower() != "info"] == []


@pytest.mark.real
@pytest.mark.parametrize("labels", ROUTES)
def test_alerts_go_where_they_should(labels: str) -> None:
    where = [f"--config.file={FILE.name}", f"--verify.receivers={ROUTES[labels]}"]
    good, said = amtool("config", "routes", "test", *where, *labels.split())
    assert good, said


@pytest.mark.real
def test_a_message_leads_to_the_page_where_there_is_one(tmp_path: Path) -> None:
    (chat,) = (one["slack_configs"][0] for one in CONFIG["receivers"] if "slack_configs" in one)
    notes = {"summary": "It fails.", "runbook_url": "https://r/x.md"}
    page = "https://tls.example.com/targets/a%20b#check-hsts"
    alerts = [{"status": "firing", "annotations": {**notes, "page": url}} for url in (page, "")]
    data = {"status": "firing", "commonLabels": {"target": "a b"}, "alerts": alerts}
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "none.tmpl").write_text("", encoding="utf-8")
    where = [f"--template.glob={tmp_path}/*.tmpl", f"--template.data={tmp_path}/data.json"]
    good, said = amtool("template", "render", *where, f"--template.text={chat['text']}")
    assert good, said
    expected = f"<{page}|page> It fails. <https://r/x.md|runbook>  It fails. <https://r/x.md|runbook>"
    assert said.strip() == expected


def test_every_receiver_gets_something() -> None:
    named = {name for receivers in ROUTES.values() for name in receivers.split(",")}

    assert {receiver["name"] for receiver in CONFIG["receivers"]} == named


def test_what_mutes_names_alerts_that_there_are() -> None:
    matchers = [one for rule in CONFIG["inhibit_rules"] for one in (*rule["source_matchers"], *rule["target_matchers"])]
    named = {name for matcher in matchers for name in re.findall(r"TLSPosture\w+", matcher)}

    assert named <= ALERTS | {"TLSPosture"}  # the beginning that all share


def test_alerts_are_grouped_by_target() -> None:
    assert CONFIG["route"]["group_by"] == ["target"]


def test_nothing_mutes_across_targets_or_exporters() -> None:
    down = "alertname = TLSPostureExporterDown"
    for rule in CONFIG["inhibit_rules"]:
        if down not in rule["source_matchers"]:
            assert {"job", "instance", "target", "address"} <= set(rule["equal"])
