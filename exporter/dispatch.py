"""Which of the due targets is scanned next, and what their last scans say about that.

A target that failed before, or was slow, waits in a lane of its own. This module knows nothing about scanning: it calls
a function with the name of a target.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from exporter.lanes import Lane, Lanes, Place
from exporter.logs import fields

log = logging.getLogger(__name__)

FAILURES_BEFORE_BACK_OFF = 3
"""A target that failed so many times in a row is scanned at every `BACKED_OFF`th of its times only."""
BACKED_OFF = 2
"""Not more, because the alert TLSPostureScanStale fires after two intervals without a scan. And whoever has repaired a
server waits for this time until that shows."""

Run = Callable[[str, Callable[[], None]], Awaitable[bool | None]]
"""Scans the target with this name; returns whether it was a success, or None if the result does not count.

The second argument is to be called if the server takes long. The scan then continues, unless others need its place: it
is cancelled then, and begins again later.
"""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The state of the schedule for metrics.

    Attributes:
        running: scans that run.
        waiting: targets that are due and wait.
        running_by_lane, waiting_by_lane: the same, lane by lane.
        lag_seconds: how late the last scan outside of the slow lane started.
        backed_off: targets that are scanned less often because they fail.
    """

    running: int
    waiting: int
    running_by_lane: Mapping[Lane, int]
    waiting_by_lane: Mapping[Lane, int]
    lag_seconds: float
    backed_off: int


@dataclass(slots=True)
class _History:
    """The last scans of a target: how many failed in a row, and whether the last one was slow."""

    failures: int = 0
    slow: bool = False


@dataclass(slots=True, eq=False)
class _Scan:
    """A scan that runs.

    Attributes:
        extra: it does not replace a regular one.
        answer: for those who asked for this scan; None if nobody did.
        kept: it is not cancelled for others.
    """

    place: Place
    task: asyncio.Task[bool | None]
    extra: bool
    answer: asyncio.Future[bool | None] | None = None
    kept: bool = False


class Dispatcher:
    """Gives places to targets that are due, and runs their scans.

    Attributes:
        began_at: when the last regular scan of a target began.
        extra_at: when the last extra scan of a target began, or ended.
    """

    def __init__(self, run: Run, places: int, monotonic: Callable[[], float]) -> None:
        """Create it: `run` scans a target, at most `places` run at once, `monotonic` is a clock that nobody sets."""
        self._run = run
        self._monotonic = monotonic
        self._lanes = Lanes(places)
        self._histories: dict[str, _History] = {}
        self._waiting: dict[str, Place] = {}
        self._due_at: dict[str, float] = {}
        self._extra: set[str] = set()
        self._once_more: set[str] = set()
        self._asked: dict[str, asyncio.Future[bool | None]] = {}  # for scans that have not begun
        self._running: dict[str, _Scan] = {}
        self._tasks: set[asyncio.Task[bool | None]] = set()
        self._lag_seconds = 0.0
        self._stopping = False
        self.began_at: dict[str, float] = {}
        self.extra_at: dict[str, float] = {}

    @property
    def gauges(self) -> Gauges:
        """The current state."""
        running = {lane: self._lanes.running(lane) for lane in Lane}
        waiting = {lane: self._lanes.waiting(lane) for lane in Lane}
        return Gauges(
            running=sum(running.values()),
            waiting=sum(waiting.values()),
            running_by_lane=running,
            waiting_by_lane=waiting,
            lag_seconds=self._lag_seconds,
            backed_off=sum(map(self.is_backed_off, self._histories)),
        )

    def is_busy(self, name: str) -> bool:
        """Whether the target waits or is scanned."""
        return name in self._due_at or name in self._running

    def is_backed_off(self, name: str) -> bool:
        """Whether the target has failed so often that it is scanned less often."""
        return self.failures(name) >= FAILURES_BEFORE_BACK_OFF

    def failures(self, name: str) -> int:
        """How many scans of the target have failed in a row."""
        return self._histories.get(name, _History()).failures

    def remember(self, name: str, began_at: float, failures: int) -> None:
        """Record a scan from before the start of this program."""
        self.began_at[name] = began_at
        self._histories[name] = _History(failures)

    def make_regular(self, name: str) -> None:
        """An extra scan that waits serves as the regular one that is due now."""
        self._extra.discard(name)

    def scan(self, name: str) -> None:
        """Scan the target as soon as it gets a place; never after `stop` was called."""
        if self._stopping:
            return
        self._due_at[name] = self._monotonic()
        lane, rank = self._lane(name)
        place = self._lanes.wait(lane, partial(self._begin, name), partial(self._give_up, name), rank)
        if name in self._due_at:  # else it has begun
            self._waiting[name] = place

    def scan_extra(self, name: str) -> None:
        """Scan it in addition to its regular scans. If a scan is running, the extra one follows it."""
        if name in self._running:
            self._once_more.add(name)
        elif name not in self._due_at:
            self._extra.add(name)
            self.scan(name)

    def scan_now(self, name: str) -> asyncio.Future[bool | None]:
        """Queue an extra scan; returns the future of the next scan of this target that begins, of any kind.

        All who ask before it begins share the future, so they must not cancel it. Its result is that of `Run`; it is
        also None if the target is removed, and when the program stops.
        """
        if name not in self._asked:
            self._asked[name] = asyncio.get_running_loop().create_future()
        asked = self._asked[name]
        if self._stopping:
            _settle(self._asked.pop(name), None)
        else:
            self.scan_extra(name)
        return asked

    def join(self, name: str) -> asyncio.Future[bool | None]:
        """The future of the scan of this target that runs, else as `scan_now`. It must not be cancelled."""
        scan = self._running.get(name)
        if scan is None:
            return self.scan_now(name)
        if scan.answer is None:
            scan.answer = asyncio.get_running_loop().create_future()
        return scan.answer

    def waits_for(self, name: str, asked: asyncio.Future[bool | None]) -> bool:
        """Whether the scan that was asked for by `scan_now` has not begun."""
        return self._asked.get(name) is asked

    def was_asked_for(self, name: str) -> bool:
        """Whether somebody asked for the scan of this target that runs."""
        scan = self._running.get(name)
        return scan is not None and scan.answer is not None

    def forgive(self, names: Collection[str]) -> None:
        """Forget that these targets failed: their configuration has changed."""
        for name in names:
            if name in self._histories and self._histories[name].failures:
                del self._histories[name]

    def forget(self, name: str) -> None:
        """The target is removed: it waits no longer, and its scan is cancelled."""
        for times in (self._due_at, self.began_at, self.extra_at):
            times.pop(name, None)
        self._histories.pop(name, None)
        self._extra.discard(name)
        self._once_more.discard(name)
        if place := self._waiting.pop(name, None):
            self._lanes.leave(place)
        _settle(self._asked.pop(name, None), None)
        if scan := self._running.pop(name, None):  # a new target with this name does not wait for it
            _settle(scan.answer, None)
            scan.task.cancel()

    def keep(self, name: str) -> None:
        """Called by the scan of this target when it has its results: it is not cancelled for others any more."""
        scan = self._running.get(name)
        if scan and scan.task is asyncio.current_task():
            scan.kept = True

    def _lane(self, name: str) -> tuple[Lane, int]:
        """Where the target waits. In the slow lane, those that failed least often are first."""
        history = self._histories.get(name)
        if history is None:
            return Lane.NEW, 0
        if history.slow or history.failures:
            return Lane.SLOW, min(history.failures, FAILURES_BEFORE_BACK_OFF)
        return Lane.HEALTHY, 0

    def _begin(self, name: str, place: Place) -> None:
        """Start the scan: the target has a place."""
        self._waiting.pop(name, None)
        began, due = self._monotonic(), self._due_at.pop(name)
        if place.lane is not Lane.SLOW:
            self._lag_seconds = began - due
        extra = name in self._extra
        self._extra.discard(name)
        (self.extra_at if extra else self.began_at)[name] = began
        task = asyncio.create_task(self._one(name, partial(self._lanes.make_late, place)), name=f"scan-{name}")
        self._tasks.add(task)
        self._running[name] = _Scan(place, task, extra, self._asked.pop(name, None))
        task.add_done_callback(partial(self._ended, name, place))

    def _give_up(self, name: str, place: Place) -> None:
        scan = self._running.get(name)
        if scan and scan.place is place and not scan.kept:  # another place: the target was removed, and it is cancelled
            scan.task.cancel()

    async def _one(self, name: str, late: Callable[[], None]) -> bool | None:
        try:
            return await self._run(name, late)
        except Exception:  # a named border: one scan's bug must not end the others
            log.exception("scan failed", extra=fields(target=name))
            return False

    def _ended(self, name: str, place: Place, task: asyncio.Task[bool | None]) -> None:
        """Called when a scan has ended, or was cancelled."""
        self._tasks.discard(task)
        if name in self._running and self._running[name].task is task:
            scan = self._running.pop(name)
            if name in self.extra_at:  # from its end, or a slow target would be scanned without a pause
                self.extra_at[name] = self._monotonic()
            if not task.cancelled():
                self._record(name, place, task.result())
                _settle(scan.answer, task.result())
                self._follow(name)
            elif place.given_up and not self._stopping:
                self._ask_again(name, scan.answer)
                self._wait_in_slow_lane(name, extra=scan.extra)
            else:
                _settle(scan.answer, None)
        self._lanes.leave(place)

    def _ask_again(self, name: str, answer: asyncio.Future[bool | None] | None) -> None:
        """Whoever waits for the scan that was cancelled waits for the next one."""
        if answer is None:
            return
        later = self._asked.setdefault(name, answer)
        if later is not answer:
            later.add_done_callback(lambda done: _settle(answer, done.result()))

    def _record(self, name: str, place: Place, success: bool | None) -> None:
        """Remember how the scan ended, which decides on the lane of the next."""
        if success is not None:
            failures = 0 if success else self.failures(name) + 1
            self._histories[name] = _History(failures, slow=place.late)

    def _follow(self, name: str) -> None:
        """Queue the extra scan that was wanted while this one ran."""
        if name in self._once_more:
            self._once_more.discard(name)
            self._extra.add(name)
            self.scan(name)

    def _wait_in_slow_lane(self, name: str, *, extra: bool) -> None:
        """The scan was slow, and others needed its place: it begins again when the slow lane has one."""
        self._histories.setdefault(name, _History()).slow = True
        if extra:
            self._extra.add(name)
        self.scan(name)

    async def stop(self, within: timedelta) -> bool:
        """Cancel what runs, and wait for it; True if all of it ended in time."""
        self._stopping = True
        for name in list(self._asked):
            _settle(self._asked.pop(name), None)
        for place in list(self._waiting.values()):
            self._lanes.leave(place)
        self._waiting.clear()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        pending: set[asyncio.Task[bool | None]] = set()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=within.total_seconds())
        return not pending


def _settle(answer: asyncio.Future[bool | None] | None, result: bool | None) -> None:
    if answer is not None and not answer.done():
        answer.set_result(result)
