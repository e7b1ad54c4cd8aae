"""The program of a worker: takes jobs from its standard input until that ends.

    python -m exporter.workers.child MODULE MEMORY_BYTES

MODULE has `JOBS`: name -> function of the job's arguments and a `Network`; its result must fit into JSON. MODULE loads
all that its jobs need: before the first job, the process is locked down.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self

from exporter.workers.lockdown import lock_down
from exporter.workers.protection import Protection, to_json
from exporter.workers.wire import HEAD, MAX_PAYLOAD_BYTES, Ending, FrameKind, frame, read_head

Job = Callable[[Mapping[str, Any], "Network"], object]

MAX_FILES = 64
_PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


class Socket:
    """A connection to the server, with the part of a socket's interface that TLS libraries need.

    Attributes:
        received: all bytes that were received.
        ending: how the connection ended; None while it is open.
    """

    def __init__(self, pipes: "Pipes") -> None:
        self._pipes = pipes
        self._unread = b""
        self._closed = False
        self.received = bytearray()
        self.ending: Ending | None = None

    def send(self, data: bytes) -> int:
        """Send all of `data`.

        After the connection has ended, data is dropped, as the system does. Whether a reset by the server comes between
        two sends or after them is chance; the next `recv` reports it.
        """
        for start in range(0, len(data), MAX_PAYLOAD_BYTES):
            if self.ending is None:
                with suppress(OSError):
                    self._ask(FrameKind.SEND, bytes(data[start : start + MAX_PAYLOAD_BYTES]))
        return len(data)

    def sendall(self, data: bytes) -> None:
        """As `send`."""
        self.send(data)

    def recv(self, size: int) -> bytes:
        """The next bytes, at most `size`; empty after an orderly close.

        Raises:
            TimeoutError: the server was silent for too long.
            ConnectionResetError: the server reset the connection.
            ConnectionAbortedError: the server took too long in all, or sent too much.
        """
        if not self._unread:
            self._unread = self._ask(FrameKind.RECEIVE)
            self.received += self._unread
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _ask(self, kind: FrameKind, payload: bytes = b"") -> bytes:
        if self._closed:
            raise ConnectionResetError("the connection is closed")
        kind, answer = self._pipes.ask(kind, payload)
        if kind is not FrameKind.CLOSED:
            return answer
        self.ending = Ending(answer[0])
        match self.ending:
            case Ending.SILENT:
                raise TimeoutError("the server was silent")
            case Ending.ORDERLY:
                return b""
            case Ending.CUT_OFF:
                raise ConnectionAbortedError("the connection was cut off")
            case _:
                raise ConnectionResetError("the connection was reset")

    def close(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._closed = True
            self._pipes.say(FrameKind.CLOSE)

    def settimeout(self, seconds: float | None) -> None:
        """Does nothing: the main process limits the time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Network:
    """The replacement for a network: connections to the one server of the job.

    Attributes:
        sockets: all that were opened in this job.
    """

    def __init__(self, pipes: "Pipes") -> None:
        self._pipes = pipes
        self.sockets: list[Socket] = []

    def connect(self) -> Socket:
        """A new connection, ready for TLS.

        Raises:
            ConnectionRefusedError: no connection was established.
        """
        for socket in self.sockets[-1:]:
            socket.close()
        kind, _ = self._pipes.ask(FrameKind.CONNECT)
        if kind is FrameKind.CLOSED:
            raise ConnectionRefusedError("the connection was not established")
        self.sockets.append(Socket(self._pipes))
        return self.sockets[-1]


class Pipes:
    """The two pipes to the main process."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def say(self, kind: FrameKind, payload: bytes = b"") -> None:
        """Send one frame."""
        self._outgoing.write(frame(kind, payload))
        self._outgoing.flush()

    def ask(self, kind: FrameKind, payload: bytes = b"") -> tuple[FrameKind, bytes]:
        """Send one frame and wait for the answer."""
        self.say(kind, payload)
        return self.hear()

    def hear(self) -> tuple[FrameKind, bytes]:
        """The next frame; ends this process at the end of input."""
        head = self._incoming.read(HEAD.size)
        if len(head) < HEAD.size:
            sys.exit(0)
        length, kind = read_head(head)
        return kind, self._incoming.read(length)


def _limit(memory_bytes: int) -> None:
    """End with the main process, write no core file, and limit files and memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_AS, memory_bytes),
    ):
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


def _own_pipes() -> Pipes:
    """Keep the standard streams for frames only, so that output of a library does not get between them."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return Pipes(incoming, outgoing)


def serve(pipes: Pipes, jobs: Mapping[str, Job], protections: Sequence[Protection]) -> NoReturn:
    """Report the protections, and do one job after the other."""
    pipes.say(FrameKind.READY, to_json(protections))
    while True:
        _, payload = pipes.hear()
        job = json.loads(payload)
        network = Network(pipes)
        result = jobs[job["name"]](job["arguments"], network)
        for socket in network.sockets:
            socket.close()
        pipes.say(FrameKind.DONE, json.dumps(result).encode())


def main() -> NoReturn:
    """Run as described at the top of the module."""
    parent = os.getppid()
    pipes = _own_pipes()
    _limit(int(sys.argv[2]))
    if os.getppid() != parent:
        sys.exit(0)  # the main process ended before prctl took effect
    serve(pipes, _load(sys.argv[1], pipes), lock_down())


def _load(module: str, pipes: Pipes) -> Mapping[str, Job]:
    """The jobs of the module; ends this process where a library of theirs is missing, or does not fit."""
    try:
        jobs: Mapping[str, Job] = importlib.import_module(module).JOBS
    except ImportError as error:
        pipes.say(FrameKind.UNAVAILABLE, str(error).encode("utf-8", "replace")[:MAX_PAYLOAD_BYTES])
        sys.exit(0)
    return jobs


if __name__ == "__main__":
    main()
