"""The limits of the HTTP server, and how many descriptors it may use."""

import resource
from dataclasses import dataclass
from typing import Self

MOST_OPEN_FILES = 65536
"""Most descriptors that this process asks for. Hard limits of a million are usual, and no configuration needs those."""
CONNECTIONS = 512
"""The default of Prometheus' own `--web.max-connections`."""
LEAST_CONNECTIONS = 16
"""Even if scans can use up all descriptors, a few scrapes are not refused for that."""
RESERVED, RESERVED_PER_SCAN = 128, 8
"""Descriptors that web connections never use. 128 are for the interpreter, listening sockets, workers, name resolution,
files, and what one pass of the accept loop opens before evicted connections are closed. A scan has 4 connections
(`connections_per_host`), its DNS questions, and a trust store."""


@dataclass(frozen=True, slots=True)
class WebLimits:
    """Limits of the HTTP server.

    Attributes:
        connections: most connections at once.
        per_address: most connections at once of one IPv4 address or one IPv6 network of 64 bits. A proxy in front of
            several Prometheus servers needs some dozens.
        request_seconds: from the connection, or the first byte of a later request, to the end of the request.
        idle_seconds: between two requests. Prometheus scrapes once a minute by default and keeps its connection; nginx
            waits as long.
        stall_seconds: a client that reads nothing of a response for this long is cut off.
        response_seconds: for a complete response. Prometheus' `scrape_timeout` is 10 s by default. In a minute, a line
            of 8 Mbit/s transfers 60 MB, the uncompressed page of 5,000 targets.
        head_bytes: of a request line and its fields, h11's own default.
        body_bytes: of a request. No page needs a body.
    """

    connections: int = CONNECTIONS
    per_address: int = CONNECTIONS // 4
    request_seconds: float = 10.0
    idle_seconds: float = 75.0
    stall_seconds: float = 10.0
    response_seconds: float = 60.0
    head_bytes: int = 16384
    body_bytes: int = 65536

    @classmethod
    def within(cls, open_files: int, scans: int) -> Self:
        """The usual limits, with no more connections than `open_files` leaves next to this many scans at once."""
        connections = max(LEAST_CONNECTIONS, min(CONNECTIONS, open_files - descriptors_reserved(scans)))
        return cls(connections=connections, per_address=max(1, connections // 4))


def descriptors_reserved(scans: int) -> int:
    """Descriptors for everything but web connections, with this many scans at once."""
    return RESERVED + RESERVED_PER_SCAN * scans


def open_files() -> int:
    """Most descriptors that this process may have now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> None:
    """Raise the soft limit of descriptors to the hard one, at most to `MOST_OPEN_FILES`; lower nothing.

    The soft limit is 1,024 for programs that use select(2), which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
