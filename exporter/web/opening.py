"""Opens an accepted connection with TLS. Until the handshake is complete, it counts as a request that has not arrived.

A client that says nothing costs a socket and a task. The 256 KiB that asyncio has for each TLS connection are there
only after the client's first byte.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from exporter.web.access import Tls
from exporter.web.protocol import LimitedProtocol

_METHODS = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
"""What Go's server takes for HTTP where TLS should be: the five bytes of a record's head."""
_NOT_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
"""Go's answer."""


async def open_with_tls(
    connection: socket.socket, protocol: LimitedProtocol, tls: Callable[[], Awaitable[Tls]], close_seconds: float
) -> None:
    """Give the connection to the protocol when the handshake is complete.

    Args:
        connection: was accepted; it does not block.
        protocol: gets the connection.
        tls: is asked after the client's first byte.
        close_seconds: how long the client may take for what is left when the connection is closed.

    Raises:
        OSError: the handshake failed, or the client sent something else.
    """
    await _readable(connection)
    if connection.recv(5, socket.MSG_PEEK) in _METHODS:
        connection.recv(65536)  # a reset for bytes that were not read could overtake the answer
        connection.send(_NOT_TLS)
        raise ConnectionAbortedError("an HTTP request where TLS should be")
    protocol.tls = await tls()
    await asyncio.get_running_loop().connect_accepted_socket(
        lambda: protocol, connection, ssl=protocol.tls.context, ssl_shutdown_timeout=close_seconds
    )


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
