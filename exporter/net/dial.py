"""Connections to one target: opened within its limits, counted, bounded in time and bytes.

Reading tells four endings apart, since only one of them is an answer: bytes, an orderly close, a reset, silence.
"""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from exporter.errors import ProbeError
from exporter.model import Reason, Target
from exporter.net.gate import HostGate
from exporter.net.resolve import resolve

READ_SIZE = 16384


class PeerSilentError(Exception):
    """Nothing came within the read limit."""


class PeerResetError(Exception):
    """The peer, or something between, reset the connection."""


class PeerFloodError(Exception):
    """The peer sent more than one connection may bring."""


class Connection:
    """One open TCP connection to a target.

    Attributes:
        max_bytes: most bytes it may bring in its life.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, timeout_seconds: float, max_bytes: int
    ) -> None:
        self._reader, self._writer = reader, writer
        self.timeout_seconds = timeout_seconds
        self.max_bytes = max_bytes
        self.received = 0
        self._deadline: float | None = None

    def limit(self, seconds: float) -> None:
        """From now on, all reads together have this long: a peer that drips one byte at a time ends too."""
        self._deadline = asyncio.get_running_loop().time() + seconds

    async def read(self) -> bytes:
        """The next bytes, at most `READ_SIZE`; empty at an orderly close.

        Raises:
            PeerSilentError: nothing within the time limit.
            PeerResetError: the connection was reset.
            PeerFloodError: more than `max_bytes` in all.
        """
        by = asyncio.get_running_loop().time() + self.timeout_seconds
        try:
            async with asyncio.timeout_at(by if self._deadline is None else min(by, self._deadline)):
                data = await self._reader.read(READ_SIZE)
        except TimeoutError as error:
            raise PeerSilentError from error
        except OSError as error:
            raise PeerResetError from error
        self.received += len(data)
        if self.received > self.max_bytes:
            raise PeerFloodError
        return data

    async def write(self, data: bytes) -> None:
        """Send it all.

        Raises:
            PeerSilentError: the peer did not take it within the time limit.
            PeerResetError: the connection was reset.
        """
        try:
            self._writer.write(data)
            async with asyncio.timeout(self.timeout_seconds):
                await self._writer.drain()
        except TimeoutError as error:
            raise PeerSilentError from error
        except OSError as error:
            raise PeerResetError from error

    async def close(self) -> None:
        """Let go of the socket at once; what the peer still sends does not matter.

        Waits until it is really closed, so that whoever gets this one's place does not overlap with it.
        """
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()


class Dialer:
    """Opens connections to one target for the length of one scan, and counts them.

    Attributes:
        connections: TCP connections that were opened.
    """

    def __init__(self, target: Target, gate: HostGate) -> None:
        self.target = target
        self.connections = 0
        self._gate = gate
        self._address: str | None = None
        self._resolving = asyncio.Lock()

    async def address(self) -> str:
        """The one address that this scan connects to.

        Raises:
            ProbeError: see `resolve`.
        """
        async with self._resolving:
            if self._address is None:
                self._address = await resolve(self.target.connect_address or self.target.host, self.target.port)
            return self._address

    @asynccontextmanager
    async def connect(self, *, max_bytes: int) -> AsyncIterator[Connection]:
        """A connection, closed at the end; waits for its place among `connections_per_host` first.

        Raises:
            ProbeError: the name does not resolve, or the connection does not come to be (`connect_*`).
        """
        address = await self.address()
        async with self._gate.admit(address, self.target.connections_per_host):
            connection = await self._open(address, max_bytes)
            try:
                yield connection
            finally:
                await connection.close()

    async def _open(self, address: str, max_bytes: int) -> Connection:
        where = f"{address} port {self.target.port}"
        self.connections += 1
        try:
            async with asyncio.timeout(self.target.timeout_seconds):
                reader, writer = await asyncio.open_connection(address, self.target.port, limit=READ_SIZE)
        except TimeoutError as error:
            raise ProbeError(Reason.CONNECT_TIMEOUT, f"{where}: no answer") from error
        except ConnectionRefusedError as error:
            raise ProbeError(Reason.CONNECT_REFUSED, f"{where}: refused") from error
        except OSError as error:
            timed_out = error.errno == errno.ETIMEDOUT
            reason = Reason.CONNECT_TIMEOUT if timed_out else Reason.CONNECT_ERROR
            raise ProbeError(reason, f"{where}: {error.strerror or error}") from error
        return Connection(reader, writer, timeout_seconds=self.target.timeout_seconds, max_bytes=max_bytes)
