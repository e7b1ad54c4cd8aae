"""What is kept of each target for lists: the same as its reports say, over all addresses."""

from dataclasses import replace

import pytest

from exporter.grade import Letter
from exporter.model import Report, Severity, Verdict
from exporter.summaries import AddressSummary, LatestVerdicts, Summary, VerdictOf, judged_of
from tests.support.exceptions import accepted
from tests.support.facts import KOPANO, facts, report
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
