"""A few workers: started when there is work, replaced after a number of jobs, killed if they are late.

This is our own pool and not pebble. pebble sends SIGTERM first and waits three seconds. It also reads results as
pickles, through which a compromised worker could take over this process.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.shortage import ShortageError
from exporter.workers.process import Connect, Worker, WorkerBrokenError

log = logging.getLogger(__name__)

START_SECONDS = 30.0
"""Loading sslyze takes about a second."""


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

    Attributes:
        restarts: number of workers that crashed or were killed; planned replacements do not count.
    """

    def __init__(
        self,
        module: str = "exporter.workers.attacks",
        limits: WorkerLimits | None = None,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._module = module
        self._limits = limits or WorkerLimits()
        self._on_restart = on_restart
        self._places = asyncio.Semaphore(self._limits.most)
        self._idle: list[Worker] = []
        self._leaving: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, name: str, arguments: Mapping[str, object], connect: Connect, seconds: float) -> object:
        """Run the job and return its result as parsed JSON; waiting for a free place does not count as time.

        Raises:
            ProbeError: `worker_crashed`; `deadline_exceeded` if the job took longer than `seconds`; what `connect`
                raised.
            ShortageError: this machine could not start a worker, or open a connection for it.
        """
        async with self._places:
            worker = await self._take()
            try:
                async with asyncio.timeout(seconds):
                    result = await worker.run(name, arguments, connect)
            except (ProbeError, ShortageError):
                self._give_back(worker)
                raise
            except (WorkerBrokenError, TimeoutError) as error:
                self._drop(worker)
                raise _mapped(error, name, seconds) from error
            except BaseException:
                self._drop(worker)
                raise
        self._give_back(worker)
        return result

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            self._leaving.pop(worker).cancel()
            if worker.alive:
                return worker
            self._drop(worker)
        try:
            async with asyncio.timeout(START_SECONDS):
                return await Worker.start(self._module, self._limits.memory_bytes)
        except (WorkerBrokenError, TimeoutError) as error:
            self._on_restart()
            raise _mapped(error, "start", START_SECONDS) from error

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
