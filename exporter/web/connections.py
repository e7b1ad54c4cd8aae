"""The open web connections: who may have one more, and whose is closed for it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Protocol

from exporter.web.limits import WebLimits


class Cut(StrEnum):
    """Why a connection was refused or cut off: label values of `tls_posture_exporter_web_connections_cut_total`."""

    REFUSED = "refused"
    EVICTED = "evicted"
    REQUEST_TIMEOUT = "request_timeout"
    RESPONSE_TIMEOUT = "response_timeout"
    REQUEST_TOO_LARGE = "request_too_large"


class WebConnection(Protocol):
    """One connection of a client.

    Attributes:
        network: see `network_of`.
        quiet_since: time of its start, or of its last complete response; for one with a response, of its last progress.
    """

    network: str
    quiet_since: float

    @property
    def responding(self) -> bool:
        """Whether a response is being made or sent."""

    def overdue(self, now: float) -> Cut | None:
        """Why it has to end now, if it has to."""

    def cut(self) -> None:
        """Close it at once, without sending what is left."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told about connections.

    Attributes:
        opened: is given the number of open connections when it changes.
        cut: is given the reason when one is refused or cut off.
    """

    opened: Callable[[int], None] = lambda _count: None
    cut: Callable[[Cut], None] = lambda _reason: None


class Connections:
    """All web connections, by client network."""

    def __init__(self, limits: WebLimits, watch: Watch) -> None:
        self.limits = limits
        self._watch = watch
        self._open: defaultdict[str, set[WebConnection]] = defaultdict(set)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def admit(self, network: str) -> bool:
        """Whether this network may have one more connection; for that another one may be evicted.

        If there is no free place, the network with the most connections gives one up. So somebody with many connections
        cannot keep out somebody with few.
        """
        own = len(self._open.get(network, ()))
        if own < self.limits.per_address and self._count < self.limits.connections:
            return True
        if own >= self.limits.per_address:
            victim = _quietest(self._open[network], or_responding=False)
        else:
            most = max(map(len, self._open.values()))
            rivals = [one for those in self._open.values() if len(those) == most for one in those]
            victim = _quietest(rivals, or_responding=most > own)
        if victim is None:
            self._watch.cut(Cut.REFUSED)
            return False
        self._cut(victim, Cut.EVICTED)
        return True

    def add(self, connection: WebConnection) -> None:
        """Count a connection."""
        self._open[connection.network].add(connection)
        self._count += 1
        self._watch.opened(self._count)

    def remove(self, connection: WebConnection) -> None:
        """Count a connection no more; one that is not counted is ignored."""
        those = self._open.get(connection.network, set())
        if connection not in those:
            return
        those.discard(connection)
        if not those:
            del self._open[connection.network]
        self._count -= 1
        self._watch.opened(self._count)

    def sweep(self, now: float) -> None:
        """Cut off every connection that is overdue."""
        for connection in [one for those in self._open.values() for one in those]:
            reason = connection.overdue(now)
            if reason is not None:
                self._cut(connection, reason)

    def note(self, reason: Cut) -> None:
        """Count a connection that was cut off by its own protocol."""
        self._watch.cut(reason)

    def close(self) -> None:
        """Close all of them at once."""
        for connection in [one for those in self._open.values() for one in those]:
            self.remove(connection)
            connection.cut()

    def _cut(self, connection: WebConnection, reason: Cut) -> None:
        self.remove(connection)  # at once: the transport says so only in the next step of the loop
        self._watch.cut(reason)
        connection.cut()


def _quietest(those: "set[WebConnection] | list[WebConnection]", *, or_responding: bool) -> WebConnection | None:
    """The connection that was quiet for the longest time; one with a response only if there is no other."""
    candidates = [one for one in those if not one.responding] or (list(those) if or_responding else [])
    return min(candidates, key=lambda one: one.quiet_since, default=None)


def network_of(peer: object) -> str:
    """Whom a connection is counted for: an IPv4 address, or the IPv6 network of 64 bits that one client has.

    `peer` is a socket address. All clients of a Unix socket count as one.
    """
    if not isinstance(peer, tuple) or not peer:
        return ""
    address = ip_address(str(peer[0]))
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))
