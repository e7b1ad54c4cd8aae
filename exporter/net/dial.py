"""Open connections to one target, within its limits, and count them.

Behind a proxy, the proxy resolves the name, since its network may have other names. The gate then counts connections by
the host's name instead of its address.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import zip_longest

from exporter.errors import ProbeError
from exporter.model import Proxy, Reason, Target, ip_version
from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError, Traffic
from exporter.net.gate import GatePlace, HostGate
from exporter.net.patience import Patience
from exporter.net.proxy import Dialogue, ProxyError, dialogue
from exporter.net.resolve import Lookup, resolve, resolve_all
from exporter.shortage import Resource, ShortageError, raise_shortage, short_of

MOST_TRIES = 4
"""Addresses of one host that are tried until one accepts a connection."""
MAX_PROXY_BYTES = 65536
"""Most bytes that a proxy may send before the target speaks. The dialogues are much shorter."""


def not_connected(where: str, error: OSError) -> ProbeError:
    """The error for a connection that the system could not open, in the system's words."""
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
        """As `open`; the connection is closed at the end of the context."""
        connection = await self.open(max_bytes=max_bytes, port=port)
        try:
            yield connection
        finally:
            connection.close()

    async def open(self, *, max_bytes: int, port: int | None = None) -> Connection:
        """Open a connection, which the caller has to close.

        It waits for a free place among `connections_per_host`, and for the gap. It goes to the target's port, or to
        another port of the same address. Behind a proxy, the proxy is given the name.

        Raises:
            ProbeError: the name does not resolve, or no connection is established (`connect_*`). A proxy that does not
                work says nothing about the target, which is `connect_error`.
            ShortageError: this machine has no descriptor, memory or port for it.
        """
        port = port or self.target.port
        address = self._address
        if address is not None:
            return await self._enter(address, port, max_bytes)
        host = self.target.connect_address or self.target.host
        if self.target.proxy is not None:
            return await self._enter(host, port, max_bytes)
        async with self._resolving:
            address = self.address
            if address is None:
                return await self._choose(await self._resolve(host, port), port, max_bytes)
        return await self._enter(address, port, max_bytes)

    async def _choose(self, addresses: Sequence[str], port: int, max_bytes: int) -> Connection:
        """Connect to the first address that accepts; all later connections of this scan go there too."""
        failures: list[ProbeError] = []
        shortage: ShortageError | None = None
        for address in addresses:
            try:
                connection = await self._enter(address, port, max_bytes)
            except ProbeError as error:
                failures.append(error)
            except ShortageError as error:
                shortage = error
            else:
                self._address = address
                return connection
        if shortage is not None:  # an address that was not tried may accept connections
            raise shortage
        raise ProbeError(failures[0].reason, "; ".join(failure.detail for failure in failures)) from failures[0]

    async def _enter(self, address: str, port: int, max_bytes: int) -> Connection:
        """Open a connection that frees its place in the gate when it is closed."""
        target = self.target
        wish = address, target.connections_per_host, target.connection_gap_seconds, port
        place = self._gate.enter_now(*wish)
        if place is None:
            with self.patience.waiting():
                place = await self._gate.enter(*wish)
        self.patience.begin()
        try:
            if target.proxy is None:
                connection = await self._open(address, port, max_bytes)
            else:
                connection = await self._open_proxy(target.proxy)
        except BaseException:
            self._leave(place)
            raise
        connection.on_close = partial(self._leave, place)
        if target.proxy is not None:
            try:
                await self._pass(connection, target.proxy, (address, port), max_bytes)
            except BaseException:
                connection.close()
                raise
        return connection

    def _leave(self, place: GatePlace) -> None:
        self.patience.end()
        self._gate.leave(place)

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
