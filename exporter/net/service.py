"""Connections to a target that have reached the start of TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.net.connection import Connection
from exporter.net.dial import Dialer
from exporter.net.starttls import start_tls

FIRST_DIALOGUE_SECONDS = 300.0
"""RFC 5321, 4.5.3.2: a server may take five minutes for its greeting. Some delay it on purpose (postscreen 6 s,
Sendmail's greet_pause 5 s), others look up the client's name first. Other protocols specify no time."""
_SHARE_OF_TIME = 0.9
"""Share of the caller's remaining time: the rest is needed to report a timeout."""
_SLOWER = 3
"""A later dialogue may take this many times as long as the slowest so far."""


@asynccontextmanager
async def ready_for_tls(dialer: Dialer, *, max_bytes: int, timeouts: float = 2.0) -> AsyncIterator[Connection]:
    """A connection on which the STARTTLS dialogue of the target is done.

    All reads of TLS together may take `timeouts` times the time limit of one read.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, failed.
    """
    connection = await open_for_tls(dialer, max_bytes=max_bytes, timeouts=timeouts)
    try:
        yield connection
    finally:
        connection.close()


async def open_for_tls(dialer: Dialer, *, max_bytes: int, timeouts: float = 2.0) -> Connection:
    """As `ready_for_tls`; the caller has to close the connection."""
    connection = await dialer.open(max_bytes=max_bytes)
    if dialer.target.starttls:
        try:
            await _lead_to_tls(dialer, connection, dialer.target.starttls)
        except BaseException:
            connection.close()
            raise
    connection.limit(timeouts * connection.timeout_seconds)
    return connection


async def _lead_to_tls(dialer: Dialer, connection: Connection, dialogue: str) -> None:
    """Run the dialogue and record how long it took.

    The first dialogue may take long. Later ones are limited by the time of the earlier ones: a scan has dozens of them,
    and a server that becomes silent must not cost minutes each time.
    """
    loop, target = asyncio.get_running_loop(), dialer.target
    began, slowest = loop.time(), dialer.slowest_dialogue_seconds
    if slowest is None:
        left = FIRST_DIALOGUE_SECONDS if dialer.until is None else _SHARE_OF_TIME * (dialer.until - began)
        first = max(0.0, min(FIRST_DIALOGUE_SECONDS, left))
        connection.limit(first, each=first)
    else:
        each = max(connection.timeout_seconds, _SLOWER * slowest)
        connection.limit(2 * each, each=each)
    greeting = await start_tls(connection, dialogue, target.verified_name, target.ehlo_name)
    dialer.greeting = dialer.greeting or greeting
    dialer.slowest_dialogue_seconds = max(slowest or 0.0, loop.time() - began)
