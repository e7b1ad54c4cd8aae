"""When targets are scanned. APScheduler is the clock; what is due waits in our queue for one of a few workers.

Knows nothing of scanning: it calls what it was given with the name of a target.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SCANS_PER_SECOND = 10
"""Targets never scanned are spread at about this rate over the first seconds (at most a minute)."""
_LONGEST_SPREAD = timedelta(minutes=1)
_TOO_SOON = 0.5
"""A scan that comes due less than this share of an interval after the last one began is left out: right after a start,
the first scan and the one of the target's phase would otherwise follow each other."""


@dataclass(slots=True)
class Gauges:
    """What the schedule tells of itself."""

    running: int = 0
    waiting: int = 0
    lag_seconds: float = 0.0


def share(name: str) -> float:
    """A stable number in [0, 1) for a name, so that restarts do not gather scans at one moment."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def phase(name: str, interval: timedelta) -> datetime:
    """A moment at which the target is due; it is due again each interval before and after."""
    return EPOCH + share(name) * interval


def first_delay(name: str, interval: timedelta, count: int) -> timedelta:
    """How long after the start a target is first scanned, when there are `count` of them."""
    spread = min(timedelta(seconds=count / FIRST_SCANS_PER_SECOND), _LONGEST_SPREAD, interval)
    return share(name) * spread


class Schedule:
    """The clock, the queue and the workers.

    Attributes:
        gauges: updated as things happen.
    """

    def __init__(self, run: Callable[[str], Awaitable[None]], *, workers: int, now: Callable[[], datetime]) -> None:
        self._run = run
        self._now = now
        self._worker_count = workers
        self._clock = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._intervals: dict[str, timedelta] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._due_at: dict[str, datetime] = {}
        self._began_at: dict[str, datetime] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self.gauges = Gauges()

    def start(self) -> None:
        """Start the clock and the workers; needs the running loop."""
        self._clock.start()
        self._workers = [asyncio.create_task(self._work(), name=f"worker-{n}") for n in range(self._worker_count)]

    def sync(self, intervals: Mapping[str, timedelta]) -> None:
        """Make these the targets: new ones are scanned soon, gone ones no more, changed ones at their new pace."""
        for name in self._intervals.keys() - intervals.keys():
            self._forget(name)
        for name, interval in intervals.items():
            known = self._intervals.get(name)
            if known == interval:
                continue
            trigger = IntervalTrigger(seconds=interval.total_seconds(), start_date=phase(name, interval), timezone=UTC)
            self._clock.add_job(self._due, trigger, args=[name], id=name, replace_existing=True)
            if known is None:
                soon = self._now() + first_delay(name, interval, len(intervals))
                self._clock.add_job(self._due, DateTrigger(soon), args=[name], id=_first_id(name))
        self._intervals = dict(intervals)

    def _forget(self, name: str) -> None:
        for job in (name, _first_id(name)):
            if self._clock.get_job(job):
                self._clock.remove_job(job)
        self._due_at.pop(name, None)
        self._began_at.pop(name, None)
        task = self._running.pop(name, None)  # a target of this name that comes anew does not wait for its end
        if task:
            task.cancel()

    async def _due(self, name: str) -> None:
        """Called by the clock: queue the target, unless it waits or runs already or was just scanned."""
        if name in self._due_at or name in self._running or name not in self._intervals:
            return
        began = self._began_at.get(name)
        # A clock that was set back shows a scan of the future, which is no reason to wait for it.
        if began and timedelta(0) <= self._now() - began < _TOO_SOON * self._intervals[name]:
            return
        self._due_at[name] = self._now()
        self.gauges.waiting += 1
        self._queue.put_nowait(name)

    async def _work(self) -> None:
        while True:
            name = await self._queue.get()
            self.gauges.waiting -= 1
            due = self._due_at.pop(name, None)
            if due is None or name in self._running:
                continue  # the target was removed while it waited
            self._began_at[name] = self._now()
            self.gauges.lag_seconds = (self._began_at[name] - due).total_seconds()
            task = asyncio.create_task(self._one(name), name=f"scan-{name}")
            self._running[name] = task
            self.gauges.running += 1
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                if self._running.get(name) is task:
                    del self._running[name]
                self.gauges.running -= 1

    async def _one(self, name: str) -> None:
        try:
            await self._run(name)
        except Exception:  # a named border: one scan's bug must not end its worker
            log.exception("scan of %s", name)

    async def stop(self, within: timedelta) -> bool:
        """Stop the clock, break off what runs, and wait for it; True when all of it ended in time."""
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
