"""Run as a program: servers that are distant, silent, slow or hostile, each on one port of all addresses.

Arguments: a file that is made when all of them listen, the port of a TLS server for `distant`, and JSON with the port
of each kind.
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.proxy import delaying_proxy

EVERYWHERE = "0.0.0.0"  # noqa: S104 - all addresses of loopback
ROUND_TRIP_SECONDS = 0.02
BYTE_EVERY_SECONDS = 0.5
MOST_BYTES = 120
"""A slow server ends the connection after a minute, so that none stays for ever."""
RECORD = b"\x16\x03\x03\x10\x00"
"""The head of a TLS record whose content comes byte by byte."""
GARBAGE = b"\x00\xff" * 2048
BACKLOG = 512

Writer = asyncio.StreamWriter


async def slow(_reader: asyncio.StreamReader, writer: Writer) -> None:
    """Begin an answer, and go on by a byte each half second."""
    writer.write(RECORD)
    for _ in range(MOST_BYTES):
        await asyncio.sleep(BYTE_EVERY_SECONDS)
        writer.write(b"\x02")
        await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: Writer) -> None:
    """Answer the hello by bytes that are not TLS."""
    await reader.read(4096)
    writer.write(GARBAGE)
    await writer.drain()


async def reset(reader: asyncio.StreamReader, writer: Writer) -> None:
    """Reset the connection after the hello."""
    await reader.read(4096)
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HANDLERS: dict[str, Callable[[asyncio.StreamReader, Writer], Awaitable[None]]] = {
    "slow": slow,
    "garbage": garbage,
    "reset": reset,
}


def ending(handler: Callable[[asyncio.StreamReader, Writer], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The handler, with an end of the connection after it."""

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(OSError):
            await handler(reader, writer)
        writer.close()

    return serve


def fill(port: int) -> list[socket.socket]:
    """Listen with a queue that is full, so that the system answers no further connection; returns what must stay."""
    listening = socket.socket()
    listening.bind((EVERYWHERE, port))
    listening.listen(0)
    kept = [listening]
    for _ in range(4):
        waiting = socket.socket()
        waiting.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            waiting.connect(("127.0.0.1", port))
        kept.append(waiting)
    return kept


async def serve(listening: Callable[[], object], ports: dict[str, int]) -> None:
    """Serve until the process is ended; call `listening` when all kinds are served."""
    kept: list[object] = [fill(ports["dropped"])] if "dropped" in ports else []
    for kind, handler in HANDLERS.items():
        if kind in ports:
            kept.append(await asyncio.start_server(ending(handler), EVERYWHERE, ports[kind], backlog=BACKLOG))
    listening()
    await asyncio.Event().wait()


def main(ready: str, upstream: str, told: str) -> None:
    """Serve what the arguments say."""
    ports: dict[str, int] = json.loads(told)
    with contextlib.ExitStack() as proxies:
        if "distant" in ports:
            place = (EVERYWHERE, ports["distant"])
            proxies.enter_context(delaying_proxy(int(upstream), ROUND_TRIP_SECONDS, place))
        asyncio.run(serve(Path(ready).touch, ports))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
