"""The fleet at a glance: how many targets there are of each kind, and one page of a sorted list.

There can be ten thousand targets. So all of it is made of summaries in one pass, in slices between which the event loop
goes on.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from operator import itemgetter
from typing import Any

from exporter.grade import Letter
from exporter.model import Severity, Verdict
from exporter.querying import Queries, TargetFilter
from exporter.summaries import Summary, TargetState, VerdictOf

_SLICE = 25
"""Targets between two turns of the event loop: a millisecond, and ten with the most expensive selectors."""


class FleetOrder(StrEnum):
    """By what targets are sorted: names from A, dates from the earliest, everything else from the worst."""

    NAME = "name"
    GRADE = "grade"
    VERDICT = "verdict"
    EXPIRY = "expiry"
    SCANNED = "scanned"


@dataclass(frozen=True, slots=True)
class FleetQuery:
    """Which targets are in the list, and which page of it.

    Attributes:
        wanted: see `TargetFilter`.
        words: texts that all have to be in the name, the host or the labels, in small or capital letters.
        states: any of them; by the policies of `wanted` if it names some.
        backwards: the order is reversed. What is not known comes last all the same.
        page: the first is 1.
        limit: targets of a page.
    """

    wanted: TargetFilter = field(default_factory=TargetFilter)
    words: tuple[str, ...] = ()
    states: frozenset[TargetState] = frozenset()
    order: FleetOrder = FleetOrder.VERDICT
    backwards: bool = False
    page: int = 1
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CheckCount:
    """How many targets fail a check by any policy.

    Attributes:
        failing: all of them.
        accepted: of these, those where every such failure is accepted.
    """

    check: str
    failing: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The answer. Each kind of counts is of the targets that meet all filters except for those of this kind.

    Attributes:
        total: all targets that there are.
        matching: those in the list.
        summaries: one page of the list.
        page: its number; that of the last page if there are not so many.
        pages: at least 1.
        grades: None is "not known". A target with several addresses is counted for each of their grades.
        checks: those that fail, the most first.
    """

    total: int
    matching: int
    summaries: tuple[Summary, ...]
    page: int
    pages: int
    states: Mapping[TargetState, int]
    grades: Mapping[Letter | None, int]
    checks: tuple[CheckCount, ...]


async def overview(queries: Queries, query: FleetQuery) -> Overview:
    """Count all targets, and find the page."""
    async with queries.places:
        names, tally = queries.names(), _Tally(query)
        for place, name in enumerate(names):
            if place % _SLICE == 0:
                await asyncio.sleep(0)
            summary = queries.summary(name)
            if summary is not None:
                tally.add(summary)
        checks = await tally.checks()
        await asyncio.sleep(0)
        found = _sorted(tally.found, backwards=query.backwards)
    pages = max(1, ceil(len(found) / query.limit))
    page = min(query.page, pages)
    part = map(queries.summary, found[(page - 1) * query.limit : page * query.limit])
    rows = tuple(one for one in part if one is not None)
    return Overview(len(names), len(found), rows, page, pages, tally.states, tally.grades, checks)


@dataclass(slots=True)
class _Group:
    """Targets with the same policies and verdicts.

    Attributes:
        fits: whether the verdicts meet the filter.
        number: targets that meet all filters except for that of verdicts.
    """

    verdicts: tuple[VerdictOf, ...]
    policies: tuple[str, ...]
    fits: bool
    number: int = 0


class _Tally:
    """Counts targets. Most have the same verdicts as others and share them, so each set is looked at once."""

    def __init__(self, query: FleetQuery) -> None:
        self._query, self._wanted = query, query.wanted
        self._words = tuple(word.casefold() for word in query.words)
        self._groups: dict[tuple[int, tuple[str, ...]], _Group] = {}
        self._key = _KEYS[query.order]
        # Only names and what is compared: ten thousand summaries would make Python look through its complete memory.
        self.found: list[tuple[Any, str]] = []
        self.states: Counter[TargetState] = Counter()
        self.grades: Counter[Letter | None] = Counter()

    def add(self, summary: Summary) -> None:
        if not self._wanted.is_selected(summary) or not self._has_words(summary):
            return
        state, group = summary.state(self._wanted.policies), self._group(summary)
        of_state = not self._query.states or state in self._query.states
        of_grade = self._wanted.has_grade(summary)
        if of_grade and group.fits:
            self.states[state] += 1
        if of_state and group.fits:
            self.grades.update(summary.grades)
        if of_state and of_grade:
            group.number += 1
            if group.fits:
                self.found.append((self._key(state, summary), summary.target.name))

    def _has_words(self, summary: Summary) -> bool:
        if not self._words:
            return True
        text = searched(summary)
        return all(word in text for word in self._words)

    def _group(self, summary: Summary) -> _Group:
        verdicts = summary.judged.verdicts if summary.judged else ()
        key = id(verdicts), summary.policies  # the group keeps the verdicts, so no others get their id
        group = self._groups.get(key)
        if group is None:
            fits = self._wanted.has_verdict(summary)
            group = self._groups[key] = _Group(verdicts, summary.policies, fits)
        return group

    async def checks(self) -> tuple[CheckCount, ...]:
        """The checks that fail, the most first."""
        failing: Counter[str] = Counter()
        accepted: Counter[str] = Counter()
        for place, group in enumerate(self._groups.values()):
            if place % _SLICE == 0:
                await asyncio.sleep(0)
            policies = self._wanted.policies or group.policies
            fails = [one for one in group.verdicts if one.verdict is Verdict.FAIL and one.policy in policies]
            checks, not_accepted = {one.check for one in fails}, {one.check for one in fails if not one.accepted}
            failing.update(dict.fromkeys(checks, group.number))
            accepted.update(dict.fromkeys(checks - not_accepted, group.number))
        order = sorted((check for check, number in failing.items() if number), key=lambda one: (-failing[one], one))
        return tuple(CheckCount(check, failing[check], accepted[check]) for check in order)


def searched(summary: Summary) -> str:
    """The text in which words are looked for."""
    target = summary.target
    labels = (f"{name}={value}" for name, value in target.labels.items())
    return " ".join((target.name, target.host, target.server_name or "", *labels)).casefold()


_STATES = {state: place for place, state in enumerate(TargetState)}
_SEVERITIES = {severity: place for place, severity in enumerate(Severity)}
_GRADES = {letter: -place for place, letter in enumerate(Letter)}


def _verdict_key(state: TargetState, summary: Summary) -> tuple[int, int]:
    worst = summary.worst or summary.unknown
    return _STATES[state], _SEVERITIES[worst.severity] if worst else 0


def _grade_key(_state: TargetState, summary: Summary) -> int | None:
    return None if summary.grade is None else _GRADES[summary.grade]


_KEYS: Mapping[FleetOrder, Callable[[TargetState, Summary], Any]] = {
    FleetOrder.NAME: lambda _, summary: summary.target.name,
    FleetOrder.GRADE: _grade_key,
    FleetOrder.VERDICT: _verdict_key,
    FleetOrder.EXPIRY: lambda _, summary: summary.certificate_ends_at,
    FleetOrder.SCANNED: lambda _, summary: summary.scanned_at,
}
"""What is compared; None is not known."""


def _sorted(found: Sequence[tuple[Any, str]], *, backwards: bool) -> list[str]:
    """The names in this order; targets that are equal in it by their names."""
    known = [one for one in found if one[0] is not None]
    known.sort(key=itemgetter(0), reverse=backwards)
    return [name for _, name in (*known, *(one for one in found if one[0] is None))]
