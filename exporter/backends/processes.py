"""Scans in processes of their own: `serve --scan.processes=N`.

One event loop uses one core. Each process here has a loop of its own, and scans what it is told to. This process keeps
the schedule, judgement, store and pages.

The limit of connections to one address counts in one process only. So all targets of an address are scanned by the same
process: this process resolves the name, chooses by the address, and sends the addresses along.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from exporter.backends.process import Reports, ScanProcess, ScanProcessError
from exporter.backends.wire import WireError, results_of, task_of
from exporter.config.sections import ResolverSettings
from exporter.errors import ProbeError
from exporter.logs.trace import traced
from exporter.model import Failure, Reason, ScanResult, Target
from exporter.net.patience import waiting_for_us
from exporter.probes.registry import PROBES
from exporter.scan import Environment, Known, not_scanned
from exporter.shortage import ShortageError

APART_SECONDS = 5.0
"""Least time between two starts of the same process."""


class _Place:
    """One of the processes: started when it is needed, and again when it has ended."""

    def __init__(self, pool: "ScanProcesses") -> None:
        self._pool = pool
        self._lock = asyncio.Lock()
        self._started_at: float | None = None
        self.process: ScanProcess | None = None

    async def running(self) -> ScanProcess:
        """The process.

        Raises:
            ScanProcessError, ShortageError: it cannot be started.
        """
        async with self._lock:
            if self.process is None or not self.process.alive:
                await self._start()
            assert self.process is not None  # noqa: S101 - for the types
            return self.process

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._started_at is not None:
            self._pool.reports.restarted()
            await asyncio.sleep(max(0.0, self._started_at + APART_SECONDS - loop.time()))
        self._started_at = loop.time()
        before, self.process = self.process, None
        if before is not None:
            await before.end(within=0)
        settings = self._pool.settings
        self.process = await ScanProcess.start(*settings, self._pool.reports)
        if self._pool.settings != settings:  # a reload, while it started
            self.process.use(*self._pool.settings)


class ScanProcesses:
    """All processes; they start with their first scan.

    Attributes:
        number: how many there are.
        settings: the resolver of scans (None: the system's), and the level of the log.
        reports: what is called with what the processes report.
    """

    def __init__(self, number: int, reports: Reports) -> None:
        self.settings: tuple[ResolverSettings | None, int] = (None, logging.INFO)
        self.reports = reports
        self.number = number
        self._places = [_Place(self) for _ in range(number)]

    def use(self, resolver: ResolverSettings | None) -> None:
        """Use this resolver for the scans that begin from now on."""
        self.settings = resolver, logging.getLogger("exporter").getEffectiveLevel()
        for place in self._places:
            if place.process is not None:
                place.process.use(*self.settings)

    async def scan(self, key: str, task: Mapping[str, Any], late: Callable[[], None]) -> tuple[str, str]:
        """Run a scan in the process of this key; see `ScanProcess.scan`.

        Raises:
            ScanProcessError, ShortageError: the process has ended, or cannot be started.
        """
        number = int.from_bytes(sha256(key.encode()).digest()[:8], "big")
        with waiting_for_us():
            process = await self._places[number % len(self._places)].running()
        return await process.scan(task, late)

    @property
    def running(self) -> list[int]:
        """The process ids of those that run."""
        return [place.process.pid for place in self._places if place.process is not None and place.process.alive]

    async def close(self) -> None:
        """End all processes, and wait for them."""
        running = [place.process for place in self._places if place.process is not None]
        await asyncio.gather(*(process.end() for process in running))


class ProcessBackend:
    """Scans in one of several processes; see `exporter.backends.Backend`."""

    def __init__(self, environment: Environment, processes: ScanProcesses) -> None:
        self._environment = environment
        self._processes = processes

    async def run(self, target: Target, known: Known, late: Callable[[], None]) -> tuple[ScanResult, ...]:
        """See `exporter.backends.Backend`."""
        started = self._environment.now()
        try:
            found = await self._addresses(target)
            key = min(found) if isinstance(found, tuple) and found else target.connect_address or target.host
            trace = traced()
            task = {"task": task_of(target, known, secrets=True), "trace": trace is not None, "addresses": _sent(found)}
            results, lines = await self._processes.scan(key, task, late)
            if trace is not None:
                trace.extend(lines)
            return results_of(results, target)
        except ScanProcessError as error:
            failure = Failure(PROBES[0].name, Reason.WORKER_CRASHED, f"the process of the scan {error}")
        except (ShortageError, WireError) as error:
            failure = Failure(PROBES[0].name, Reason.INTERNAL, str(error))
        return (not_scanned(target, started, self._environment.now(), failure),)

    async def _addresses(self, target: Target) -> Sequence[str] | ProbeError | None:
        """The addresses of the target, or why there are none; None if its name is a proxy's to resolve, or is late."""
        if target.proxy is not None:
            return None
        host = target.connect_address or target.host
        try:
            async with asyncio.timeout(target.scan_timeout.total_seconds()):
                return await self._environment.lookup(host, target.port, target.ip_protocol)
        except ProbeError as error:
            return error
        except TimeoutError:
            return None


def _sent(found: Sequence[str] | ProbeError | None) -> Any:  # noqa: ANN401 - any JSON value
    match found:
        case None:
            return None
        case ProbeError():
            return {"reason": found.reason, "detail": found.detail}
        case _:
            return list(found)
