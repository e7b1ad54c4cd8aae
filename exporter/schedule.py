"""When targets are scanned. APScheduler is the clock; targets that are due go to the dispatcher.

Intervals are counted on the monotonic clock, so that setting the system's clock neither stops nor multiplies scans.
This module knows nothing about scanning: it calls a function with the name of a target.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from math import inf

from exporter.clock import AT_ONCE, Clock, Moments
from exporter.dispatch import BACKED_OFF, Dispatcher, Gauges, Run
from exporter.monotonic import EPOCH, Monotonic

log = logging.getLogger(__name__)

FIRST_SCANS_PER_SECOND = 10
"""Targets that were never scanned are spread at about this rate over the first seconds (at most a minute)."""
_LONGEST_SPREAD = timedelta(minutes=1)
_TOO_SOON = 0.5
"""A scan is skipped if it is due less than this share of an interval after the start of the last one. Otherwise, after
a start, the first scan and the one at the target's phase could directly follow each other."""
_EXTRA_APART_SECONDS = 60.0
"""Least time between two extra scans of a target: a server whose certificates last for seconds must not be scanned all
the time."""
_CLOCK_LOOKED_AT = timedelta(seconds=5)
"""How often the two clocks are compared."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was known of a target before a restart.

    Attributes:
        begun_at: start of its latest scan, by the system's clock.
        failures: how many of its scans had failed in a row.
    """

    begun_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """A target whose moments are not yet set, because there can be thousands of them.

    Attributes:
        since: when it was added, by the monotonic clock.
        of: how many were added then.
        past: what was known before.
    """

    since: float
    of: int
    past: Callable[[str], Past | None]


def share(name: str) -> float:
    """A stable number in [0, 1) for a name, so that restarts do not move scans to the same time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def phase(name: str, interval: timedelta) -> datetime:
    """A time at which the target is due; it is also due each interval before and after."""
    return EPOCH + share(name) * interval


def first_delay(name: str, interval: timedelta, count: int) -> timedelta:
    """Time until the first scan of a target, if `count` targets are new."""
    spread = min(timedelta(seconds=count / FIRST_SCANS_PER_SECOND), _LONGEST_SPREAD, interval)
    return share(name) * spread


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Schedule:
    """The clock, and what is due by it."""

    def __init__(
        self,
        run: Run,
        *,
        workers: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = _loop_time,
        tolerance: timedelta = timedelta(minutes=1),
    ) -> None:
        """Create it; `start` starts it.

        Args:
            run: scans a target.
            workers: how many scans run at once.
            now: the system's clock, from which phases are computed.
            monotonic: a clock that nobody sets, in seconds from any start.
            tolerance: the system's clock may be set by this much without consequences.
        """
        self._now = now
        self._monotonic = monotonic
        self._zone = Monotonic(monotonic)
        self._tolerance = tolerance
        self._clock = Clock(self._zone, self._due, self._place)
        self._newcomers: dict[str, _Newcomer] = {}
        self._ahead = timedelta(0)  # system clock minus monotonic clock
        self._intervals: dict[str, timedelta] = {}
        self._left: dict[str, float] = {}  # removed targets -> when a scan of them last began
        self._dispatcher = Dispatcher(run, workers, monotonic)

    @property
    def gauges(self) -> Gauges:
        """The current state."""
        return self._dispatcher.gauges

    def start(self) -> None:
        """Start the clock; needs a running event loop."""
        self._ahead = self._now() - self._zone.now()
        self._clock.start(self._watch, _CLOCK_LOOKED_AT)

    async def _watch(self) -> None:
        self.notice_step()

    def notice_step(self) -> None:
        """Scan all targets again if the system's clock was set.

        The recorded times of facts are then meaningless. The schedule calls this every few seconds.
        """
        if not self._clock.running:
            return
        ahead = self._now() - self._zone.now()
        step = ahead - self._ahead
        if abs(step) > self._tolerance:
            self._ahead = ahead
            way = "forward" if step > timedelta(0) else "back"
            size = timedelta(seconds=round(abs(step).total_seconds()))
            log.warning("the system's clock was set %s by %s: each target is scanned again", way, size)
            self.scan_again(self._intervals)

    def sync(
        self,
        intervals: Mapping[str, timedelta],
        past: Callable[[str], Past | None] = lambda _name: None,
        others: Collection[str] = (),
    ) -> None:
        """Set the targets: new ones are scanned soon, removed ones no more, changed ones at their new interval.

        New targets with a past are scanned when they are due, as if there had been no restart; `past` is called for
        one target after the other, later. One that was removed for
        a moment, before its scan had ended, waits as if it had not been removed: lists that change all the time must
        not lead to scans all the time. `others` are new targets that were other services before.
        """
        for name in self._intervals.keys() - intervals.keys():
            del self._intervals[name]
            self._forget(name)
        self._left = {name: at for name, at in self._left.items() if name not in others and self._is_recent(at)}
        since, count = self._monotonic(), len(intervals.keys() - self._intervals.keys())
        for name, interval in intervals.items():
            known = self._intervals.get(name)
            if known == interval:
                continue
            self._intervals[name] = interval
            if known is None:
                self._newcomers[name] = _Newcomer(since, count, past)
                self._clock.changed(name)
            else:
                self.forgive({name})
                self._set_interval(name)

    def _place(self, name: str) -> None:
        """Set the moments of the target, if it is new."""
        new = self._newcomers.pop(name, None)
        if new is None:
            return
        moments, interval = self._set_interval(name), self._intervals[name]
        if not self._resume(name, interval, new.past(name)):
            at = new.since + first_delay(name, interval, new.of).total_seconds()
            if name in self._left:
                at = max(at, self._left[name] + _EXTRA_APART_SECONDS)
            moments.first = self._zone.at(at)

    def _set_interval(self, name: str) -> Moments:
        """Set the regular moments of the target, and keep the others."""
        self._place(name)
        interval, now = self._intervals[name], self._zone.now()
        begin = (phase(name, interval) - (self._now() - now)).replace(tzinfo=self._zone)
        before = self._clock.get(name)
        moments = Moments(begin, interval, now, *((before.first, before.extra) if before else ()))
        self._clock.put(name, moments)
        return moments

    def _is_recent(self, at: float) -> bool:
        return self._monotonic() - at < _EXTRA_APART_SECONDS

    @property
    def intervals(self) -> Mapping[str, timedelta]:
        """The targets with their intervals."""
        return self._intervals

    def _resume(self, name: str, interval: timedelta, past: Past | None) -> bool:
        """Take over what was known before a restart; whether the target has to wait for its next regular time."""
        now = self._now()
        if past is None or past.begun_at > now:  # the clock was set back since, so the time that has passed is unknown
            return False
        self._dispatcher.remember(name, self._monotonic() - (now - past.begun_at).total_seconds(), past.failures)
        first = phase(name, interval)
        latest = first + (now - first) // interval * interval
        return (latest - past.begun_at).total_seconds() < self._least_apart(name, interval)

    def _least_apart(self, name: str, interval: timedelta) -> float:
        """Least seconds from the start of a scan to that of the next regular one."""
        turns = BACKED_OFF if self._dispatcher.is_backed_off(name) else 1
        return (turns - 1 + _TOO_SOON) * interval.total_seconds()

    def failures(self, name: str) -> int:
        """How many scans of the target have failed in a row."""
        self._place(name)
        return self._dispatcher.failures(name)

    def next_due(self) -> datetime | None:
        """When the next scan is due, by the system's clock; None without targets, and before it is known."""
        for name in [*islice(self._newcomers, AT_ONCE)]:
            self._place(name)
        if not self._clock.running or self._newcomers:
            return None
        at = self._clock.next()
        return None if at is None else self._system_time(at)

    def next_due_of(self, name: str) -> datetime | None:
        """The same for one target; it waits for a place from then on."""
        self._place(name)
        moments = self._clock.get(name) if self._clock.running else None
        return None if moments is None else self._system_time(moments.next)

    def _system_time(self, at: datetime) -> datetime:
        return EPOCH + (at - self._zone.at(0)) + self._ahead

    def scan_again(self, names: Collection[str]) -> None:
        """Scan each of these targets once more soon, spread as after a start; regular scans are unaffected.

        The scan starts after this call: if one is running, another follows it. Two extra scans of a target are at least
        `_EXTRA_APART_SECONDS` apart. One that is not yet due is not put off by another call.
        """
        for name in names:
            interval = self._intervals.get(name)
            if interval is None:
                continue
            self._place(name)
            moments = self._clock.get(name)
            if moments is None:
                continue
            before = self._dispatcher.extra_at.get(name)
            at = self._monotonic() + first_delay(name, interval, len(names)).total_seconds()
            at = at if before is None else max(at, before + _EXTRA_APART_SECONDS)
            wanted = self._zone.at(at)
            moments.extra = wanted if moments.extra is None else min(wanted, moments.extra)
            self._clock.changed(name)

    def scan_now(self, name: str) -> asyncio.Future[bool | None]:
        """Scan the target as soon as it gets a place; see `exporter.dispatch.Dispatcher.scan_now`.

        Raises:
            KeyError: there is no such target.
        """
        self._intervals[name]
        self._place(name)
        return self._dispatcher.scan_now(name)

    def join(self, name: str) -> asyncio.Future[bool | None]:
        """As `scan_now`, but a scan that runs is enough.

        Raises:
            KeyError: there is no such target.
        """
        self._intervals[name]
        self._place(name)
        return self._dispatcher.join(name)

    def waits_for(self, name: str, asked: asyncio.Future[bool | None]) -> bool:
        """Whether the scan that was asked for by `scan_now` has not begun."""
        return self._dispatcher.waits_for(name, asked)

    def was_asked_for(self, name: str) -> bool:
        """Whether somebody asked for the scan of this target that runs, as by `scan_now`."""
        return self._dispatcher.was_asked_for(name)

    def keep(self, name: str) -> None:
        """Called by the scan of this target when it has its results: it is not cancelled for others any more."""
        self._dispatcher.keep(name)

    def forgive(self, names: Collection[str]) -> None:
        """Forget that these targets failed: their configuration has changed."""
        self._dispatcher.forgive(names)

    def _forget(self, name: str) -> None:
        began = max(times.get(name, -inf) for times in (self._dispatcher.began_at, self._dispatcher.extra_at))
        if self._is_recent(began):
            self._left[name] = began
        self._newcomers.pop(name, None)
        self._clock.remove(name)
        self._dispatcher.forget(name)

    def _due(self, name: str, regular: bool, extra: bool) -> None:
        """Called by the clock: queue the target if it is due.

        Not if it is waiting, running, was just scanned or is backed off. An extra scan does not replace a regular one;
        if a scan is running, it follows.
        """
        dispatcher = self._dispatcher
        if regular:
            dispatcher.make_regular(name)
            began = dispatcher.began_at.get(name, dispatcher.extra_at.get(name))  # the first may be one asked for
            if not dispatcher.is_busy(name) and (
                began is None or self._monotonic() - began >= self._least_apart(name, self._intervals[name])
            ):
                dispatcher.scan(name)
        if extra:
            dispatcher.scan_extra(name)

    async def stop(self, within: timedelta) -> bool:
        """Stop the clock, cancel what runs, and wait for it; True if all of it ended in time."""
        self._clock.pause()
        ended = await self._dispatcher.stop(within)
        self._clock.stop()
        return ended
