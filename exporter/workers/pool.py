"""A few workers: started when there is work, replaced after a number of jobs, killed if they are late.

Two servers that delay every answer must not keep all workers busy. A job that is slow, and the next ones of its owner,
have only half of the workers. If others wait, a slow job gives up its worker and begins again later.

This is our own pool and not pebble. pebble sends SIGTERM first and waits three seconds. It also reads results as
pickles, through which a compromised worker could take over this process.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.lanes import Lane, Lanes, Place
from exporter.model import Reason
from exporter.shortage import ShortageError
from exporter.workers.process import Connect, LibraryUnavailableError, Worker, WorkerBrokenError
from exporter.workers.protection import Protection

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""Loading sslyze takes about a second."""
UNAVAILABLE_SECONDS = 3600.0
"""How long no worker is started after one could not load its library. Each start costs half a second of CPU time, and
each scan would make one."""

QUICK_SECONDS = 10.0
"""A job that takes longer is slow. Each attack takes less where a round trip takes up to 0.1 s."""
_MOST_SLOW_OWNERS = 10_000
"""Most owners of slow jobs that are remembered; all are forgotten if there are more."""


class NoWorkerError(Exception):
    """No worker was free in time, so the job was not begun."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How a job waits for a worker.

    Attributes:
        owner: for whom it is; slow jobs of an owner cost its next ones their precedence.
        start_by: latest time of the running loop at which it may begin; None waits without a limit.
        waiting: what is entered while it waits.
    """

    owner: str = ""
    start_by: float | None = None
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext


_ANY_TURN = Turn()


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Bounds of the workers.

    Attributes:
        most: most workers at once.
        jobs_each: jobs of one worker before it is replaced; OpenSSL and sslyze leak some memory with each job.
        memory_bytes: address space of one worker.
        idle_seconds: how long a worker without work is kept.
    """

    most: int = 2
    jobs_each: int = 200
    memory_bytes: int = 1 << 30
    idle_seconds: float = 60.0


class Workers:
    """Runs jobs of one module in separate processes.

    Args:
        on_restart: called when a worker crashed or was killed.
        on_start: gets the protections of each worker that has started.

    Attributes:
        restarts: number of workers that crashed or were killed; planned replacements do not count.
    """

    def __init__(
        self,
        module: str = "exporter.workers.attacks",
        limits: WorkerLimits | None = None,
        on_restart: Callable[[], None] = lambda: None,
        on_start: Callable[[tuple[Protection, ...]], None] = lambda _: None,
        on_not_tried: Callable[[], None] = lambda: None,
    ) -> None:
        self._module = module
        self._limits = limits or WorkerLimits()
        self._on_restart = on_restart
        self._on_start = on_start
        self._on_not_tried = on_not_tried
        self._lanes = Lanes(self._limits.most)
        self._slow_owners: set[str] = set()
        self._limits_of: dict[Place, asyncio.Timeout] = {}
        self._idle: list[Worker] = []
        self._leaving: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._unavailable: tuple[str, float] = ("", 0.0)  # why, and until when

    async def run(
        self,
        name: str,
        arguments: Mapping[str, object],
        connect: Connect,
        seconds: float,
        turn: Turn = _ANY_TURN,
    ) -> object:
        """Run the job and return its result as parsed JSON; waiting for a free place does not count as time.

        Raises:
            NoWorkerError: no worker was free before `turn.start_by`.
            ProbeError: `worker_crashed`; `library_unavailable`; `deadline_exceeded` if the job took longer than
                `seconds`; what `connect` raised.
            ShortageError: this machine could not start a worker, or open a connection for it.
        """
        lane = Lane.SLOW if turn.owner in self._slow_owners else Lane.HEALTHY
        while True:
            async with self._place(turn, lane) as place:
                worker = await self._take()
                try:
                    result = await self._run(place, seconds, worker.run(name, arguments, connect))
                except (ProbeError, ShortageError):
                    self._give_back(worker)
                    raise
                except (WorkerBrokenError, TimeoutError) as error:
                    self._drop(worker)
                    if not place.given_up or isinstance(error, WorkerBrokenError):
                        raise _mapped(error, name, seconds) from error
                except BaseException:
                    self._drop(worker)
                    raise
                else:
                    self._give_back(worker)
                    return result
            lane = Lane.SLOW

    @property
    def slow_jobs(self) -> int:
        """How many slow jobs run."""
        return self._lanes.running(Lane.SLOW)

    async def _run(self, place: Place, seconds: float, job: Awaitable[object]) -> object:
        """The result of the job, which runs as long as it may keep its place."""
        slow = asyncio.get_running_loop().call_later(QUICK_SECONDS, self._lanes.make_late, place)
        try:
            async with asyncio.timeout(seconds) as limit:
                self._limits_of[place] = limit
                return await job
        finally:
            slow.cancel()
            self._limits_of.pop(place, None)

    def _end_job(self, place: Place) -> None:
        """Others need the place of a slow job."""
        limit = self._limits_of.get(place)
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def _place(self, turn: Turn, lane: Lane) -> AsyncIterator[Place]:
        """Hold a place, and remember at its end whether the owner is slow.

        Raises:
            NoWorkerError: there was none in time.
        """
        ready = asyncio.Event()
        place = self._lanes.wait(lane, lambda _: ready.set(), self._end_job)
        try:
            await self._wait(ready, turn)
            yield place
        finally:
            if ready.is_set():
                self._remember(turn.owner, slow=place.late)
            self._lanes.leave(place)

    async def _wait(self, ready: asyncio.Event, turn: Turn) -> None:
        try:
            with turn.waiting():
                async with asyncio.timeout_at(turn.start_by):
                    await ready.wait()
        except TimeoutError as error:
            self._on_not_tried()
            raise NoWorkerError from error

    def _remember(self, owner: str, *, slow: bool) -> None:
        if not slow:
            self._slow_owners.discard(owner)
        elif owner:
            if len(self._slow_owners) >= _MOST_SLOW_OWNERS:
                self._slow_owners.clear()
            self._slow_owners.add(owner)

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            self._leaving.pop(worker).cancel()
            if worker.alive:
                return worker
            self._drop(worker)
        now, (why, until) = asyncio.get_running_loop().time(), self._unavailable
        if now < until:
            raise ProbeError(Reason.LIBRARY_UNAVAILABLE, why)
        try:
            async with asyncio.timeout(START_SECONDS):
                worker = await Worker.start(self._module, self._limits.memory_bytes)
        except LibraryUnavailableError as error:
            why = f"attacks cannot be tried: {error}"
            log.warning("%s; the next attempt is in an hour", why)
            self._unavailable = (why, now + UNAVAILABLE_SECONDS)
            raise ProbeError(Reason.LIBRARY_UNAVAILABLE, why) from error
        except (WorkerBrokenError, TimeoutError) as error:
            self._on_restart()
            raise _mapped(error, "start", START_SECONDS) from error
        self._on_start(worker.protections)
        return worker

    def _give_back(self, worker: Worker) -> None:
        if worker.jobs_done >= self._limits.jobs_each:
            self._see_off(worker)
            return
        self._idle.append(worker)
        later = asyncio.get_running_loop().call_later(self._limits.idle_seconds, self._dismiss, worker)
        self._leaving[worker] = later

    def _dismiss(self, worker: Worker) -> None:
        self._idle.remove(worker)
        self._leaving.pop(worker).cancel()
        self._see_off(worker)

    def _drop(self, worker: Worker) -> None:
        """Kill a worker that crashed, is late, or whose job was cancelled."""
        self._on_restart()
        self._see_off(worker)

    def _see_off(self, worker: Worker) -> None:
        """Kill the worker now; a task waits for its end."""
        worker.kill()
        task = asyncio.get_running_loop().create_task(worker.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all workers without a job; the others end with their job, or when it is cancelled."""
        for worker in list(self._idle):
            self._dismiss(worker)
        if self._ending:
            await asyncio.wait(set(self._ending))


def _mapped(error: WorkerBrokenError | TimeoutError, what: str, seconds: float) -> ProbeError:
    if isinstance(error, TimeoutError):
        return ProbeError(Reason.DEADLINE_EXCEEDED, f"{what}: not done within {seconds:.0f} s")
    return ProbeError(Reason.WORKER_CRASHED, f"{what}: {error}")
