"""Exact results of the queries about one policy: who is judged by it, and what is accepted."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.answers import AUDIT, NO_LABELS, NOW, compliant, info, of_exporter, passed, unknown, written_out
from tests.support.dashboards import HIDDEN, expression, substituted
from tests.support.promtool import Expected, evaluate

pytestmark = pytest.mark.real

ACCEPTED = 'check_accepted{target="a", policy="p", check="hsts", severity="warning"}'
UNTIL = 'check_accepted_until_timestamp_seconds{target="a", policy="p", check="hsts", severity="warning"}'
FINDING = '{target="a", policy="p", check="hsts", severity="warning"}'


def of_policy(title: str, heading: str = "", *, expected: Mapping[str, float]) -> Expected:
    """What the query about the policy p gives."""
    labels = {name if name == NO_LABELS else of_exporter(name): value for name, value in expected.items()}
    return Expected(substituted(expression(AUDIT, title, heading), policy="p"), NOW, labels)


def test_targets_of_a_policy_among_several(tmp_path: Path) -> None:
    series = {
        info("a", policy="p,q"): "1",
        info("b", policy="o,p"): "1",
        info("c", policy="pp"): "1",
        compliant("p", "a"): "1",
        compliant("q", "a"): "0",
    }
    counts = {"Compliant": 1, "Not compliant": 0, "Unknown": 1, "Share that complies": 0.5}
    expected = [of_policy(title, expected={NO_LABELS: number}) for title, number in counts.items()]

    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_a_policy_that_no_target_has_is_no_data(tmp_path: Path) -> None:
    expected = [of_policy(title, expected={}) for title in ("Compliant", "Failures not accepted", "Unknown")]

    assert evaluate(tmp_path, written_out({info(policy="q"): "1", compliant("q"): "1"}), expected) == ""


def test_an_acceptance_that_holds(tmp_path: Path) -> None:
    now, days = NOW * 5 * 60, 10
    series = {info(): "1", passed("hsts"): "0", ACCEPTED: "1", UNTIL: str(now + days * 86_400)}
    title = "Exceptions, nearest end first"
    expected = [
        of_policy("Failures not accepted", expected={NO_LABELS: 0}),
        of_policy("Acceptances that end soon", expected={NO_LABELS: 1}),
        of_policy(title, "Last day", expected={FINDING: 1000 * (now + days * 86_400 - 1)}),
        of_policy(title, "Days left", expected={FINDING: days}),
        of_policy(title, "Now", expected={FINDING: 2}),
        of_policy("Findings, worst first", "State", expected={FINDING: 2}),
    ]
    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_an_acceptance_that_is_over(tmp_path: Path) -> None:
    """It stays listed in the time range, and the failure counts again."""
    end = (NOW - 9) * 5 * 60
    series = {info(): "1", passed("hsts"): "0", ACCEPTED: f"1x{NOW - 9} _x20", UNTIL: f"{end}x{NOW - 9} _x20"}
    title = "Exceptions, nearest end first"
    expected = [
        of_policy("Failures not accepted", expected={NO_LABELS: 1}),
        of_policy("Acceptances that end soon", expected={NO_LABELS: 0}),
        of_policy(title, "Days left", expected={FINDING: -9 * 5 * 60 / 86_400}),
        of_policy(title, "Now", expected={FINDING: 0}),
    ]
    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_failures_of_critical_checks_come_first(tmp_path: Path) -> None:
    series = {
        info(): "1",
        passed("caa"): "0",
        passed("protocols", severity="critical"): "0",
        passed("cipher_order", severity="critical"): "1",
        unknown("clients", severity="info"): "1",
    }
    of = '{{target="a", policy="p", check="{}", severity="{}"}}'
    ranks = {of.format("protocols", "critical"): -0.5, of.format("caa", "warning"): 0, of.format("clients", "info"): 1}

    assert evaluate(tmp_path, written_out(series), [of_policy("Findings, worst first", HIDDEN, expected=ranks)]) == ""


def test_findings_without_passed_checks(tmp_path: Path) -> None:
    series = {info(): "1", passed("caa"): "1", unknown("hsts"): "1"}

    assert (
        evaluate(tmp_path, written_out(series), [of_policy("Findings, worst first", "State", expected={FINDING: 1})])
        == ""
    )
