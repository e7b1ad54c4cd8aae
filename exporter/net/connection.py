"""One TCP connection to a target, with its limits in time and bytes.

A read can end in four ways: bytes, an orderly close, a reset, or silence. They are kept apart, because not all of them
are answers of the server.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from exporter.shortage import raise_shortage

READ_SIZE = 16384
MOST_UNREAD = 16
"""Most pieces of `READ_SIZE` that are read and counted when a connection is closed. The system buffers few more, except
in a flood."""
_CONNECTING = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})


class PeerSilentError(Exception):
    """Nothing came within the time limit of one read."""


class PeerSlowError(PeerSilentError):
    """Something came, but all reads together took too long. What the peer would have sent next is unknown."""


class PeerResetError(Exception):
    """The peer, or something on the way to it, reset the connection."""


class PeerFloodError(Exception):
    """The peer sent more bytes than one connection may have."""


@dataclass(slots=True)
class Traffic:
    """TCP payload in bytes, as passed to and received from the system."""

    sent: int = 0
    received: int = 0


class Connection:
    """One open TCP connection to a target, used by one task at a time.

    It is a plain socket on the event loop, with callbacks and one timer. Most connections carry one hello and one
    answer. asyncio's transports and streams would take a third of a scan's CPU time, and its `sock_recv` with a timeout
    of its own for each wait a fifth.

    Attributes:
        timeout_seconds: time limit of connecting, of one write and, unless `limit` changes it, of one read.
        max_bytes: most bytes that may be read from it, not counting a proxy's dialogue.
        on_close: called once the connection is closed.
    """

    def __init__(self, sock: socket.socket, traffic: Traffic, *, timeout_seconds: float, max_bytes: int) -> None:
        self._socket, self._traffic = sock, traffic
        self._descriptor = sock.fileno()
        self._loop = asyncio.get_running_loop()
        self.timeout_seconds = timeout_seconds
        self.max_bytes = max_bytes
        self.on_close: Callable[[], None] | None = None
        self._received = 0
        self._first = b""
        self._deadline: float | None = None
        self._longest_read = timeout_seconds
        self._waiter: asyncio.Future[None] | None = None
        self._by = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @classmethod
    async def open(
        cls, address: str, port: int, traffic: Traffic, *, timeout_seconds: float, max_bytes: int
    ) -> "Connection":
        """Connect, within the time limit.

        Raises:
            TimeoutError, OSError: as raised by the system.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection = cls(sock, traffic, timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            error = sock.connect_ex(_place(family, address, port))
            if error in _CONNECTING:
                await connection._writable(connection._loop.time() + timeout_seconds)
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
        except BaseException:
            connection._shut()
            raise
        return connection

    def limit(self, seconds: float, each: float | None = None) -> None:
        """Limit the time of all further reads together, so that a peer that sends one byte at a time ends too.

        One read may take `each` seconds; if that is None, the usual time limit.
        """
        self._deadline = self._loop.time() + seconds
        self._longest_read = self.timeout_seconds if each is None else each

    def begin(self, first: bytes, max_bytes: int) -> None:
        """Start reading from the target, whose first bytes were `first`; all limits start again."""
        self._first, self._received, self._deadline = first, 0, None
        self._longest_read = self.timeout_seconds
        self.max_bytes = max_bytes

    async def read(self) -> bytes:
        """Return the next bytes, at most `READ_SIZE`; empty after an orderly close.

        Raises:
            PeerSilentError: nothing came within the time limit; `PeerSlowError` if the limit of all reads together
                ended the read.
            PeerResetError: the connection was reset.
            PeerFloodError: more than `max_bytes` were received in all.
            ShortageError: this machine has no memory for it.
        """
        pieces: list[bytes] = []

        def keep(data: bytes) -> bool:
            pieces.append(data)
            return True

        await self.feed(keep, at_once=True)
        return pieces[0] if pieces else b""

    async def feed(self, reader: Callable[[bytes], bool], *, at_once: bool = False) -> None:
        """Pass what arrives to `reader`, piece by piece, until it returns True or the peer closes.

        The time limit of one read applies to each piece. With `at_once`, there may be something to read already.

        Raises:
            PeerSilentError, PeerSlowError, PeerResetError, PeerFloodError, ShortageError: as for `read`.
            Exception: what `reader` raises.
        """
        if self._first:
            first, self._first = self._first, b""
            if self._take(first, reader):
                return
        try:
            if at_once and self._receive(reader):
                return
            waiter = self._wait(self._next_limit())
            self._loop.add_reader(self._descriptor, self._arrived, waiter, reader)
            try:
                await waiter
            finally:
                self._waiter = None
                self._loop.remove_reader(self._descriptor)
        except TimeoutError as error:
            raise (PeerSlowError if self._by == self._deadline else PeerSilentError) from error
        except OSError as error:
            raise_shortage(error, "cannot receive")
            raise PeerResetError from error

    def _next_limit(self) -> float:
        """The time by which the next piece has to arrive."""
        by = self._loop.time() + self._longest_read
        return by if self._deadline is None or by < self._deadline else self._deadline

    def _arrived(self, waiter: asyncio.Future[None], reader: Callable[[bytes], bool]) -> None:
        """There is something to read: called by the loop until the waiter is done."""
        if waiter.done():
            return
        try:
            if self._receive(reader):
                waiter.set_result(None)
        except Exception as error:  # noqa: BLE001 - the errors are of the task that waits
            waiter.set_exception(error)

    def _receive(self, reader: Callable[[bytes], bool]) -> bool:
        """Pass on what the system has received, if anything; whether that was the end."""
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        self._traffic.received += len(data)
        if not data or self._take(data, reader):
            return True
        self._by = self._next_limit()
        return False

    def _take(self, data: bytes, reader: Callable[[bytes], bool]) -> bool:
        self._received += len(data)
        if self._received > self.max_bytes:
            raise PeerFloodError
        return reader(data)

    async def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            PeerSilentError: the peer did not accept it within the time limit.
            PeerResetError: the connection was reset.
            ShortageError: this machine has no memory for it.
        """
        try:
            sent = self._send(data)
            if sent < len(data):
                await self._send_rest(memoryview(data)[sent:])
        except TimeoutError as error:
            raise PeerSilentError from error
        except OSError as error:
            raise_shortage(error, "cannot send")
            raise PeerResetError from error

    def _send(self, data: bytes | memoryview) -> int:
        """Send what the system accepts at once; returns the number of bytes."""
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        self._traffic.sent += sent
        return sent

    async def _send_rest(self, data: memoryview) -> None:
        by = self._loop.time() + self.timeout_seconds
        while data:
            await self._writable(by)
            data = data[self._send(data) :]

    @property
    def local_address(self) -> str:
        """Our address on this connection; the peer sees the same one unless addresses are translated between."""
        return str(self._socket.getsockname()[0])

    def close(self) -> None:
        """Close the socket at once, without waiting for what the peer still sends.

        Bytes that have arrived are counted, read or not, since they are traffic of the scan.
        """
        with suppress(OSError):
            for _ in range(MOST_UNREAD):
                rest = self._socket.recv(READ_SIZE)
                self._traffic.received += len(rest)
                if not rest:
                    break
        self._shut()
        if self.on_close is not None:
            self.on_close()
            self.on_close = None

    def _shut(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._socket.close()

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def _writable(self, by: float) -> None:
        """Wait until the socket can be written to, or has an error.

        Raises:
            TimeoutError: it took until `by`, in the loop's time.
        """
        waiter = self._wait(by)
        self._loop.add_writer(self._descriptor, _settle, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            self._loop.remove_writer(self._descriptor)

    def _wait(self, by: float) -> "asyncio.Future[None]":
        """A future that fails at this time, by the one timer of the connection.

        The timer is not set again for a later time: it looks at `_by` when it ends. Most connections need it once.
        """
        self._by, self._waiter = by, self._loop.create_future()
        if self._timer is None or by < self._timer_at:
            self._set_timer()
        return self._waiter

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(self._by, self._late), self._by

    def _late(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._by:
            self._set_timer()
        else:
            self._waiter.set_exception(TimeoutError())


def _settle(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _place(family: socket.AddressFamily, address: str, port: int) -> Any:  # noqa: ANN401 - as the system has it
    """The address for connect(2). The zone of a link-local address (RFC 4007) needs a number, which is looked up."""
    if "%" not in address:
        return address, port
    found = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return found[0][4]
