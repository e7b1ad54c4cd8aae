"""What an exception accepts, for how long, and that a failure stays one."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from exporter.judge import Judge
from exporter.model import Acceptance, Protocol, Report
from exporter.policies import load_policy
from tests.support.exceptions import UNTIL, exceptions
from tests.support.facts import CBC_RSA, GOOD_CAA, KOPANO, certificate, facts, handshake, http, result, tried, watched
from tests.support.targets import NOW

MODERN = load_policy("mozilla-modern")
BAD = facts(handshake({Protocol.TLS1_2: (CBC_RSA,)}), certificate(), http("max-age=0"), GOOD_CAA, tried())
LABELS = {"team": "web"}


def judged(now: datetime = NOW, **exception: Any) -> Report:  # noqa: ANN401 - any key of an exception
    policies = {policy.name: policy for policy in (KOPANO, MODERN)}
    target = watched(policies=tuple(policies), labels=LABELS, max_age=timedelta(days=100))
    judge = Judge(policies, exceptions=exceptions(**exception))
    (report,) = judge.after_scan([result(BAD, target=target)], now)
    return report


def found(report: Report) -> set[tuple[str, str]]:
    """Policy and check of what is accepted."""
    return {(one.policy, one.check) for one in report.findings if one.accepted is not None}


BOTH = {("kopano-checklist", "hsts"), ("mozilla-modern", "hsts")}


@pytest.mark.parametrize(
    ("exception", "accepted"),
    [
        ({}, BOTH),
        ({"policy": "mozilla-modern"}, {("mozilla-modern", "hsts")}),
        ({"policy": ["mozilla-modern", "kopano-checklist"]}, BOTH),
        ({"policy": "mozilla-old"}, set()),
        ({"check": "caa"}, set()),  # it passes
        (
            {"check": ["hsts", "cipher_suites"], "policy": "kopano-checklist"},
            {("kopano-checklist", "hsts"), ("kopano-checklist", "cipher_suites")},
        ),
        ({"severity": "critical"}, set()),
        ({"severity": ["critical", "warning"]}, BOTH),
    ],
)
def test_it_accepts_failures_of_its_checks_and_policies_and_no_others(
    exception: dict[str, Any], accepted: set[tuple[str, str]]
) -> None:
    assert found(judged(**exception)) == accepted


@pytest.mark.parametrize(
    ("match", "selected"),
    [
        ("{}", True),
        ('{target="test"}', True),
        ('{team="web", host=~"www[.].*", port="443", protocol="https"}', True),
        ('{team="mail"}', False),
        (['{team="mail"}', '{target="test"}'], True),
        ('{owner=""}', True),  # a label that the target does not have is empty
    ],
)
def test_it_is_for_the_targets_that_a_selector_selects(match: str | list[str], selected: bool) -> None:
    assert bool(found(judged(match=match))) is selected


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2027, 1, 1, 0, 0, 0, tzinfo=UTC), False),
    ],
)
def test_it_counts_on_its_last_day_and_not_on_the_next(now: datetime, counts: bool) -> None:
    report = judged(now)
    assert bool(found(report)) is counts
    assert report.compliant is False


def test_an_accepted_failure_is_a_failure() -> None:
    without, report = judged(match='{target="other"}'), judged(check=["hsts", "cipher_suites", "protocols", "grade"])
    assert found(report)
    assert [(one.check, one.verdict, one.remedy) for one in without.findings] == [
        (one.check, one.verdict, one.remedy) for one in report.findings
    ]
    assert report.compliant is False
    assert [report.compliant_with(policy) for policy in report.policies] == [False, False]


def test_it_says_until_when_why_and_by_whom() -> None:
    (accepted,) = {one.accepted for one in judged().findings if one.accepted is not None}
    assert accepted == Acceptance(UNTIL, "It moves.", "Jane")
    assert accepted.ends_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_the_last_day_of_the_calendar_has_an_end() -> None:
    assert Acceptance(date.max, "x", "y").ends_at <= datetime.max.replace(tzinfo=UTC)
