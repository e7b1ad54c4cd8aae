"""Connections for tests: bytes from one to another, and a port that accepts none."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward everything until the end of either side."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@contextmanager
def full_queue() -> Iterator[int]:
    """A port that accepts no connection: the nearest thing on loopback to a host that drops packets."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        try:
            for waiting in queued:
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            yield port
        finally:
            for waiting in queued:
                waiting.close()
