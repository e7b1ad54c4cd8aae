"""The clock of the schedule: APScheduler with one job a target, which stands for all the moments of this target.

Jobs are added, moved and removed in small groups, between which the event loop does other work: one job costs 0.05 ms,
so ten thousand at once would hold it for half a second.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from exporter.logs import fields
from exporter.monotonic import Every, Monotonic

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Jobs that one callback changes or runs: some 3 ms."""
_WATCH = "watch"


@dataclass(slots=True)
class Moments:
    """When a target is due, by the clock that nobody sets.

    Attributes:
        begin: a moment at which it is due; it is also due each interval before and after.
        looked_at: until when its moments have been noticed.
        first: of its first scan, in addition.
        extra: of a scan that was asked for, in addition.
    """

    begin: datetime
    interval: timedelta
    looked_at: datetime
    first: datetime | None = None
    extra: datetime | None = None

    def after(self, moment: datetime) -> datetime:
        """The next of these moments."""
        regular = self.begin + ((moment - self.begin) // self.interval + 1) * self.interval
        others = [one for one in (self.first, self.extra) if one is not None and one > moment]
        return min([regular, *others])

    @property
    def next(self) -> datetime:
        """The first moment that was not noticed; it may have passed."""
        regular = self.after(self.looked_at)
        return min(one for one in (regular, self.first, self.extra) if one is not None)

    def notice(self, now: datetime) -> tuple[bool, bool]:
        """Whether a regular or the first scan has become due since the last call, and whether an extra one has."""
        due = self.begin + (now - self.begin) // self.interval * self.interval > self.looked_at
        extra = self.extra is not None and self.extra <= now
        if self.first is not None and self.first <= now:
            due, self.first = True, None
        if extra:
            self.extra = None
        self.looked_at = now
        return due, extra


class _AnyMoment(BaseTrigger):  # type: ignore[misc]  # untyped
    """Fires at each moment of a target."""

    __slots__ = ("_moments",)

    def __init__(self, moments: Moments) -> None:
        self._moments = moments

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first moment after now."""
        return self._moments.after(now)


class _InGroups(MemoryJobStore):  # type: ignore[misc]  # untyped
    """After a standstill all jobs are due; they run in small groups, too."""

    def get_due_jobs(self, now: datetime) -> list[object]:
        """The first of the jobs that are due. APScheduler asks again at once for the others."""
        due: list[object] = super().get_due_jobs(now)[:AT_ONCE]
        return due


class Clock:
    """Calls back at the moments of targets."""

    def __init__(self, zone: Monotonic, due: Callable[[str, bool, bool], None], prepare: Callable[[str], None]) -> None:
        """Create it; `start` starts it.

        Args:
            zone: has the time.
            due: called with the name of a target, and what `Moments.notice` says.
            prepare: called with a name before its job is looked at; sets or removes the moments of this name.
        """
        self._zone, self._call, self._prepare = zone, due, prepare
        self._store = _InGroups()
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": self._store, _WATCH: MemoryJobStore()},
            timezone=zone,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._moments: dict[str, Moments] = {}
        self._with_job: set[str] = set()
        self._stale: dict[str, None] = {}  # their jobs do not have the current moments
        self._next_group: asyncio.Handle | None = None

        async def call_back(name: str) -> None:
            self._due(name)

        # APScheduler asks for it with each job, where it is a third of the work.
        call_back.__signature__ = inspect.signature(call_back)  # type: ignore[attr-defined]
        self._job = call_back

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return bool(self._scheduler.running)

    def start(self, watch: Callable[[], Awaitable[None]], every: timedelta) -> None:
        """Start it, and also call `watch` at this interval. Needs a running event loop."""
        self._scheduler.add_job(watch, Every(every, self._zone.now()), id=_WATCH, jobstore=_WATCH)
        self._scheduler.start()
        self.changed()

    def get(self, name: str) -> Moments | None:
        """The moments of the target; after a change of them call `changed`."""
        return self._moments.get(name)

    def put(self, name: str, moments: Moments) -> None:
        """Call back at these moments."""
        self._moments[name] = moments
        self.changed(name)

    def remove(self, name: str) -> None:
        """Forget the target."""
        if self._moments.pop(name, None) is not None:
            self.changed(name)

    def changed(self, *names: str) -> None:
        """The moments of these targets are others now. Their jobs follow soon."""
        self._stale.update(dict.fromkeys(names))
        if self._next_group is None and self._stale and self._scheduler.running:
            self._next_group = asyncio.get_running_loop().call_soon(self._follow)

    def _follow(self) -> None:
        """Let the jobs of the next few targets follow; a paused scheduler does not look at all jobs after each."""
        self._next_group = None
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        try:
            for _ in range(min(AT_ONCE, len(self._stale))):
                name = next(iter(self._stale))
                try:
                    self._prepare(name)
                    self._set_job(name)
                except Exception:  # a named border: a defect in one target must not keep the others from being due
                    log.exception("cannot schedule a target", extra=fields(target=name))
                self._stale.pop(name, None)
        finally:
            self._scheduler.resume()
        self.changed()

    def _set_job(self, name: str) -> None:
        moments = self._moments.get(name)
        if moments is None:
            if name in self._with_job:
                self._with_job.remove(name)
                self._scheduler.remove_job(name, "default")
            return
        trigger, at = _AnyMoment(moments), moments.next
        if name in self._with_job:
            self._scheduler.modify_job(name, "default", trigger=trigger, next_run_time=at)
        else:
            self._scheduler.add_job(self._job, trigger, args=(name,), id=name, name=_WATCH, next_run_time=at)
            self._with_job.add(name)

    def _due(self, name: str) -> None:
        moments = self._moments.get(name)
        if moments is not None:
            self._call(name, *moments.notice(self._zone.now()))

    def next(self) -> datetime | None:
        """The next moment of any target; None without targets."""
        if self._stale:
            return min((moments.next for moments in self._moments.values()), default=None)
        at: datetime | None = self._store.get_next_run_time()
        return at

    def pause(self) -> None:
        """Call nothing back any more."""
        if self._scheduler.running:
            self._scheduler.pause()
        self._stale.clear()

    def stop(self) -> None:
        """End it; does nothing if it does not run."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
