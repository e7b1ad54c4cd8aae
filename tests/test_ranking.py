"""Which targets are worst, and why one could not be reached."""

from dataclasses import replace

import pytest

from exporter.model import Acceptance, Facts, Failure, Finding, Reason, Report, Severity, Verdict
from exporter.ranking import (
    CAUSES,
    Condition,
    cause,
    causes,
    condition,
    condition_of,
    conditions,
    failed_checks,
    ranked,
)
from exporter.summaries import VerdictOf, judged_of
from tests.support.facts import good_facts, result
from tests.support.targets import NOW, make_target

TODAY = Acceptance(NOW.date(), "it is replaced next week", "ops")
PASSES = Finding("caa", Verdict.PASS, Severity.WARNING, "", policy="p")
UNKNOWN = replace(PASSES, check="hsts", verdict=Verdict.UNKNOWN)
ELSEWHERE = replace(PASSES, check="dane", verdict=Verdict.NOT_APPLICABLE)
SILENT = Failure("handshake", Reason.CONNECT_TIMEOUT, "no answer in 5 s")


def fails(severity: Severity, *, accepted: bool = False, check: str = "protocols") -> Finding:
    return Finding(check, Verdict.FAIL, severity, "", policy="p", accepted=TODAY if accepted else None)


def judged(*findings: Finding, name: str = "test", reached: bool = True, failures: tuple[Failure, ...] = ()) -> Report:
    seen = good_facts() if reached else Facts()
    failures = failures if reached or failures else (SILENT,)
    scanned = result(seen, target=make_target(name=name), failures=failures, success=reached)
    return Report(scanned, seen, None, ("p",), findings, NOW.date())


CONDITIONS = [
    ([fails(Severity.INFO), fails(Severity.CRITICAL), UNKNOWN], Condition.CRITICAL),
    ([fails(Severity.CRITICAL, accepted=True), fails(Severity.WARNING), PASSES], Condition.WARNING),
    ([fails(Severity.INFO), UNKNOWN], Condition.INFO),
    ([fails(Severity.CRITICAL, accepted=True), UNKNOWN], Condition.UNKNOWN),
    ([ELSEWHERE], Condition.UNKNOWN),
    ([], Condition.UNKNOWN),
    ([fails(Severity.CRITICAL, accepted=True), PASSES], Condition.ACCEPTED),
    ([PASSES, ELSEWHERE], Condition.COMPLIES),
]


@pytest.mark.parametrize(("findings", "expected"), CONDITIONS)
def test_the_worst_decides_and_what_is_accepted_or_unknown_is_never_a_pass(
    findings: list[Finding], expected: Condition
) -> None:
    one = judged(*findings)
    assert condition([one]) is expected
    assert condition_of(("p",), judged_of([one]).verdicts, reached=True) is expected, "a summary says the same"


def test_each_policy_has_to_be_met() -> None:
    passes = VerdictOf("p", "caa", Verdict.PASS, Severity.INFO)
    assert condition_of(("p", "q"), [passes], reached=True) is Condition.UNKNOWN
    assert condition_of(("p", "q"), [passes, passes._replace(policy="q")], reached=True) is Condition.COMPLIES


def test_a_target_is_unreachable_if_no_address_was_reached() -> None:
    silent, answers = judged(UNKNOWN, reached=False), judged(PASSES)
    assert condition([silent, silent]) is Condition.UNREACHABLE
    assert condition([silent, answers]) is condition([answers, silent]) is Condition.UNKNOWN
    assert condition([replace(silent, findings=(fails(Severity.INFO),))]) is Condition.INFO, "what fails is said first"


def test_what_an_earlier_scan_found_does_not_make_a_target_reached() -> None:
    """Its verdicts still count until they expire, but it is not said to comply."""
    before = replace(judged(PASSES, reached=False), facts=good_facts())
    assert condition([before]) is Condition.UNREACHABLE
    assert condition([replace(before, findings=(fails(Severity.CRITICAL),))]) is Condition.CRITICAL


def test_an_error_of_this_machine_does_not_make_a_target_unreachable() -> None:
    broken = judged(UNKNOWN, reached=False, failures=(replace(SILENT, reason=Reason.INTERNAL),))
    assert condition([broken]) is Condition.UNKNOWN


def test_the_worst_are_first_and_then_those_with_most_failures_and_then_names() -> None:
    critical, warning = fails(Severity.CRITICAL), fails(Severity.WARNING, check="hsts")
    targets = {
        "worst": judged(critical, fails(Severity.CRITICAL, check="grade")),
        "b-critical-and-warning": judged(critical, warning),
        "a-critical": judged(critical),
        "b-critical": judged(critical),
        "a-warnings": judged(warning),
        "an-info": judged(fails(Severity.INFO)),
        "an-unknown": judged(UNKNOWN),
        "a-silent": judged(UNKNOWN, reached=False),
        "an-accepted": judged(fails(Severity.CRITICAL, accepted=True)),
        "a-good": judged(PASSES),
        "b-good": judged(PASSES),
    }
    several = [
        (replace(one, result=replace(one.result, target=make_target(name=name))),)
        for name, one in reversed(targets.items())
    ]
    assert [reports[0].target.name for reports in ranked(several)] == list(targets)
    counts = conditions(several)
    assert [counts[one] for one in Condition] == [4, 1, 1, 1, 1, 1, 2]


def test_failed_checks_are_listed_once_by_severity_without_those_that_are_accepted() -> None:
    here = judged(fails(Severity.WARNING, check="hsts"), fails(Severity.CRITICAL), PASSES)
    there = judged(fails(Severity.CRITICAL), fails(Severity.CRITICAL, check="grade", accepted=True))
    assert failed_checks([here, there]) == {Severity.CRITICAL: ["protocols"], Severity.WARNING: ["hsts"]}
    assert failed_checks([judged(PASSES)]) == {}


def test_every_reason_is_said_in_words() -> None:
    assert set(CAUSES) == set(Reason)
    assert len(set(CAUSES.values())) == len(Reason)


def test_a_cause_has_the_detail_where_the_words_say_too_little() -> None:
    refused = Failure("handshake", Reason.CONNECT_REFUSED, "192.0.2.1 port 443: refused")
    alert = Failure("handshake", Reason.HANDSHAKE_ERROR, "alert 40")
    assert cause(refused) == "the connection is refused"
    assert cause(alert) == "no TLS handshake succeeds: alert 40"
    silent = [judged(reached=False, failures=(one,)) for one in (refused, alert, refused)]
    assert causes([*silent, judged(failures=(Failure("http", Reason.HTTP_ERROR, "not HTTP"),))]) == [
        "the connection is refused",
        "no TLS handshake succeeds: alert 40",
    ]
