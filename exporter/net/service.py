"""Connections to a target that have come to where TLS begins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.net.dial import Connection, Dialer
from exporter.net.starttls import start_tls

FIRST_DIALOGUE_SECONDS = 300.0
"""RFC 5321, 4.5.3.2: a server may take five minutes for its greeting. Some wait before it on purpose (postscreen 6 s,
Sendmail's greet_pause 5 s), others look up the client's name first. Other protocols name no time."""
_SHARE_OF_TIME = 0.9
"""Of what is left for the caller: whoever waits in vain still has to say for what."""
_SLOWER = 3
"""How many times as long as the slowest so far a dialogue may take."""


@asynccontextmanager
async def ready_for_tls(dialer: Dialer, *, max_bytes: int, timeouts: float = 2.0) -> AsyncIterator[Connection]:
    """A connection with the target's STARTTLS dialogue done; all reads of TLS together have so many read limits.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be.
    """
    async with dialer.connect(max_bytes=max_bytes) as connection:
        if dialer.target.starttls:
            await _lead_to_tls(dialer, connection, dialer.target.starttls)
        connection.limit(timeouts * connection.timeout_seconds)
        yield connection


async def _lead_to_tls(dialer: Dialer, connection: Connection, dialogue: str) -> None:
    """Run the dialogue, and remember how long it took.

    The first one may take long. What it took is what the server is expected to take from then on, since a scan has
    dozens of them: a server that falls silent must not cost minutes each time.
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
