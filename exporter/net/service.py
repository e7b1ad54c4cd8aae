"""Connections to a target that have come to where TLS begins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.net.dial import Connection, Dialer
from exporter.net.starttls import start_tls


@asynccontextmanager
async def ready_for_tls(dialer: Dialer, *, max_bytes: int, timeouts: float = 2.0) -> AsyncIterator[Connection]:
    """A connection with the target's STARTTLS dialogue done; all reads of TLS together have so many read limits.

    Raises:
        ProbeError: the connection, or the dialogue before TLS, did not come to be.
    """
    async with dialer.connect(max_bytes=max_bytes) as connection:
        target = dialer.target
        if target.starttls:
            connection.limit(2 * connection.timeout_seconds)
            greeting = await start_tls(connection, target.starttls, target.verified_name, target.ehlo_name)
            dialer.greeting = dialer.greeting or greeting
        connection.limit(timeouts * connection.timeout_seconds)
        yield connection
