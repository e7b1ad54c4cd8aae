"""One process of `--scan.processes`, as the main process sees it: start it, have it scan, replace it if it hangs.

Messages are lines of JSON on a socket; `exporter.scan_process` is the other side.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import exporter
from exporter.backends.wire import WireError
from exporter.config.sections import ResolverSettings
from exporter.logs import fields
from exporter.shortage import SHORTAGES, Resource, raise_shortage
from exporter.workers.protection import Protection

log = logging.getLogger(__name__)

MODULE = "exporter.scan_process"
START_SECONDS = 60.0
"""Loading the program takes one or two seconds; a busy machine takes longer."""
ASKED_EVERY_SECONDS = 10.0
"""How often a process is asked for a sign of life."""
SILENT_SECONDS = 60.0
"""A process that has not said anything for so long is killed: no callback of its event loop takes nearly as long."""
MOST_LINE_BYTES = 64 << 20
"""Of one message. `exporter.backends.wire` has a lower limit for documents, which are a part of it."""
END_SECONDS = 5.0
"""A process ends when its connection to this one is closed. After this time it is killed."""


class ScanProcessError(Exception):
    """A process ended, or cannot be started. Nothing is known about the target."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Called with what the processes report besides results.

    Attributes:
        restarted: a process had to be replaced.
        late: how late the event loop of a process was, in seconds.
        worker_restarted, worker_started, not_tried: as those of `exporter.workers.Workers`.
    """

    restarted: Callable[[], object] = lambda: None
    late: Callable[[float], object] = lambda _: None
    worker_restarted: Callable[[], object] = lambda: None
    worker_started: Callable[[tuple[Protection, ...]], object] = lambda _: None
    not_tried: Callable[[], object] = lambda: None

    def take(self, message: Mapping[str, Any]) -> None:
        """Pass on what a process says that is not about one scan."""
        match message["kind"]:
            case "alive":
                for seconds in message["lags"]:
                    self.late(float(seconds))
                for resource, times in message["shortages"].items():
                    SHORTAGES.counts[Resource(resource)] += times
            case "worker restarted":
                self.worker_restarted()
            case "worker started":
                self.worker_started(tuple(Protection(*one) for one in message["protections"]))
            case "not tried":
                self.not_tried()


@dataclass(slots=True, eq=False)
class _AwaitedScan:
    """A scan that a process runs.

    Attributes:
        answer: gets its results document, and the lines of its log for who wants them.
        late: called when the server takes long.
    """

    answer: asyncio.Future[tuple[str, str]]
    late: Callable[[], None]


class ScanProcess:
    """One running process.

    Attributes:
        alive: it runs, and its connection is open.
        pid: its process id.
    """

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._numbers = count(1)
        self._scans: dict[int, _AwaitedScan] = {}
        self._heard_at = asyncio.get_running_loop().time()
        self._tasks: list[asyncio.Task[None]] = []
        self.alive = True
        self.pid = process.pid

    @classmethod
    async def start(cls, resolver: ResolverSettings | None, level: int, reports: Reports) -> Self:
        """Start a process; returns when it is ready.

        Raises:
            ScanProcessError: it did not start.
            ShortageError: this machine has no descriptor, memory or process for it.
        """
        ours, theirs = socket.socketpair()
        command = (sys.executable, "-P", "-m", MODULE, str(theirs.fileno()))
        folder = str(Path(exporter.__file__).parent.parent)
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": folder}
                )
            finally:
                theirs.close()
            reader, writer = await asyncio.open_connection(sock=ours, limit=MOST_LINE_BYTES)
        except OSError as error:
            ours.close()
            raise_shortage(error, "cannot start a process for scans")
            raise ScanProcessError(f"cannot be started: {error}") from error
        started = cls(process, reader, writer)
        try:
            async with asyncio.timeout(START_SECONDS):
                started.use(resolver, level)
                await started._hear(reports)
        except BaseException as error:
            await started.end(within=0)
            if isinstance(error, TimeoutError):
                raise ScanProcessError("was not ready in time") from error
            raise
        started._tasks = [asyncio.create_task(started._listen(reports)), asyncio.create_task(started._watch())]
        return started

    def use(self, resolver: ResolverSettings | None, level: int) -> None:
        """Use this resolver for the scans that begin from now on, and log from this level on."""
        settings = None if resolver is None else {**dict(resolver), "timeout": resolver.timeout.total_seconds()}
        self._say({"kind": "use", "resolver": settings, "level": level})

    async def scan(self, task: Mapping[str, Any], late: Callable[[], None]) -> tuple[str, str]:
        """Run a scan; returns its results document, and the lines of its log if the task wants them.

        Raises:
            ScanProcessError: the process has ended.
            WireError: it could not read the task.
        """
        number, scan = next(self._numbers), _AwaitedScan(asyncio.get_running_loop().create_future(), late)
        if not self.alive:
            raise ScanProcessError("has ended")
        self._scans[number] = scan
        try:
            self._say({"kind": "scan", "number": number, **task})
            with suppress(OSError):
                await self._writer.drain()
            return await scan.answer
        except asyncio.CancelledError:
            self._say({"kind": "cancel", "number": number})
            raise
        finally:
            self._scans.pop(number, None)

    def _say(self, message: Mapping[str, Any]) -> None:
        if self.alive:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _hear(self, reports: Reports) -> None:
        """Read and handle one message.

        Raises:
            ScanProcessError: the process has ended, or says what no process says.
        """
        try:
            line = await self._reader.readuntil(b"\n")
            message = json.loads(line)
            self._heard_at = asyncio.get_running_loop().time()
            self._take(message, reports)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ScanProcessError("has ended") from error
        except (asyncio.LimitOverrunError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ScanProcessError(f"sent a message that cannot be used: {type(error).__name__}") from error

    def _take(self, message: Mapping[str, Any], reports: Reports) -> None:
        match message["kind"]:
            case "late" if scan := self._scans.get(message["number"]):
                scan.late()
            case "done" if (scan := self._scans.get(message["number"])) and not scan.answer.done():
                scan.answer.set_result((str(message["results"]), str(message["log"])))
            case "failed" if (scan := self._scans.get(message["number"])) and not scan.answer.done():
                scan.answer.set_exception(WireError(str(message["why"])))
            case "log":
                of = logging.getLogger(message["logger"])
                if of.isEnabledFor(message["level"]):
                    of.handle(_record(message))
            case _:
                reports.take(message)

    async def _listen(self, reports: Reports) -> None:
        try:
            while True:
                await self._hear(reports)
        except ScanProcessError as error:
            self._fail(str(error))

    async def _watch(self) -> None:
        """Kill the process if it does not say anything any more."""
        loop = asyncio.get_running_loop()
        while self.alive:
            asked_at = loop.time()
            self._say({"kind": "alive?"})
            await asyncio.sleep(ASKED_EVERY_SECONDS)
            stood_still = loop.time() - asked_at - ASKED_EVERY_SECONDS  # this process, not that one
            self._heard_at += max(0.0, stood_still)
            if loop.time() - self._heard_at > SILENT_SECONDS:
                self._kill()
                self._fail(f"has not answered for {SILENT_SECONDS:.0f} s")

    def _fail(self, why: str) -> None:
        if self.alive:
            self.alive = False
            log.error("a process for scans %s", why, extra=fields(pid=self.pid, scans=len(self._scans)))
        for scan in self._scans.values():
            if not scan.answer.done():
                scan.answer.set_exception(ScanProcessError(why))

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def end(self, within: float = END_SECONDS) -> None:
        """Have it end, and wait for it."""
        self.alive = False
        for task in self._tasks:
            task.cancel()
        self._fail("is stopped")
        self._writer.close()
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()


def _record(message: Mapping[str, Any]) -> logging.LogRecord:
    record = logging.LogRecord(str(message["logger"]), int(message["level"]), "", 0, str(message["text"]), None, None)
    record.fields = {str(name): value for name, value in message["fields"].items()}
    return record
