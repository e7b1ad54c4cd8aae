"""What is kept of each target for lists: the same as its reports say, over all addresses."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import pytest

from exporter.grade import Letter
from exporter.model import Acceptance, Failure, Finding, Reason, Report, Severity, Verdict
from exporter.ranking import FAILING, Condition, condition
from exporter.summaries import (
    MOST_WORDS,
    AddressSummary,
    LatestVerdicts,
    Summary,
    TargetState,
    VerdictOf,
    judged_of,
)
from tests.support.exceptions import accepted
from tests.support.facts import KOPANO, certificate, certificates, deployment, facts, handshake, issuer, report
from tests.support.targets import NOW, make_target

GOOD, UNKNOWN = report(), report(facts())
BAD = replace(GOOD, findings=tuple(replace(one, verdict=Verdict.FAIL) for one in GOOD.findings))
NAME = KOPANO.name


def summary(*grades: Letter | None) -> Summary:
    addresses = tuple(AddressSummary(str(number), True, grade, NOW, NOW) for number, grade in enumerate(grades))
    return Summary(make_target(), (NAME,), LatestVerdicts(addresses, {}, ()))


@pytest.mark.parametrize(
    ("reports", "compliant"),
    [
        ([GOOD], GOOD.compliant),
        ([BAD], False),
        ([UNKNOWN], None),
        ([GOOD, UNKNOWN], None),
        ([UNKNOWN, BAD], False),
        ([GOOD, BAD], False),
    ],
)
def test_a_policy_is_met_if_it_is_met_at_every_address(reports: list[Report], compliant: bool | None) -> None:
    assert judged_of(reports).compliant == {NAME: compliant}


@pytest.mark.parametrize(
    ("grades", "worst"),
    [
        ([Letter.A], Letter.A),
        ([Letter.A, Letter.B], Letter.B),
        ([Letter.A_PLUS, Letter.A_MINUS, Letter.A], Letter.A_MINUS),
        ([Letter.F, Letter.T], Letter.T),
        ([Letter.A, None], None),
        ([None], None),
        ([], None),
    ],
)
def test_the_grade_is_the_worst_of_all_addresses_if_all_are_known(
    grades: list[Letter | None], worst: Letter | None
) -> None:
    assert summary(*grades).grade == worst


def test_verdicts_are_those_of_all_addresses_and_are_shared_between_targets() -> None:
    both, one = judged_of([GOOD, BAD]), judged_of([BAD])
    assert set(one.verdicts) < set(both.verdicts)
    assert len(both.verdicts) == len(set(both.verdicts))
    assert {VerdictOf(NAME, f.check, f.verdict, f.severity) for f in BAD.findings} == set(one.verdicts)
    assert {id(verdict) for verdict in one.verdicts} <= {id(verdict) for verdict in both.verdicts}


def test_a_policy_that_is_new_is_unknown_and_one_that_is_gone_is_not_shown() -> None:
    """Until the target is judged again, within a minute."""
    shown = Summary(make_target(), ("new",), judged_of([BAD]))
    assert shown.compliant == {"new": None}
    assert shown.failed == {}


def test_failures_that_the_operator_accepts_stay_failures() -> None:
    one = Summary(make_target(), (NAME,), judged_of([accepted(BAD, check=["hsts", "caa"])]))
    assert one.accepted == {NAME: ["caa", "hsts"]}
    assert {"caa", "hsts"} < set(one.failed[NAME])
    assert one.compliant == {NAME: False}


def test_a_check_with_another_failure_is_not_accepted() -> None:
    several = replace(BAD, findings=(*BAD.findings, *(replace(f, severity=Severity.INFO) for f in BAD.findings)))
    shown = accepted(several, check=["hsts", "caa"], severity="info")
    assert Summary(make_target(), (NAME,), judged_of([shown])).accepted == {}


def finding(check: str, verdict: Verdict, severity: Severity, *, accepted: bool = False, summary: str = "") -> Finding:
    acceptance = Acceptance(date(2026, 12, 31), "until the new server is there", "ops") if accepted else None
    return Finding(check, verdict, severity, summary or check, policy=NAME, accepted=acceptance)


def kept_of(*findings: Finding, **changes: Any) -> LatestVerdicts:  # noqa: ANN401 - arguments of `report`
    return judged_of([replace(report(**changes), findings=findings)])


WARNED = finding("caa", Verdict.FAIL, Severity.WARNING)
ACCEPTED = finding("protocols", Verdict.FAIL, Severity.CRITICAL, accepted=True)
INFO = finding("clients", Verdict.FAIL, Severity.INFO)
OPEN = finding("hsts", Verdict.UNKNOWN, Severity.WARNING)
OPEN_CRITICAL = finding("compression", Verdict.UNKNOWN, Severity.CRITICAL)
PASSED = finding("grade", Verdict.PASS, Severity.CRITICAL)


@pytest.mark.parametrize(
    ("findings", "worst", "unknown", "state"),
    [
        ((PASSED,), None, None, TargetState.PASS),
        ((INFO, WARNED, PASSED), "caa", None, TargetState.FAIL),
        ((ACCEPTED, INFO), "clients", None, TargetState.FAIL),
        ((ACCEPTED, OPEN), "protocols", "hsts", TargetState.UNKNOWN),
        ((ACCEPTED, PASSED), "protocols", None, TargetState.ACCEPTED),
        ((OPEN, OPEN_CRITICAL, PASSED), None, "compression", TargetState.UNKNOWN),
        ((), None, None, TargetState.UNKNOWN),
    ],
)
def test_the_worst_finding_is_the_most_severe_that_is_not_accepted(
    findings: tuple[Finding, ...], worst: str | None, unknown: str | None, state: TargetState
) -> None:
    kept = kept_of(*findings)
    assert (kept.worst.check if kept.worst else None, kept.unknown.check if kept.unknown else None) == (worst, unknown)
    assert Summary(make_target(), (NAME,), kept).state() is state


def test_the_state_is_of_the_policies_that_are_asked_for() -> None:
    other = replace(WARNED, policy="other")
    kept = judged_of([replace(report(), findings=(PASSED, other), policies=(NAME, "other"))])
    shown = Summary(make_target(), (NAME, "other"), kept)
    assert [shown.state(one) for one in ((), (NAME,), ("other",), ("third",))] == [
        *(TargetState.FAIL, TargetState.PASS, TargetState.FAIL, TargetState.UNKNOWN)
    ]


def unreached(reason: Reason) -> dict[str, Any]:
    return {"success": False, "failures": (Failure("handshake", reason, "detail"),)}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ([unreached(Reason.CONNECT_REFUSED)], TargetState.UNREACHABLE),
        ([unreached(Reason.INTERNAL)], TargetState.PASS),
        ([unreached(Reason.CONNECT_REFUSED), {}], TargetState.PASS),
        # Its time ended before it was done, but the server has answered.
        ([{**unreached(Reason.DEADLINE_EXCEEDED), "probes": {"handshake": True}}], TargetState.PASS),
    ],
)
def test_a_target_is_unreachable_if_no_address_answers_over_tls(
    changes: list[dict[str, Any]], state: TargetState
) -> None:
    """What was seen before still counts for verdicts, but the target is not shown as one that passes."""
    kept = judged_of([replace(report(**one), findings=(PASSED,)) for one in changes])
    assert Summary(make_target(), (NAME,), kept).state() is state
    assert kept.worst is None


GROUPS = {
    **dict.fromkeys(FAILING, TargetState.FAIL),
    Condition.UNKNOWN: TargetState.UNKNOWN,
    Condition.UNREACHABLE: TargetState.UNREACHABLE,
    Condition.ACCEPTED: TargetState.ACCEPTED,
    Condition.COMPLIES: TargetState.PASS,
}


@pytest.mark.parametrize("others", [(), ({},), (unreached(Reason.CONNECT_REFUSED),)])
@pytest.mark.parametrize("changes", [{}, unreached(Reason.CONNECT_REFUSED), unreached(Reason.INTERNAL)])
def test_pages_and_reports_say_the_same_of_a_target(
    changes: dict[str, Any], others: tuple[dict[str, Any], ...]
) -> None:
    elsewhere = finding("dane", Verdict.NOT_APPLICABLE, Severity.INFO)
    every = (WARNED, ACCEPTED, OPEN, PASSED, elsewhere)
    for number in range(len(every) + 1):
        for findings in combinations(every, number):
            reports = [
                replace(report(**changes), findings=findings),
                *(replace(report(**one), findings=(PASSED,)) for one in others),
            ]
            assert Summary(make_target(), (NAME,), judged_of(reports)).state() is GROUPS[condition(reports)]


def test_a_target_that_was_never_scanned_says_so() -> None:
    assert Summary(make_target(), (NAME,), None).state() is TargetState.NEVER_SCANNED


def test_the_end_of_the_certificate_is_that_of_the_first_that_clients_use() -> None:
    soon, later = NOW + timedelta(days=3), NOW + timedelta(days=300)
    chains = certificates(deployment(issuer(not_after=later), not_after=later), deployment(not_after=soon))
    kept = judged_of([report(facts(handshake(), chains)), report(facts(handshake(), certificate(not_after=later)))])
    assert Summary(make_target(), (NAME,), kept).certificate_ends_at == soon
    without = judged_of([report(facts(handshake()))])
    assert Summary(make_target(), (NAME,), without).certificate_ends_at is None


def test_long_words_are_cut() -> None:
    kept = kept_of(finding("caa", Verdict.FAIL, Severity.WARNING, summary="x" * 5000))
    assert kept.worst is not None
    assert len(kept.worst.summary) == MOST_WORDS + 1


def test_targets_with_the_same_result_share_it() -> None:
    """Ten thousand of them are in memory."""
    changes = unreached(Reason.CONNECT_TIMEOUT)
    one, other = kept_of(WARNED, OPEN, **changes), kept_of(WARNED, OPEN, **changes)
    for part in ("compliant", "verdicts", "worst", "unknown"):
        assert getattr(one, part) is getattr(other, part)
    assert one.addresses[0].failures is other.addresses[0].failures
