"""Questions about all targets: lists with filters and pages, reports, and what changed.

There can be ten thousand targets. So lists are made of summaries that are ready, in slices between which the event loop
goes on.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.changes_text import Direction, change_text
from exporter.grade import Letter
from exporter.judge import together
from exporter.model import Report, Verdict
from exporter.policies import Policy
from exporter.publisher import Publisher, Setup
from exporter.selectors import Selector
from exporter.store import Store
from exporter.store.changelog import LogPart, LogPlace, LogQuery, Numbered
from exporter.store.history import StateChange, States, What
from exporter.summaries import Summary

_SLICE = 25
"""Targets between two turns of the event loop: a millisecond, and ten with the most expensive selectors."""
_AT_ONCE = 4
"""Most questions that are answered at once; others wait. Each takes a share of the event loop."""
_CHANGES_SLICE = 100
"""Changes between two turns of the event loop."""
_READ_AT_ONCE = 1_000
_MOST_READ = 10_000
"""Most changes that one question looks at."""
MOST_VALUES = 10_000
"""Suites and parts of certificates after which a page ends. Each change can have hundreds."""


@dataclass(frozen=True, slots=True)
class TargetFilter:
    """Which targets are in a list: those that meet every part that is given.

    Attributes:
        selectors: any of them selects the target.
        checks, verdicts, policies: there is a verdict with one of each. With policies alone, the target has one of
            them.
        grades: an address has one of them; None is a grade that is not known.
    """

    selectors: tuple[Selector, ...] = ()
    checks: frozenset[str] = frozenset()
    verdicts: frozenset[Verdict] = frozenset()
    policies: frozenset[str] = frozenset()
    grades: frozenset[Letter | None] = frozenset()

    def matches(self, summary: Summary) -> bool:
        """Whether the target is in the list."""
        return self.is_selected(summary) and self.has_verdict(summary) and self.has_grade(summary)

    def is_selected(self, summary: Summary) -> bool:
        """Whether its labels and policies meet the filter."""
        if self.policies and self.policies.isdisjoint(summary.policies):
            return False
        if not self.selectors:
            return True
        labels = summary.labels
        return any(selector.matches(labels) for selector in self.selectors)

    def has_verdict(self, summary: Summary) -> bool:
        """Whether its verdicts meet the filter."""
        if not self.checks and not self.verdicts:
            return True
        return summary.judged is not None and any(
            one.policy in (self.policies or summary.policies)
            and (not self.checks or one.check in self.checks)
            and (not self.verdicts or one.verdict in self.verdicts)
            for one in summary.judged.verdicts
        )

    def has_grade(self, summary: Summary) -> bool:
        """Whether its grades meet the filter."""
        return not self.grades or not self.grades.isdisjoint(summary.grades)


@dataclass(frozen=True, slots=True)
class FoundTargets:
    """One page of a list of targets.

    Attributes:
        next: name after which the next page begins; None if this page is the last one.
    """

    summaries: tuple[Summary, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes are reported: those that meet every part that is given.

    Attributes:
        selectors: any of them selects the target. Of a target that is gone only the label `target` is known.
        whats: what has changed.
        checks, verdicts, policies: a verdict has changed that has one of each; to one of these verdicts.
        directions: whether it made things better or worse.
    """

    selectors: tuple[Selector, ...] = ()
    whats: frozenset[What] = frozenset()
    checks: frozenset[str] = frozenset()
    verdicts: frozenset[Verdict] = frozenset()
    policies: frozenset[str] = frozenset()
    directions: frozenset[Direction] = frozenset()

    def matches(self, change: StateChange, summary: Summary | None) -> bool:
        """Whether the change is reported; `summary` is of its target."""
        if self.whats and change.key.what not in self.whats:
            return False
        if (self.checks or self.verdicts or self.policies) and not self._is_of_verdict(change):
            return False
        return self._is_selected(change, summary) and (
            not self.directions or change_text(change).direction in self.directions
        )

    def _is_selected(self, change: StateChange, summary: Summary | None) -> bool:
        if not self.selectors:
            return True
        labels = summary.labels if summary else {"target": change.target}
        return any(selector.matches(labels) for selector in self.selectors)

    def _is_of_verdict(self, change: StateChange) -> bool:
        policy, _, check = change.key.subject.partition("/")
        return (
            change.key.what is What.VERDICT
            and (not self.policies or policy in self.policies)
            and (not self.checks or check in self.checks)
            and (not self.verdicts or change.after in self.verdicts)
        )


@dataclass(frozen=True, slots=True)
class FoundChanges:
    """One page of changes.

    Attributes:
        known_since: earlier changes are not known.
        next: where the next page begins.
        more: whether there may be other changes already.
    """

    changes: tuple[StateChange, ...]
    known_since: datetime
    next: LogPlace
    more: bool


@dataclass(frozen=True, slots=True)
class PolicyInUse:
    """A policy, and the number of targets that are judged by it."""

    policy: Policy
    targets: int


class Queries:
    """Answers questions; called on the event loop.

    Attributes:
        next_due_of: when the target is scanned next; None while the schedule is not known.
        places: one is taken by each question that looks at all targets.
    """

    def __init__(self, publisher: Publisher, store: Store, next_due_of: Callable[[str], datetime | None]) -> None:
        self._publisher, self._store = publisher, store
        self.next_due_of = next_due_of
        self._names: tuple[Setup | None, list[str]] = (None, [])
        self.places = asyncio.Semaphore(_AT_ONCE)

    @property
    def now(self) -> datetime:
        """The time, by which reports are made."""
        return self._publisher.now()

    @property
    def full(self) -> bool:
        """Whether metrics are in full detail."""
        return self._publisher.setup.full

    def names(self) -> Sequence[str]:
        """The names of all targets, sorted."""
        setup = self._publisher.setup
        if self._names[0] is not setup:
            self._names = setup, sorted(setup.targets)
        return self._names[1]

    def summary(self, name: str) -> Summary | None:
        """The target in short; None if there is no such target."""
        return self._publisher.summary(name)

    async def targets(self, wanted: TargetFilter, after: str | None, limit: int) -> FoundTargets:
        """The first targets of the list by name, after this name.

        Targets that come and go between two pages do not lead to others being left out, or being there twice.
        """
        async with self.places:
            names, found = self.names(), list[Summary]()
            start = 0 if after is None else bisect_right(names, after)
            for place in range(start, len(names)):
                if place % _SLICE == 0:
                    await asyncio.sleep(0)
                summary = self.summary(names[place])
                if summary is None or not wanted.matches(summary):
                    continue
                if len(found) == limit:
                    return FoundTargets(tuple(found), found[-1].target.name)
                found.append(summary)
            return FoundTargets(tuple(found), None)

    async def summaries(self, selectors: Sequence[Selector] = ()) -> AsyncIterator[Summary]:
        """All targets in short, by name: those that one of the selectors selects, or all without selectors."""
        async with self.places:
            for place, name in enumerate(self.names()):
                if place % _SLICE == 0:
                    await asyncio.sleep(0)
                summary = self.summary(name)
                if summary and (not selectors or any(one.matches(summary.labels) for one in selectors)):
                    yield summary

    async def reports(self, name: str) -> Sequence[Report]:
        """The reports of the target at this time, one for each address; empty before its first scan.

        Raises:
            KeyError: there is no such target.
        """
        async with self.places:
            reports = []
            for report in self._publisher.each_report_of(name):
                reports.append(report)
                await asyncio.sleep(0)
            return together(reports)

    def states(self, name: str) -> tuple[tuple[str | None, States], ...]:
        """What has a history: each address and its states, with the time since when they are as they are."""
        return self._store.states(name)

    async def history(self, name: str, place: LogPlace | None, limit: int) -> FoundChanges | None:
        """The changes of one target, the newest first; None if they cannot be read."""
        part = await self._store.read_log(LogQuery(place, target=name, backwards=True, limit=limit))
        if part is None:
            return None
        found, values = list[Numbered](), 0
        for one in part.found:
            found.append(one)
            values += _values_of(one.change)
            if values >= MOST_VALUES:
                break
        end = found[-1].number if found else 0
        return _page(part, found, end, more=len(found) < len(part.found) or len(found) == limit)

    async def changes(
        self, wanted: ChangeFilter, since: datetime, place: LogPlace | None, limit: int, *, backwards: bool = False
    ) -> FoundChanges | None:
        """What has changed since this time, the oldest first or the newest; None if it cannot be read.

        A reader that goes on at `next` misses nothing and reads nothing twice, also if the clock was set, and if a page
        was empty. Forwards, `next` also leads to changes of the future. Backwards, there are older ones if `more`.
        """
        found: list[Numbered] = []
        read = values = 0
        while True:
            part = await self._store.read_log(LogQuery(place, since, backwards=backwards, limit=_READ_AT_ONCE))
            if part is None:
                return None
            is_last = len(part.found) < _READ_AT_ONCE
            for place_in_part, one in enumerate(part.found):
                if place_in_part % _CHANGES_SLICE == 0:
                    await asyncio.sleep(0)
                if wanted.matches(one.change, self.summary(one.change.target)):
                    found.append(one)
                    values += _values_of(one.change)
                    if len(found) == limit or values >= MOST_VALUES:
                        others = not is_last or one is not part.found[-1] if backwards else one.number < part.last
                        return _page(part, found, one.number, more=others)
            read += len(part.found)
            end = part.found[-1].number if part.found and (backwards or not is_last) else part.last
            at_end = is_last or (end == part.last and not backwards)
            if at_end or read >= _MOST_READ:
                return _page(part, found, end, more=not at_end)
            place = LogPlace(part.log, end)

    def policies_of(self, name: str) -> tuple[Policy, ...]:
        """The policies of a target, in its order; none if there is no such target."""
        setup = self._publisher.setup
        target = setup.targets.get(name)
        return () if target is None else setup.judge.policies_of(target)

    def policies(self) -> list[PolicyInUse]:
        """All policies that are known, by name."""
        judge = self._publisher.setup.judge
        named = {policy.name: policy for policy in judge.policies.values()}
        used: Counter[str] = Counter()
        for policies, targets in Counter(one.policies for one in self._publisher.setup.targets.values()).items():
            used.update(dict.fromkeys((judge.policies[policy].name for policy in policies), targets))
        return [PolicyInUse(named[name], used[name]) for name in sorted(named)]


def _values_of(change: StateChange) -> int:
    """How many values there are in lists of this change."""
    both = [*_listed(change.before), *_listed(change.after)]
    return sum(len(one) if isinstance(one, dict) else 1 for one in both)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _page(part: LogPart, found: Sequence[Numbered], end: int, *, more: bool) -> FoundChanges:
    return FoundChanges(tuple(one.change for one in found), part.known_since, LogPlace(part.log, end), more)
