"""When targets are scanned. APScheduler is the clock; targets that are due wait in a queue for one of a few workers.

Intervals are counted on the monotonic clock, so that setting the system's clock neither stops nor multiplies scans.
This module knows nothing about scanning: it calls a function with the name of a target.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from exporter.logs import fields

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(slots=True)
class Gauges:
    """The state of the schedule for metrics."""

    running: int = 0
    waiting: int = 0
    lag_seconds: float = 0.0


def share(name: str) -> float:
    """A stable number in [0, 1) for a name, so that restarts do not move scans to the same time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def phase(name: str, interval: timedelta) -> datetime:
    """A time at which the target is due; it is also due each interval before and after."""
    return EPOCH + share(name) * interval


def first_delay(name: str, interval: timedelta, count: int) -> timedelta:
    """Time from the start to the first scan of a target, if there are `count` targets."""
    spread = min(timedelta(seconds=count / FIRST_SCANS_PER_SECOND), _LONGEST_SPREAD, interval)
    return share(name) * spread


class _Monotonic(tzinfo):
    """A time zone for APScheduler whose current time is that of the monotonic clock, which nobody sets.

    APScheduler gets the time only from `datetime.now(zone)` (3.11, `schedulers/base.py`), which calls the zone's
    `fromutc`. With the system's clock, a step back would leave each next run in the future. After a step forward,
    APScheduler would list all the runs that were missed.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        """The current time in this zone.

        All times of jobs use this zone, because APScheduler would convert others, which calls `fromutc` too.
        """
        return self.at(self._seconds())

    def at(self, seconds: float) -> datetime:
        """A reading of the monotonic clock as a time."""
        return EPOCH.replace(tzinfo=self) + timedelta(seconds=seconds)

    def fromutc(self, _dt: datetime, /) -> datetime:
        """The time of the monotonic clock, whatever the system's clock shows."""
        return self.now()

    def utcoffset(self, _dt: datetime | None, /) -> timedelta:
        """Zero."""
        return timedelta(0)

    def dst(self, _dt: datetime | None, /) -> timedelta:
        """Zero."""
        return timedelta(0)

    def tzname(self, _dt: datetime | None, /) -> str:
        """The name of the zone."""
        return "monotonic"


class _Every(BaseTrigger):  # type: ignore[misc]  # untyped
    """Fires each interval, counted from a start time; runs missed during a pause are skipped."""

    def __init__(self, interval: timedelta, begin: datetime) -> None:
        self._interval = interval
        self._begin = begin

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first time after now."""
        return self._begin + ((now - self._begin) // self._interval + 1) * self._interval


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Schedule:
    """The clock, the queue and the workers.

    Attributes:
        gauges: always up to date.
    """

    def __init__(
        self,
        run: Callable[[str], Awaitable[None]],
        *,
        workers: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = _loop_time,
        tolerance: timedelta = timedelta(minutes=1),
    ) -> None:
        """Create it; `start` starts it.

        Args:
            run: scans the target with this name.
            workers: how many scans run at once.
            now: the system's clock, from which phases are computed.
            monotonic: a clock that nobody sets, in seconds from any start.
            tolerance: the system's clock may be set by this much without consequences.
        """
        self._run = run
        self._now = now
        self._monotonic = monotonic
        self._zone = _Monotonic(monotonic)
        self._tolerance = tolerance
        self._worker_count = workers
        self._clock = AsyncIOScheduler(
            timezone=self._zone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._ahead = timedelta(0)  # system clock minus monotonic clock
        self._intervals: dict[str, timedelta] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._due_at: dict[str, float] = {}
        self._began_at: dict[str, float] = {}
        self._extra: set[str] = set()
        self._extra_at: dict[str, float] = {}
        self._once_more: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self.gauges = Gauges()

    def start(self) -> None:
        """Start the clock and the workers; needs a running event loop."""
        self._ahead = self._now() - self._zone.now()
        self._clock.add_job(self._watch, _Every(_CLOCK_LOOKED_AT, self._zone.now()))
        self._clock.start()
        self._workers = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._worker_count)]

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

    def sync(self, intervals: Mapping[str, timedelta]) -> None:
        """Set the targets: new ones are scanned soon, removed ones no more, changed ones at their new interval."""
        for name in self._intervals.keys() - intervals.keys():
            self._forget(name)
        ahead = self._now() - self._zone.now()
        for name, interval in intervals.items():
            known = self._intervals.get(name)
            if known == interval:
                continue
            trigger = _Every(interval, (phase(name, interval) - ahead).replace(tzinfo=self._zone))
            self._clock.add_job(self._due, trigger, args=[name], id=name, replace_existing=True)
            if known is None:
                soon = self._zone.now() + first_delay(name, interval, len(intervals))
                self._clock.add_job(self._due, DateTrigger(soon), args=[name], id=_first_id(name))
        self._intervals = dict(intervals)

    def scan_again(self, names: Collection[str]) -> None:
        """Scan each of these targets once more soon, spread as after a start; regular scans are unaffected.

        The scan starts after this call: if one is running, another follows it. Two extra scans of a target are at least
        `_EXTRA_APART_SECONDS` apart.
        """
        for name in names:
            interval = self._intervals.get(name)
            if interval is None:
                continue
            before = self._extra_at.get(name)
            at = self._monotonic() + first_delay(name, interval, len(names)).total_seconds()
            at = at if before is None else max(at, before + _EXTRA_APART_SECONDS)
            trigger = DateTrigger(self._zone.at(at))
            self._clock.add_job(self._due_extra, trigger, args=[name], id=_extra_id(name), replace_existing=True)

    def _forget(self, name: str) -> None:
        for job in (name, _first_id(name), _extra_id(name)):
            if self._clock.get_job(job):
                self._clock.remove_job(job)
        for times in (self._due_at, self._began_at, self._extra_at):
            times.pop(name, None)
        self._extra.discard(name)
        self._once_more.discard(name)
        task = self._running.pop(name, None)  # a new target with this name does not wait for it
        if task:
            task.cancel()

    async def _due(self, name: str) -> None:
        """Called by the clock: queue the target, unless it is waiting, running or was just scanned."""
        self._extra.discard(name)  # a waiting extra scan serves as this one
        if name in self._due_at or name in self._running or name not in self._intervals:
            return
        began = self._began_at.get(name)
        if began is not None and self._monotonic() - began < _TOO_SOON * self._intervals[name].total_seconds():
            return
        self._enqueue(name)

    async def _due_extra(self, name: str) -> None:
        """Queue an extra scan, which does not replace a regular one; if a scan is running, it follows."""
        if name in self._running:
            self._once_more.add(name)
        elif name in self._intervals and name not in self._due_at:
            self._extra.add(name)
            self._enqueue(name)

    def _enqueue(self, name: str) -> None:
        self._due_at[name] = self._monotonic()
        self.gauges.waiting += 1
        self._queue.put_nowait(name)

    async def _work(self) -> None:
        while True:
            name = await self._queue.get()
            self.gauges.waiting -= 1
            due = self._due_at.pop(name, None)
            if due is None or name in self._running:
                continue  # the target was removed while it waited
            self._begins(name, due)
            task = asyncio.create_task(self._one(name), name=f"scan-{name}")
            self._running[name] = task
            self.gauges.running += 1
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                if self._running.get(name) is task:
                    del self._running[name]
                if name in self._extra_at:  # from its end, or a slow target would be scanned without a pause
                    self._extra_at[name] = self._monotonic()
                self.gauges.running -= 1
            if name in self._once_more and name not in self._running:
                self._once_more.discard(name)
                await self._due_extra(name)

    def _begins(self, name: str, due: float) -> None:
        began = self._monotonic()
        self.gauges.lag_seconds = began - due
        if name in self._extra:
            self._extra.discard(name)
            self._extra_at[name] = began
        else:
            self._began_at[name] = began

    async def _one(self, name: str) -> None:
        try:
            await self._run(name)
        except Exception:  # a named border: one scan's bug must not end its worker
            log.exception("scan failed", extra=fields(target=name))

    async def stop(self, within: timedelta) -> bool:
        """Stop the clock, cancel what runs, and wait for it; True if all of it ended in time."""
        if self._clock.running:
            self._clock.pause()
        tasks = [*self._running.values(), *self._workers]
        for task in tasks:
            task.cancel()
        pending: set[asyncio.Task[None]] = set()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=within.total_seconds())
        if self._clock.running:
            self._clock.shutdown(wait=False)
        return not pending


def _first_id(name: str) -> str:
    return f"first scan of {name}"


def _extra_id(name: str) -> str:
    return f"extra scan of {name}"
