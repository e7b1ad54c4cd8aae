"""Counts of targets, and pages of a sorted list: everything is compared with lists that the test writes down."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from exporter.grade import Letter
from exporter.model import Reason, Severity, Verdict
from exporter.overview import CheckCount, FleetOrder, FleetQuery, Overview, overview
from exporter.querying import TargetFilter
from exporter.selectors import parse_selectors
from exporter.summaries import AddressSummary, FindingInWords, LatestVerdicts, TargetState, VerdictOf
from tests.support.known_fleet import KnownFleet
from tests.support.targets import NOW, make_target

ONE, TWO = "kopano-checklist", "mozilla-old"
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def verdict(
    check: str, said: Verdict, policy: str = ONE, severity: Severity = CRITICAL, *, ok: bool = False
) -> VerdictOf:
    return VerdictOf(policy, check, said, severity, ok)


def judged(
    *verdicts: VerdictOf,
    grade: Letter | None = Letter.A,
    ends: datetime | None = None,
    scanned: datetime = NOW,
    unreached: Reason | None = None,
) -> LatestVerdicts:
    """What is kept of a target with these verdicts."""
    failed = sorted(
        (one for one in verdicts if one.verdict is Verdict.FAIL), key=lambda one: (one.accepted, one.severity)
    )
    compliant: dict[str, bool | None] = {}
    for policy in dict.fromkeys(one.policy for one in verdicts):
        said = {one.verdict for one in verdicts if one.policy == policy}
        compliant[policy] = False if Verdict.FAIL in said else None if Verdict.UNKNOWN in said else True
    words = [FindingInWords(one.policy, one.check, one.severity, "is bad", one.accepted) for one in failed]
    address = AddressSummary(
        None, unreached is None, grade, scanned, None, certificate_ends_at=ends, unreached=unreached
    )
    return LatestVerdicts((address,), compliant, verdicts, words[0] if words else None)


GOOD = judged(verdict("hsts", Verdict.PASS), verdict("caa", Verdict.PASS))
BAD = judged(verdict("hsts", Verdict.FAIL), verdict("caa", Verdict.FAIL, severity=WARNING), grade=Letter.B)
OPEN = judged(verdict("hsts", Verdict.UNKNOWN), verdict("caa", Verdict.PASS), grade=None)
FINE = judged(verdict("hsts", Verdict.FAIL, ok=True), verdict("caa", Verdict.PASS))
MIXED = judged(verdict("hsts", Verdict.PASS), verdict("hsts", Verdict.FAIL, TWO))
GONE = judged(verdict("hsts", Verdict.UNKNOWN), grade=None, unreached=Reason.CONNECT_REFUSED)
FLEET: Mapping[str, LatestVerdicts | None] = {
    "bad": BAD, "fine": FINE, "gone": GONE, "good": GOOD, "mixed": MIXED, "new": None, "open": OPEN
}  # fmt: skip


def fleet_of(known: Mapping[str, LatestVerdicts | None]) -> KnownFleet:
    policies = {name: (ONE, TWO) if one is MIXED else (ONE,) for name, one in known.items()}
    labels = {name: {"team": "web" if len(name) == 4 else "mail"} for name in known}
    fleet = KnownFleet(
        *(
            make_target(name=name, host=f"{name}.example", policies=policies[name], labels=labels[name])
            for name in known
        )
    )
    for name, one in known.items():
        if one is not None:
            fleet.knows(name, one)
    return fleet


def look(known: Mapping[str, LatestVerdicts | None] = FLEET, **query: Any) -> Overview:  # noqa: ANN401 - of the query
    async def run() -> Overview:
        return await overview(fleet_of(known).queries, FleetQuery(**query))

    return asyncio.run(run())


def names(found: Overview) -> list[str]:
    return [summary.target.name for summary in found.summaries]


def test_targets_are_counted_by_state_grade_and_failing_check() -> None:
    found = look()
    assert (found.total, found.matching) == (7, 7)
    assert found.states == {
        TargetState.FAIL: 2,
        TargetState.UNREACHABLE: 1,
        TargetState.UNKNOWN: 1,
        TargetState.NEVER_SCANNED: 1,
        TargetState.ACCEPTED: 1,
        TargetState.PASS: 1,
    }
    assert found.grades == {Letter.A: 3, Letter.B: 1, None: 3}
    assert found.checks == (CheckCount("hsts", 3, 1), CheckCount("caa", 1, 0))


def test_the_worst_are_first() -> None:
    assert names(look()) == ["bad", "mixed", "gone", "open", "new", "fine", "good"]


def test_a_kind_of_counts_is_not_filtered_by_itself() -> None:
    """So each number is what its link leads to."""
    found = look(states=frozenset({TargetState.FAIL}), wanted=TargetFilter(grades=frozenset({Letter.B})))
    assert names(found) == ["bad"]
    assert found.states == {TargetState.FAIL: 1}
    assert found.grades == {Letter.A: 1, Letter.B: 1}
    assert found.checks == (CheckCount("caa", 1, 0), CheckCount("hsts", 1, 0))


def test_each_number_is_the_length_of_the_list_that_its_filter_gives() -> None:
    found = look()
    for state, number in found.states.items():
        assert look(states=frozenset({state})).matching == number
    for grade, number in found.grades.items():
        assert look(wanted=TargetFilter(grades=frozenset({grade}))).matching == number
    for one in found.checks:
        wanted = TargetFilter(checks=frozenset({one.check}), verdicts=frozenset({Verdict.FAIL}))
        assert look(wanted=wanted).matching == one.failing


def test_with_a_policy_all_verdicts_are_those_of_this_policy() -> None:
    found = look(wanted=TargetFilter(policies=frozenset({TWO})))
    assert (names(found), found.states) == (["mixed"], {TargetState.FAIL: 1})
    assert look(wanted=TargetFilter(policies=frozenset({ONE}))).states[TargetState.PASS] == 2
    assert look(wanted=TargetFilter(policies=frozenset({ONE}))).checks[0] == CheckCount("hsts", 2, 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("GO",), ["gone", "good"]),
        (("example", "oo"), ["good"]),
        (("team=web", "o"), ["gone", "open", "good"]),
        (("none",), []),
        (("mail",), ["bad", "mixed", "new"]),
    ],
)
def test_words_are_looked_for_in_name_host_and_labels(words: tuple[str, ...], expected: list[str]) -> None:
    assert names(look(words=words)) == expected


def test_selectors_are_those_of_the_api() -> None:
    wanted = TargetFilter(tuple(parse_selectors(['{team="web",target!~"g.*"}'])))
    assert names(look(wanted=wanted)) == ["open", "fine"]


DATED = {
    "late": judged(verdict("hsts", Verdict.PASS), ends=NOW + timedelta(days=9), scanned=NOW - timedelta(hours=1)),
    "never": None,
    "odd": judged(verdict("hsts", Verdict.PASS), grade=None),
    "soon": judged(verdict("hsts", Verdict.PASS), grade=Letter.T, ends=NOW + timedelta(days=1)),
    "tied": judged(verdict("hsts", Verdict.PASS), grade=Letter.T, ends=NOW + timedelta(days=1)),
}


@pytest.mark.parametrize(
    ("order", "forwards", "backwards"),
    [
        (FleetOrder.NAME, "late never odd soon tied", "tied soon odd never late"),
        (FleetOrder.EXPIRY, "soon tied late never odd", "late soon tied never odd"),
        (FleetOrder.GRADE, "soon tied late never odd", "late soon tied never odd"),
        (FleetOrder.SCANNED, "late odd soon tied never", "odd soon tied late never"),
        (FleetOrder.VERDICT, "never late odd soon tied", "late odd soon tied never"),
    ],
)
def test_what_is_not_known_is_last_and_names_decide_what_is_equal(
    order: FleetOrder, forwards: str, backwards: str
) -> None:
    assert names(look(DATED, order=order)) == forwards.split()
    assert names(look(DATED, order=order, backwards=True)) == backwards.split()


def test_severity_decides_among_targets_that_fail() -> None:
    warned = judged(verdict("caa", Verdict.FAIL, severity=WARNING))
    critical = judged(verdict("protocols", Verdict.FAIL))
    assert names(look({"a": warned, "b": critical, "c": warned})) == ["b", "a", "c"]


def test_pages_are_parts_of_the_list_and_the_last_one_stands_for_those_after_it() -> None:
    known = dict.fromkeys((f"t{number}" for number in range(5)), GOOD)
    pages = [look(known, page=page, limit=2) for page in (1, 2, 3, 9)]
    assert [names(page) for page in pages] == [["t0", "t1"], ["t2", "t3"], ["t4"], ["t4"]]
    assert [(page.page, page.pages, page.matching) for page in pages] == [(1, 3, 5), (2, 3, 5), (3, 3, 5), (3, 3, 5)]
    assert [(look({}).pages, look({}).matching)] == [(1, 0)]


def test_several_addresses_are_counted_for_each_of_their_grades() -> None:
    (address,) = GOOD.addresses
    both = replace(GOOD, addresses=(address, replace(address, grade=None)))
    found = look({"a": both})
    assert found.grades == {Letter.A: 1, None: 1}
    assert look({"a": both}, wanted=TargetFilter(grades=frozenset({None}))).matching == 1


def test_no_more_than_so_many_are_made_at_once() -> None:
    async def run() -> None:
        queries = fleet_of(FLEET).queries
        async with asyncio.timeout(60):
            for _ in range(4):
                await queries.places.acquire()
            waiting = asyncio.create_task(overview(queries, FleetQuery()))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()
            queries.places.release()
            assert (await waiting).total == len(FLEET)

    asyncio.run(run())


def test_targets_that_go_meanwhile_are_left_out() -> None:
    async def run() -> Overview:
        known = dict.fromkeys((f"t{number:03}" for number in range(100)), GOOD)
        fleet = fleet_of(known)
        making = asyncio.create_task(overview(fleet.queries, FleetQuery()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        fleet.apply(*(make_target(name=f"t{number:03}", host=f"t{number:03}.example") for number in range(50)))
        return await making

    found = asyncio.run(run())
    assert set(names(found)) <= {f"t{number:03}" for number in range(50)}
