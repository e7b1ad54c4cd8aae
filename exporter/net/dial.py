"""Connections to one target: opened within its limits, counted, bounded in time and bytes.

Reading tells four endings apart, since only one of them is an answer: bytes, an orderly close, a reset, silence.

Behind a proxy, the name is the proxy's to resolve, since the network behind it has names of its own; so what counts as
one host there goes by that name.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import zip_longest

from exporter.errors import ProbeError
from exporter.model import Proxy, Reason, Target, ip_version
from exporter.net.gate import HostGate
from exporter.net.proxy import Dialogue, ProxyError, dialogue
from exporter.net.resolve import Lookup, resolve, resolve_all

READ_SIZE = 16384
MOST_UNREAD = 16
"""Pieces of `READ_SIZE` that are counted at the end of a connection; the system keeps few more, unless in a flood."""
MOST_TRIES = 4
"""Addresses of one host that are tried until one takes a connection."""
MAX_PROXY_BYTES = 65536
"""What a proxy may bring before the target speaks; the dialogues end long before."""


class PeerSilentError(Exception):
    """Nothing came within the read limit."""


class PeerSlowError(PeerSilentError):
    """Something came, but all reads together took too long: what it would have said next is not known."""


class PeerResetError(Exception):
    """The peer, or something between, reset the connection."""


class PeerFloodError(Exception):
    """The peer sent more than one connection may bring."""


@dataclass(slots=True)
class Traffic:
    """TCP payload in bytes, as it was handed to the system and taken from it."""

    sent: int = 0
    received: int = 0


class Connection:
    """One open TCP connection to a target.

    A plain socket on the loop: most connections carry one hello and one answer, and asyncio's transports and streams
    would take a third of a scan's CPU time.

    Attributes:
        max_bytes: most bytes it may bring in its life, a proxy's dialogue aside.
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
            TimeoutError, OSError: as the system has it.
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
        """From now on, all reads together have this long: a peer that drips one byte at a time ends too.

        One read has `each`, or else the usual time limit.
        """
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._longest_read = self.timeout_seconds if each is None else each

    def begin(self, first: bytes, max_bytes: int) -> None:
        """From here on it is the target that speaks, and these were its first bytes; limits start anew."""
        self._first, self._received, self._deadline = first, 0, None
        self._longest_read = self.timeout_seconds
        self.max_bytes = max_bytes

    async def read(self) -> bytes:
        """The next bytes, at most `READ_SIZE`; empty at an orderly close.

        Raises:
            PeerSilentError: nothing within the time limit; `PeerSlowError` where that was cut short by the limit of all
                reads.
            PeerResetError: the connection was reset.
            PeerFloodError: more than `max_bytes` in all.
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
            raise PeerResetError from error
        self._traffic.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        """Send it all.

        Raises:
            PeerSilentError: the peer did not take it within the time limit.
            PeerResetError: the connection was reset.
        """
        try:
            sent = self._send(data)
            if sent < len(data):
                async with asyncio.timeout(self.timeout_seconds):
                    await self._send_rest(memoryview(data)[sent:])
        except TimeoutError as error:
            raise PeerSilentError from error
        except OSError as error:
            raise PeerResetError from error

    def _send(self, data: bytes | memoryview) -> int:
        """What the system takes at once."""
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
        """The address that it comes from, as the peer sees it where nothing between translates addresses."""
        return str(self._socket.getsockname()[0])

    async def close(self) -> None:
        """Let go of the socket at once; what the peer still sends does not matter.

        What it has sent by now is counted, whether it was read or not: the scan has cost it.
        """
        with suppress(OSError):
            for _ in range(MOST_UNREAD):
                rest = self._socket.recv(READ_SIZE)
                self._traffic.received += len(rest)
                if not rest:
                    break
        self._socket.close()


async def _tunnel(connection: Connection, talk: Dialogue) -> bytes:
    """Run the dialogue; gives what the target said already.

    Raises:
        ProxyError: it did not lead to the target.
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
    """The first few, the two protocols by turns (RFC 8305, 4): one that leads nowhere must not use up all tries."""
    first = [address for address in addresses if ip_version(address) == ip_version(addresses[0])]
    other = [address for address in addresses if ip_version(address) != ip_version(addresses[0])]
    turns = zip_longest(first, other)
    return [address for turn in turns for address in turn if address is not None][:MOST_TRIES]


class Dialer:
    """Opens connections to one target for the length of one scan, and counts them.

    Attributes:
        connections: TCP connections that were opened.
        traffic: what went over them, a proxy's dialogue included.
        greeting: what the server said of itself before TLS, the first time that it was heard.
        slowest_dialogue_seconds: of the dialogues that led to TLS; None before the first.
        until: the loop's time by which whoever opens connections now wants to be done; None when nothing is said.
    """

    def __init__(self, target: Target, gate: HostGate, lookup: Lookup = resolve_all) -> None:
        self.target = target
        self.connections = 0
        self.traffic = Traffic()
        self.greeting: str | None = None
        self.slowest_dialogue_seconds: float | None = None
        self.until: float | None = None
        self._gate = gate
        self._lookup = lookup
        self._address: str | None = None
        self._proxy_address: str | None = None
        self._resolving = asyncio.Lock()

    def towards(self, target: Target) -> "Dialer":
        """For what belongs to this target and lies elsewhere: through the same gate, and counted apart."""
        return Dialer(target, self._gate)

    @asynccontextmanager
    async def connect(self, *, max_bytes: int, port: int | None = None) -> AsyncIterator[Connection]:
        """A connection, closed at the end; waits for its place among `connections_per_host` first, and for the gap.

        It goes to the target's port, or to another one of the same address.

        Raises:
            ProbeError: the name does not resolve, or the connection does not come to be (`connect_*`). A proxy that
                does not work says nothing of the target: that is `connect_error`.
        """
        async with AsyncExitStack() as held:
            yield await self._reach(held, port or self.target.port, max_bytes)

    async def _reach(self, held: AsyncExitStack, port: int, max_bytes: int) -> Connection:
        """A connection to the one address of this scan, or through the proxy, which is told the name."""
        host = self.target.connect_address or self.target.host
        if self.target.proxy is not None:
            return await self._enter(held, host, port, max_bytes)
        async with self._resolving:
            if self._address is None:
                found = await self._lookup(host, port, self.target.ip_protocol)
                return await self._choose(held, _in_turn(found), port, max_bytes)
        return await self._enter(held, self._address, port, max_bytes)

    async def _choose(self, held: AsyncExitStack, addresses: Sequence[str], port: int, max_bytes: int) -> Connection:
        """A connection to the first address that takes one; all others of this scan go there too."""
        failures: list[ProbeError] = []
        for address in addresses:
            async with AsyncExitStack() as tried:
                try:
                    connection = await self._enter(tried, address, port, max_bytes)
                except ProbeError as error:
                    failures.append(error)
                    continue
                self._address = address
                held.push_async_exit(tried.pop_all())
                return connection
        raise ProbeError(failures[0].reason, "; ".join(failure.detail for failure in failures)) from failures[0]

    async def _enter(self, held: AsyncExitStack, address: str, port: int, max_bytes: int) -> Connection:
        """A connection that is closed, and its place given back, when `held` ends."""
        target = self.target
        place = self._gate.admit(address, target.connections_per_host, target.connection_gap_seconds)
        await held.enter_async_context(place)
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
        """Have the proxy connect to the target."""
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
            timed_out = error.errno == errno.ETIMEDOUT
            reason = Reason.CONNECT_TIMEOUT if timed_out else Reason.CONNECT_ERROR
            raise ProbeError(reason, f"{where}: {error.strerror or error}") from error
