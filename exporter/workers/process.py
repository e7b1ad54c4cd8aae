"""One worker as the main process sees it: start it, give it a job, relay its connections, kill it."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Self

import exporter
from exporter.errors import ProbeError
from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError, PeerSlowError
from exporter.shortage import Resource, ShortageError, raise_shortage, short_of
from exporter.text import escaped
from exporter.workers.protection import Protection, from_json
from exporter.workers.wire import HEAD, BrokenFrameError, Ending, FrameKind, frame, read_head

Connect = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens a connection to the job's server, ready for TLS; raises `ProbeError` if that fails."""

_KEPT_ERROR_BYTES = 2000
_SHOWN_CHARACTERS = 200
MOST_CONNECTIONS = 48
"""Most connections of one job: ROBOT, the longest, needs at most 46. A compromised worker must not flood its server."""
MOST_SENT_BYTES = 1 << 18
"""Most bytes sent by one job on all connections. Heartbleed's messages are the longest, with 32 KiB for two tries."""
REAP_SECONDS = 1.0
"""A killed process ends at once, unless the system itself is stuck with it. Then it is not waited for."""


class WorkerBrokenError(Exception):
    """The worker ended, or violated the protocol."""


class LibraryUnavailableError(Exception):
    """A worker cannot load a library that its jobs need; the message is Python's."""


def _environment() -> dict[str, str]:
    """The environment of a worker: where our modules are, and nothing from the environment of this process."""
    return {"PYTHONPATH": str(Path(exporter.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}


class Worker:
    """One running worker, with at most one job at a time.

    Attributes:
        jobs_done: number of jobs that it has finished.
        protections: what it has reported at its start.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._errors = b""
        self._listener = asyncio.create_task(self._listen(), name=f"errors of worker {process.pid}")
        self.jobs_done = 0
        self.protections: tuple[Protection, ...] = ()

    @classmethod
    async def start(cls, module: str, memory_bytes: int) -> Self:
        """Start a worker; returns when it has loaded `module` and accepts jobs.

        Raises:
            WorkerBrokenError: it did not start.
            LibraryUnavailableError: it started, but there is nothing that it could do.
            ShortageError: this machine has no descriptor, memory or process for it.
        """
        command = (sys.executable, "-P", "-m", "exporter.workers.child", module, str(memory_bytes))
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(), start_new_session=True
            )
        except OSError as error:
            raise_shortage(error, "cannot start a worker")
            if error.errno == errno.EAGAIN:  # fork(2)
                raise short_of(Resource.PROCESSES, f"cannot start a worker: {error.strerror}") from error
            raise WorkerBrokenError(f"cannot be started: {error}") from error
        worker = cls(process)
        try:
            kind, payload = await worker._hear()
            if kind is FrameKind.UNAVAILABLE:
                raise LibraryUnavailableError(escaped(payload.decode("utf-8", "replace"))[:_SHOWN_CHARACTERS])
            if kind is not FrameKind.READY:
                raise WorkerBrokenError(f"started with a {kind.name} frame")
            worker.protections = _protections(payload)
        except BaseException:
            await worker.end()
            raise
        return worker

    async def run(self, name: str, arguments: Mapping[str, object], connect: Connect) -> object:
        """Run a job and return its result.

        Raises:
            WorkerBrokenError: the worker cannot be used any more.
            ProbeError, ShortageError: a connection for the job failed; the worker can be used again.
        """
        await self._say(FrameKind.JOB, json.dumps({"name": name, "arguments": dict(arguments)}).encode())
        failure: ProbeError | ShortageError | None = None
        connections = sent = 0
        async with AsyncExitStack() as held:
            connection: Connection | None = None
            while True:
                kind, payload = await self._hear()
                await asyncio.sleep(0)  # let other tasks run even if many frames are buffered
                connections, sent = connections + (kind is FrameKind.CONNECT), sent + len(payload)
                if connections > MOST_CONNECTIONS or sent > MOST_SENT_BYTES:
                    raise WorkerBrokenError("asked for more connections, or sent more, than any job needs")
                match kind:
                    case FrameKind.CONNECT:
                        await held.aclose()
                        try:
                            connection = await held.enter_async_context(connect())
                            await self._say(FrameKind.OPENED)
                        except (ProbeError, ShortageError) as error:
                            failure, connection = failure or error, None
                            await self._close(Ending.UNREACHABLE)
                    case FrameKind.SEND | FrameKind.RECEIVE if connection is not None:
                        try:
                            await self._relay(connection, kind, payload)
                        except ShortageError as error:
                            failure = failure or error
                            await self._close(Ending.CUT_OFF)
                    case FrameKind.CLOSE:
                        await held.aclose()
                        connection = None
                    case FrameKind.DONE:
                        break
                    case _:
                        raise WorkerBrokenError(f"sent {kind.name} out of turn")
        self.jobs_done += 1
        if failure is not None:
            raise failure
        return _result(payload)

    async def _relay(self, connection: Connection, kind: FrameKind, payload: bytes) -> None:
        """Do with the connection what the worker requests, and report the result to it."""
        try:
            if kind is FrameKind.SEND:
                await connection.write(payload)
                return await self._say(FrameKind.SENT)
            data = await connection.read()
        except (PeerSlowError, PeerFloodError):
            return await self._close(Ending.CUT_OFF)
        except PeerSilentError:
            return await self._close(Ending.SILENT)
        except PeerResetError:
            return await self._close(Ending.RESET)
        return await (self._say(FrameKind.DATA, data) if data else self._close(Ending.ORDERLY))

    async def _close(self, ending: Ending) -> None:
        await self._say(FrameKind.CLOSED, bytes([ending]))

    async def _say(self, kind: FrameKind, payload: bytes = b"") -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the types: it is a pipe
        try:
            self._process.stdin.write(frame(kind, payload))
            await self._process.stdin.drain()
        except OSError:
            raise await self._broken() from None

    async def _hear(self) -> tuple[FrameKind, bytes]:
        assert self._process.stdout is not None  # noqa: S101 - for the types: it is a pipe
        try:
            length, kind = read_head(await self._process.stdout.readexactly(HEAD.size))
            return kind, await self._process.stdout.readexactly(length)
        except BrokenFrameError as error:
            raise WorkerBrokenError(str(error)) from error
        except (asyncio.IncompleteReadError, OSError):
            raise await self._broken() from None

    async def _broken(self) -> WorkerBrokenError:
        """Why the pipe is closed: how the worker ended, and the last line of its standard error."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                await self._process.wait()  # how it ends by itself says more than a kill
        await self.end()
        code = self._process.returncode
        how = "does not end" if code is None else signal.Signals(-code).name if code < 0 else f"exit status {code}"
        lines = self._errors.decode("utf-8", "replace").splitlines()
        return WorkerBrokenError(": ".join([how, *lines[-1:]])[:_SHOWN_CHARACTERS])

    async def _listen(self) -> None:
        """Keep the end of its standard error, and discard the rest."""
        assert self._process.stderr is not None  # noqa: S101 - for the types: it is a pipe
        while data := await self._process.stderr.read(_KEPT_ERROR_BYTES):
            self._errors = (self._errors + data)[-_KEPT_ERROR_BYTES:]

    @property
    def alive(self) -> bool:
        """Whether it is running, as far as is known."""
        return self._process.returncode is None

    def kill(self) -> None:
        """Kill it and the processes that it started."""
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait for its end."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_SECONDS):
                await asyncio.wait({self._listener})
                await self._process.wait()
        self._listener.cancel()
        # If another process holds the pipes open, the transport would keep them open too. There is no public way to
        # close it.
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


def _protections(payload: bytes) -> tuple[Protection, ...]:
    try:
        return from_json(payload)
    except ValueError as error:
        raise WorkerBrokenError("started without a report of its protections") from error


def _result(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise WorkerBrokenError("returned a result that is not JSON") from error
