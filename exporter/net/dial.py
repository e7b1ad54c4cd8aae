"""Open connections to one target, within its limits; count them, and bound them in time and bytes.

A read can end in four ways: bytes, an orderly close, a reset, or silence. They are kept apart, because not all of them
are answers of the server.

Behind a proxy, the proxy resolves the name, since its network may have other names. The gate then counts connections by
the host's name instead of its address.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import zip_longest

from exporter.errors import ProbeError
from exporter.model import Proxy, Reason, Target, ip_version
from exporter.net.gate import HostGate
from exporter.net.patience import Patience
from exporter.net.proxy import Dialogue, ProxyError, dialogue
from exporter.net.resolve import Lookup, resolve, resolve_all
from exporter.shortage import Resource, ShortageError, raise_shortage, short_of

READ_SIZE = 16384
MOST_UNREAD = 16
"""Most pieces of `READ_SIZE` that are read and counted when a connection is closed. The system buffers few more, except
in a flood."""
MOST_TRIES = 4
"""Addresses of one host that are tried until one accepts a connection."""
MAX_PROXY_BYTES = 65536
"""Most bytes that a proxy may send before the target speaks. The dialogues are much shorter."""


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
    """One open TCP connection to a target.

    It is a plain socket on the event loop. Most connections carry one hello and one answer, and asyncio's transports
    and streams would take a third of a scan's CPU time.

    Attributes:
        timeout_seconds: time limit of connecting, of one write and, unless `limit` changes it, of one read.
        max_bytes: most bytes that may be read from it, not counting a proxy's dialogue.
    """

    def __init__(self, sock: socket.socket, traffic: Traffic, *, timeout_seconds: float, max_bytes: int) -> None:
        self._socket, self._traffic = sock, traffic
        self.timeout_seconds = timeout_seconds
        self.max_bytes = max_bytes
        self._received = 0
        self._first = b""
        self._deadline: float | None = None
        self._longest_read = timeout_seconds

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
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(timeout_seconds):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return cls(sock, traffic, timeout_seconds=timeout_seconds, max_bytes=max_bytes)

    def limit(self, seconds: float, each: float | None = None) -> None:
        """Limit the time of all further reads together, so that a peer that sends one byte at a time ends too.

        One read may take `each` seconds; if that is None, the usual time limit.
        """
        self._deadline = asyncio.get_running_loop().time() + seconds
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
        data, self._first = self._first, b""
        if not data:
            data = await self._receive()
        self._received += len(data)
        if self._received > self.max_bytes:
            raise PeerFloodError
        return data

    async def _receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        by = loop.time() + self._longest_read
        cut_short = self._deadline is not None and self._deadline < by
        try:
            async with asyncio.timeout_at(self._deadline if cut_short else by):
                data = await loop.sock_recv(self._socket, READ_SIZE)
        except TimeoutError as error:
            raise (PeerSlowError if cut_short else PeerSilentError) from error
        except OSError as error:
            raise_shortage(error, "cannot receive")
            raise PeerResetError from error
        self._traffic.received += len(data)
        return data

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
                async with asyncio.timeout(self.timeout_seconds):
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
        except BlockingIOError:
            return 0
        self._traffic.sent += sent
        return sent

    async def _send_rest(self, data: memoryview) -> None:
        while data:
            piece = data[:READ_SIZE]
            await asyncio.get_running_loop().sock_sendall(self._socket, piece)
            self._traffic.sent += len(piece)
            data = data[len(piece) :]

    @property
    def local_address(self) -> str:
        """Our address on this connection; the peer sees the same one unless addresses are translated between."""
        return str(self._socket.getsockname()[0])

    async def close(self) -> None:
        """Close the socket at once, without waiting for what the peer still sends.

        Bytes that have arrived are counted, read or not, since they are traffic of the scan.
        """
        with suppress(OSError):
            for _ in range(MOST_UNREAD):
                rest = self._socket.recv(READ_SIZE)
                self._traffic.received += len(rest)
                if not rest:
                    break
        self._socket.close()


def not_connected(where: str, error: OSError) -> ProbeError:
    """The error for a connection that the system could not open, in the system's words.

    asyncio replaces these words by its own, which have the address only (3.11, `selector_events._sock_connect_cb`).
    """
    timed_out = error.errno == errno.ETIMEDOUT
    reason = Reason.CONNECT_TIMEOUT if timed_out else Reason.CONNECT_ERROR
    return ProbeError(reason, f"{where}: {os.strerror(error.errno) if error.errno else error}")


async def _tunnel(connection: Connection, talk: Dialogue) -> bytes:
    """Run the proxy's dialogue; returns the first bytes of the target.

    Raises:
        ProxyError: the proxy did not connect to the target.
    """
    request = next(talk)
    try:
        while True:
            if request:
                await connection.write(request)
            request = talk.send(await connection.read())
    except StopIteration as end:
        return bytes(end.value)
    except PeerSilentError:
        raise ProxyError(Reason.CONNECT_TIMEOUT, "did not connect in time") from None
    except (PeerResetError, PeerFloodError):
        raise ProxyError(Reason.CONNECT_ERROR, "broke the dialogue off") from None


def _in_turn(addresses: Sequence[str]) -> list[str]:
    """The first few addresses, IPv4 and IPv6 alternating (RFC 8305, 4).

    So one protocol without connectivity does not use up all tries.
    """
    first = [address for address in addresses if ip_version(address) == ip_version(addresses[0])]
    other = [address for address in addresses if ip_version(address) != ip_version(addresses[0])]
    turns = zip_longest(first, other)
    return [address for turn in turns for address in turn if address is not None][:MOST_TRIES]


def _has_source_address(address: str) -> bool:
    """Whether this machine has an address from which it can reach that one.

    connect(2) says EADDRNOTAVAIL without one, and also when all local ports are in use. UDP has ports of its own, and
    connecting a UDP socket sends nothing.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
    return True


class Dialer:
    """Opens connections to one target for the length of one scan, and counts them.

    Attributes:
        connections: number of TCP connections that were opened.
        traffic: bytes sent and received over them, including a proxy's dialogue.
        greeting: the greeting of the server before TLS, as first received.
        slowest_dialogue_seconds: longest of the dialogues that led to TLS; None before the first.
        until: time of the event loop by which the current caller wants to finish; None if it has no limit.
        patience: the time that the scan spends on the server.
    """

    def __init__(
        self, target: Target, gate: HostGate, lookup: Lookup = resolve_all, patience: Patience | None = None
    ) -> None:
        self.target = target
        self.patience = patience or Patience()
        self.connections = 0
        self.traffic = Traffic()
        self.greeting: str | None = None
        self.slowest_dialogue_seconds: float | None = None
        self.until: float | None = None
        self._gate = gate
        self._lookup = lookup
        self._found: Sequence[str] | ProbeError | None = None
        self._address: str | None = None
        self._proxy_address: str | None = None
        self._resolving = asyncio.Lock()

    @property
    def address(self) -> str | None:
        """The address that accepted the first connection, to which all others go; None before, and behind a proxy."""
        return self._address

    def towards(self, target: Target) -> "Dialer":
        """A dialer for a server that is related to this target, with the same gate and its own counts."""
        return Dialer(target, self._gate, patience=self.patience)

    async def wait_turn(self) -> None:
        """Wait until the address of the target has a free place for it. Whoever comes first then gets that place.

        Raises:
            ProbeError: the name does not resolve.
        """
        target = self.target
        host = target.connect_address or target.host
        address = host if target.proxy is not None else (await self._resolve(host, target.port))[0]
        with self.patience.waiting():
            async with self._gate.admit(address, target.connections_per_host, port=target.port):
                pass

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses to try; a scan asks for them once."""
        if self._found is None:
            try:
                self._found = _in_turn(await self._lookup(host, port, self.target.ip_protocol))
            except ProbeError as error:
                self._found = error
        if isinstance(self._found, ProbeError):
            raise self._found
        return self._found

    @asynccontextmanager
    async def connect(self, *, max_bytes: int, port: int | None = None) -> AsyncIterator[Connection]:
        """Open a connection that is closed at the end of the context.

        It waits for a free place among `connections_per_host`, and for the gap. It goes to the target's port, or to
        another port of the same address.

        Raises:
            ProbeError: the name does not resolve, or no connection is established (`connect_*`). A proxy that does not
                work says nothing about the target, which is `connect_error`.
            ShortageError: this machine has no descriptor, memory or port for it.
        """
        async with AsyncExitStack() as held:
            yield await self._reach(held, port or self.target.port, max_bytes)

    async def _reach(self, held: AsyncExitStack, port: int, max_bytes: int) -> Connection:
        """Connect to the one address of this scan, or through the proxy, which is given the name."""
        host = self.target.connect_address or self.target.host
        if self.target.proxy is not None:
            return await self._enter(held, host, port, max_bytes)
        async with self._resolving:
            if self._address is None:
                return await self._choose(held, await self._resolve(host, port), port, max_bytes)
        return await self._enter(held, self._address, port, max_bytes)

    async def _choose(self, held: AsyncExitStack, addresses: Sequence[str], port: int, max_bytes: int) -> Connection:
        """Connect to the first address that accepts; all later connections of this scan go there too."""
        failures: list[ProbeError] = []
        shortage: ShortageError | None = None
        for address in addresses:
            async with AsyncExitStack() as tried:
                try:
                    connection = await self._enter(tried, address, port, max_bytes)
                except ProbeError as error:
                    failures.append(error)
                    continue
                except ShortageError as error:
                    shortage = error
                    continue
                self._address = address
                held.push_async_exit(tried.pop_all())
                return connection
        if shortage is not None:  # an address that was not tried may accept connections
            raise shortage
        raise ProbeError(failures[0].reason, "; ".join(failure.detail for failure in failures)) from failures[0]

    async def _enter(self, held: AsyncExitStack, address: str, port: int, max_bytes: int) -> Connection:
        """Open a connection that is closed, with its place in the gate freed, when `held` ends."""
        target = self.target
        place = self._gate.admit(address, target.connections_per_host, target.connection_gap_seconds, port=port)
        with self.patience.waiting():
            await held.enter_async_context(place)
        held.enter_context(self.patience.busy())
        if target.proxy is None:
            connection = await self._open(address, port, max_bytes)
        else:
            connection = await self._open_proxy(target.proxy)
        held.push_async_callback(connection.close)
        if target.proxy is not None:
            await self._pass(connection, target.proxy, (address, port), max_bytes)
        return connection

    async def _open_proxy(self, proxy: Proxy) -> Connection:
        try:
            async with self._resolving:
                if self._proxy_address is None:
                    self._proxy_address = await resolve(proxy.host, proxy.port)
            return await self._open(self._proxy_address, proxy.port, MAX_PROXY_BYTES)
        except ProbeError as error:
            raise ProbeError(Reason.CONNECT_ERROR, f"proxy {proxy}: {error.detail}") from error

    async def _pass(self, connection: Connection, proxy: Proxy, goal: tuple[str, int], max_bytes: int) -> None:
        """Let the proxy connect to the target."""
        connection.limit(self.target.timeout_seconds)
        try:
            connection.begin(await _tunnel(connection, dialogue(proxy, *goal)), max_bytes)
        except ProxyError as error:
            where = f"{goal[0]} port {goal[1]}"
            raise ProbeError(error.reason, f"{where}: the proxy {proxy} {error.detail}") from error

    async def _open(self, address: str, port: int, max_bytes: int) -> Connection:
        where = f"{address} port {port}"
        seconds = self.target.timeout_seconds
        self.connections += 1
        try:
            return await Connection.open(address, port, self.traffic, timeout_seconds=seconds, max_bytes=max_bytes)
        except TimeoutError as error:
            raise ProbeError(Reason.CONNECT_TIMEOUT, f"{where}: no answer") from error
        except ConnectionRefusedError as error:
            raise ProbeError(Reason.CONNECT_REFUSED, f"{where}: refused") from error
        except OSError as error:
            raise_shortage(error, f"{where}: cannot connect")
            if error.errno == errno.EADDRNOTAVAIL and _has_source_address(address):
                raise short_of(Resource.PORTS, f"{where}: cannot connect: {error.strerror}") from error
            raise not_connected(where, error) from error
