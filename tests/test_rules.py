"""The alerts are sound for Prometheus, ask only for what the exporter shows, and are shown to fire and to be silent.

The rules' own tests are promtool's, in `prometheus/tests`. Here it is seen that they hold, that no alert is left out,
and that they fail when a rule is broken.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml

from exporter.checks.registry import CHECKS
from exporter.derived.verdicts import Attack
from exporter.metrics import FAMILIES, OwnMetrics
from exporter.metrics.own import OWN_FAMILIES
from exporter.metrics.zone_worker import FAMILIES as WORKER_FAMILIES
from tests.support.processes import find_program, wait_for
from tests.support.prometheus import Prometheus, read
from tests.test_metrics import CONTRACT, OWN_CONTRACT

FOLDER = Path(__file__).parent.parent / "prometheus"
FILE = FOLDER / "tls-posture.rules.yaml"
TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
GROUPS: list[dict[str, Any]] = yaml.load(FILE.read_text(encoding="utf-8"), yaml.CSafeLoader)["groups"]

SCRAPE_LABELS = {"job", "instance", "namespace"}
"""Those of Prometheus; `namespace` on Kubernetes only."""
HANDBOOK = "https://handbook.example.com/tls-posture/"
HOLD = "[1h]"
GO = {"GOGC": "1600", "GOMEMLIMIT": "512MiB"}
"""Go searches for garbage less often than by default, up to this memory: a third of promtool's CPU."""


class Alert(NamedTuple):
    """An alert as a rule; two of one name differ by severity."""

    name: str
    severity: str
    rule: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}-{self.severity}"


def _severity(rule: Mapping[str, Any]) -> str:
    """`by-policy` where it is a label of the series."""
    severity: str = rule["labels"]["severity"]
    return "by-policy" if severity == "{{ $labels.severity }}" else severity


def name_of(rule: Mapping[str, Any]) -> str:
    """Of an alert or of what is recorded."""
    return str(rule.get("alert") or rule["record"])


RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [Alert(rule["alert"], _severity(rule), rule) for rule in RULES if "alert" in rule]
RECORDS = [rule for rule in RULES if "record" in rule]
THRESHOLDS: list[dict[str, Any]] = GROUPS[0]["rules"]
(EXPORTER_RULES,) = (group["rules"] for group in GROUPS if group["name"] == "tls-posture-exporter")
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=str)
each_rule = pytest.mark.parametrize("rule", RULES, ids=name_of)


def promtool(*arguments: str, folder: Path = FOLDER) -> tuple[bool, str]:
    """Whether promtool is content, and what it says."""
    done = subprocess.run(
        [find_program("promtool"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | GO,
    )
    return done.returncode == 0, done.stdout + done.stderr


# --- Prometheus' own tools -------------------------------------------------------------------------------------------


@pytest.mark.real
def test_promtool_finds_nothing_wrong() -> None:
    good, said = promtool("check", "rules", "--lint=all", "--lint-fatal", FILE.name)
    assert good, said


@pytest.mark.real
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_and_are_silent_as_they_should(file: Path) -> None:
    good, said = promtool("test", "rules", f"tests/{file.name}")
    assert good, said


class Case(NamedTuple):
    """What is expected of one alert at one moment."""

    file: Path
    alert: str
    severities: set[str]


def cases() -> Iterator[Case]:
    """Every expectation of the rules' own tests."""
    for file in TESTS:
        for test in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["tests"]:
            for case in test.get("alert_rule_test", ()):
                expected = case.get("exp_alerts", ())
                yield Case(file, case["alertname"], {one["exp_labels"]["severity"] for one in expected})


CASES = list(cases())


def fires(case: Case, alert: Alert) -> bool:
    return bool(case.severities) if alert.severity == "by-policy" else alert.severity in case.severities


@each_alert
def test_every_alert_is_seen_to_fire_and_to_be_silent(alert: Alert) -> None:
    assert {fires(case, alert) for case in CASES if case.alert == alert.name} == {True, False}


# --- The tests fail when a rule is broken ----------------------------------------------------------------------------


def noticed(folder: Path, names: set[str], rule: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Whether the tests of the alerts of these names fail once this rule is changed; what is changed to None goes.

    Only those tests are run, and with no other rules.
    """
    changed = {key: value for key, value in {**rule, **change}.items() if value is not None}
    needed = _needed(names)
    groups = [
        {**group, "rules": [changed if one is rule else one for one in group["rules"] if name_of(one) in needed]}
        for group in GROUPS
    ]
    (folder / "tests").mkdir()
    (folder / FILE.name).write_text(yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper), encoding="utf-8")
    files = sorted({case.file for case in CASES if case.alert in names})
    for file in files:
        content = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        content["tests"] = [
            {**test, "alert_rule_test": [case for case in test["alert_rule_test"] if case["alertname"] in names]}
            for test in content["tests"]
        ]
        content["tests"] = [test for test in content["tests"] if test["alert_rule_test"]]
        (folder / "tests" / file.name).write_text(yaml.dump(content, Dumper=yaml.CSafeDumper), encoding="utf-8")
    good, said = promtool("test", "rules", *(f"tests/{file.name}" for file in files), folder=folder)
    assert good or "got:[" in said, said  # not for want of valid rules
    return not good


def _needed(names: set[str]) -> set[str]:
    """These alerts, and what is recorded for them: less to evaluate."""
    asked = " ".join(alert.rule["expr"] for alert in ALERTS if alert.name in names)
    needed = set(names)
    for rule in reversed(RECORDS):  # a record uses those before it
        if rule["record"] in asked:
            needed.add(rule["record"])
            asked += rule["expr"]
    return needed


def names_of(rule: Mapping[str, Any]) -> set[str]:
    """The alert, or one that needs what is recorded."""
    if "alert" in rule:
        return {rule["alert"]}
    return {
        "tls_posture:certificate_left": {"TLSPostureCertificateExpiring"},
        "tls_posture:check_failed": {"TLSPostureNonCompliant"},
    }[rule["record"].rpartition(":")[0]]


def unheld(expr: str) -> str:
    """The expression as it would be if facts did not count longer than they are shown."""
    return re.sub(r"last_over_time\(\s*([^()]+)\[1h\]\s*\)", r"\1", expr)


@pytest.mark.real
@each_alert
def test_an_alert_that_fires_at_once_is_noticed(alert: Alert, tmp_path: Path) -> None:
    assert noticed(tmp_path, {alert.name}, alert.rule, {"for": None})


@pytest.mark.real
@pytest.mark.parametrize("rule", [rule for rule in RULES if HOLD in rule["expr"]], ids=name_of)
def test_an_alert_that_ends_with_a_restart_is_noticed(rule: Mapping[str, Any], tmp_path: Path) -> None:
    changed = unheld(rule["expr"])
    assert HOLD not in changed

    assert noticed(tmp_path, names_of(rule), rule, {"expr": changed})


ONLY_ACCEPTED, ACCEPTED = "tls_posture:check_failed:only_accepted", "tls_posture:check_failed:accepted"
OF_A_CHECK = [alert for alert in ALERTS if "check" in alert.rule["labels"] or ONLY_ACCEPTED in alert.rule["expr"]]
"""Alerts about what a check asks about."""


@pytest.mark.real
@pytest.mark.parametrize("alert", OF_A_CHECK, ids=str)
@pytest.mark.parametrize("instead", ["nothing", "anything"])
def test_an_alert_that_does_not_heed_exceptions_or_heeds_them_too_much_is_noticed(
    alert: Alert, instead: str, tmp_path: Path
) -> None:
    """It fires although all failures of its check are accepted, or is silent because one of them is."""
    expr = alert.rule["expr"]
    record = ACCEPTED if alert.name == "TLSPostureWeakCipherSuite" else ONLY_ACCEPTED
    changed = expr.replace(record, "no_such_metric" if instead == "nothing" else ACCEPTED)
    if record == ACCEPTED and instead == "anything":
        changed = expr.replace("tls_posture:check_failed:not_accepted", "no_such_metric")
    assert changed != expr

    assert noticed(tmp_path, {alert.name}, alert.rule, {"expr": changed})


@pytest.mark.real
@pytest.mark.parametrize(
    ("record", "part"),
    [
        (ACCEPTED, " > time()"),
        (ACCEPTED, " unless (tls_posture_check_passed unless tls_posture_check_accepted)"),
        ("tls_posture:check_failed:not_accepted", f" unless {ACCEPTED}"),
    ],
)
def test_an_exception_that_ends_too_late_or_does_not_count_is_noticed(record: str, part: str, tmp_path: Path) -> None:
    (rule,) = (rule for rule in RECORDS if rule["record"] == record)
    changed = rule["expr"].replace(part, "")
    assert changed != rule["expr"]

    assert noticed(tmp_path, {"TLSPostureNonCompliant"}, rule, {"expr": changed})


@pytest.mark.real
@pytest.mark.parametrize("rule", THRESHOLDS, ids=name_of)
def test_another_threshold_is_noticed(rule: Mapping[str, Any], tmp_path: Path) -> None:
    names = {alert.name for alert in ALERTS if rule["record"] in alert.rule["expr"]}
    assert names

    assert noticed(tmp_path, names, rule, {"expr": f"1.25 * {rule['expr']}"})


# --- Style -----------------------------------------------------------------------------------------------------------


@each_alert
def test_alerts_are_labelled_and_described(alert: Alert) -> None:
    labels, notes = alert.rule["labels"], alert.rule["annotations"]
    known = {check.name for check in CHECKS}

    assert re.fullmatch(r"TLSPosture[A-Z]\w+", alert.name)
    assert alert.severity in {"critical", "warning", "info", "by-policy"}
    assert labels.keys() <= {"severity", "check"}
    assert labels.get("check", "protocols") in known
    assert notes.keys() - {"page"} == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"[A-Z][^{}]+\.", notes["summary"])
    assert "{{ $labels." in notes["description"]
    assert notes["description"].endswith(".")
    assert "\n" not in notes["description"]
    assert notes["runbook_url"] == f"{HANDBOOK}runbooks/{alert.name}.html"


def test_only_alerts_about_the_exporter_name_no_target() -> None:
    without = {alert.name for alert in ALERTS if "$labels.target" not in alert.rule["annotations"]["description"]}

    assert without == {rule["alert"] for rule in EXPORTER_RULES}


def test_all_facts_are_held_for_the_same_time() -> None:
    windows = {window for rule in RULES for window in re.findall(r"last_over_time\(.+?(\[\d+[smhd]\])", rule["expr"])}

    assert windows == {HOLD, "[7d]", "[1d]"}  # the longer ones are of the exporter itself: see TLSPostureExporterDown


def test_every_attack_has_one_severity() -> None:
    named = [re.findall(r'vulnerability(!~|=~)"([a-z_0-9|]+)"', alert.rule["expr"]) for alert in ALERTS]
    (not_critical,), (warning,) = [matchers for matchers in named if matchers]

    assert not_critical == ("!~", f"crime|{warning[1]}")
    assert set(not_critical[1].split("|")) < {attack.value for attack in Attack}


@each_rule
def test_labels_of_the_target_travel(rule: Mapping[str, Any]) -> None:
    """Nothing about a target is aggregated by a list of labels, which would drop the operator's own."""
    if rule in EXPORTER_RULES:
        return
    by: list[str] = []

    def visit(node: Any) -> None:  # noqa: ANN401 - a node of any class of promql_parser
        if type(node).__name__ == "AggregateExpr" and not str(node.modifier.type).endswith("Without"):
            by.append(rule["expr"])

    promql_parser.walk(promql_parser.parse(rule["expr"]), visit)
    assert not by


# --- What the exporter shows -----------------------------------------------------------------------------------------


def queries_in(text: str) -> list[str]:
    """The expressions that a template asks, their blanks filled in."""
    return [query.replace("%q", '""') for query in re.findall(r'printf\s+"(tls_posture_\w+\{[^}]*\})"', text)]


def expressions(rule: Mapping[str, Any]) -> list[str]:
    notes = rule.get("annotations", {})
    return [rule["expr"], *queries_in(notes.get("description", "")), *queries_in(notes.get("page", ""))]


def test_metrics_exist() -> None:
    own = {sample.name for family in OwnMetrics().registry.collect() for sample in family.samples}
    own |= {family.name for family in OWN_FAMILIES}  # also those that are absent at first
    recorded = {rule["record"] for rule in RECORDS}
    known = {family.name for family in FAMILIES} | own | recorded | WORKER_FAMILIES.keys() | {"up"}

    used = {selector.name for rule in RULES for expr in expressions(rule) for selector in read(expr).selectors}

    assert used <= known


@each_rule
def test_labels_exist(rule: Mapping[str, Any]) -> None:
    own = {f"{name}{end}": labels for name, labels in OWN_CONTRACT.items() for end in ("", "_total", "_sum", "_count")}
    worker: dict[str, set[str]] = {name: set() for name in WORKER_FAMILIES}
    known = {"up": set(), **worker, **own, **{name: {"target", "address"} | own for name, own in CONTRACT.items()}}
    certificate = known["tls_posture_certificate_not_after_timestamp_seconds"]
    known |= {one["record"]: {"severity"} if one in THRESHOLDS else certificate for one in RECORDS}
    failed = known["tls_posture_check_passed"]
    known |= {one["record"]: failed for one in RECORDS if "check_failed" in one["record"]}

    here = SCRAPE_LABELS | rule.get("labels", {}).keys()
    for expr in expressions(rule):
        selectors, grouped = read(expr)
        for selector in selectors:
            names = known[selector.name] | SCRAPE_LABELS
            here |= names
            assert {matcher.name for matcher in selector.matchers.matchers} <= names, expr
        assert grouped <= here, expr
    description = rule.get("annotations", {}).get("description", "")
    assert set(re.findall(r"\$labels\.(\w+)", description)) <= here
    assert set(re.findall(r"\.Labels\.(\w+)", description)) <= here


# --- Against a real Prometheus ---------------------------------------------------------------------------------------

NO_ZONES = "it has no workers of zones"
NO_SOURCES = "its targets are in its configuration"
EMPTY_IN_THE_DEMO: Mapping[str, str] = {
    "tls_posture_probe_failure": "no probe of the demonstration fails",
    "tls_posture_certificate_verification_failure": "its certificates are good",
    "tls_posture_caa_issuer_authorized": "the CAA domain of its CA is not known",
    "tls_posture_exporter_web_config_last_reload_successful": "it has no web configuration",
    "tls_posture_exporter_discovery_successful": NO_SOURCES,
    "tls_posture_exporter_discovered_targets": NO_SOURCES,
    "tls_posture_exporter_broker_connected": NO_ZONES,
    "tls_posture_worker_build_info": NO_ZONES,
    "tls_posture_worker_broker_connected": NO_ZONES,
    "tls_posture_exporter_shard_info": "it has no shards",
}
"""Metric -> why there are no samples of it."""

CHECKS_NOT_IN_THE_DEMO = {"caa_issuer", "certificate_expiry"}
"""Checks that its policy does not ask for."""

ACCEPTED_IN_THE_DEMO = {"caa"}


def selected(selector: Any) -> str:  # noqa: ANN401 - a node of promql_parser
    """The selector without its range, and without what a template fills in."""
    operators = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    kept = [matcher for matcher in selector.matchers.matchers if matcher.value]
    texts = [f"{one.name}{operators[str(one.op).split('.')[-1]]}{json.dumps(one.value)}" for one in kept]
    return f"{selector.name}{{{','.join(texts)}}}"


@pytest.mark.real
@each_rule
def test_all_that_a_rule_asks_for_is_there(rule: Mapping[str, Any], prometheus: Prometheus) -> None:
    for record in RECORDS:
        prometheus.wait_for(record["record"])
    for expr in expressions(rule):
        for selector in read(expr).selectors:
            checks = {matcher.value for matcher in selector.matchers.matchers if matcher.name == "check"}
            empty = selector.name in EMPTY_IN_THE_DEMO or bool(checks & CHECKS_NOT_IN_THE_DEMO)
            empty |= selector.name in {ACCEPTED, ONLY_ACCEPTED} and not checks <= ACCEPTED_IN_THE_DEMO
            assert bool(prometheus.ask(selected(selector))) is not empty, selected(selector)


@pytest.mark.real
def test_prometheus_evaluates_every_rule_without_error(prometheus: Prometheus) -> None:
    def evaluated() -> list[tuple[str, str]]:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return [(rule["name"], rule["health"]) for rule in rules if rule["health"] != "unknown"]

    wait_for("every rule", 120, lambda: len(evaluated()) == len(RULES))
    assert sorted(evaluated()) == sorted((name_of(rule), "ok") for rule in RULES)


@pytest.mark.real
def test_what_fires_in_the_demonstration(prometheus: Prometheus) -> None:
    """What is wrong on purpose, and no more: that one target has no CAA records is accepted."""

    def firing() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for sample in prometheus.ask('ALERTS{alertstate="firing"}'):
            found.setdefault(sample["metric"]["target"], set()).add(sample["metric"]["alertname"])
        return found

    dated = {"TLSPostureNonCompliant", "TLSPostureWeakProtocol", "TLSPostureWeakCipherSuite", "TLSPostureVulnerable"}
    dated |= {"TLSPostureGradeBelowA"}
    expected = {
        "old-appliance": {*dated, "TLSPostureHSTSMissing", "TLSPostureSoftwareEnded"},
        "mail": dated,
        "balanced-pair": {*dated, "TLSPostureAddressesDisagree"},
        "database": {"TLSPostureCertificateExpiring"},
    }
    wait_for("alerts", 30, lambda: firing() == expected)
