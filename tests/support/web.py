"""HTTP servers whose responses are functions of the request, and the probe's facts about them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from exporter.facts.http import HttpFacts
from exporter.model import Facts
from exporter.probes.http.probe import look
from tests.support.servers import Pki
from tests.support.targets import make_session, make_target

YEAR = "Strict-Transport-Security: max-age=31536000\r\n"
NONCE = "0123"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, list[bytes]], Awaitable[None]]
Answer = Callable[[bytes], bytes | None]
"""Request -> response; None closes without one. A response with `Connection: close` also closes."""


def response(fields: str = "", status: str = "200 OK", body: str = "") -> bytes:
    """The response as HTTP/1.1, with a framed body."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n{body}".encode("latin-1")


def usual(request: bytes, fields: str = YEAR) -> bytes:
    """The responses of a server with a page at `/` only, with these fields in every response."""
    if request.lower().count(b"\r\nhost:") != 1:
        return response(f"{fields}Connection: close\r\n", "400 Bad Request")
    return response(fields) if request.startswith(b"GET / ") else response(fields, "404 Not Found")


def answering(answer: Answer) -> Handler:
    """A server of HTTP/1.1 that keeps its connections."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            requests.append(request)
            said = answer(request)
            if said is None:
                return
            writer.write(said)
            await writer.drain()
            if b"Connection: close" in said:
                return

    return handle


@dataclass
class Served:
    """A running server: its port, and the requests of each connection so far."""

    port: int
    connections: list[list[bytes]] = field(default_factory=list)

    @property
    def requests(self) -> list[bytes]:
        """Of all connections."""
        return [request for requests in self.connections for request in requests]


@asynccontextmanager
async def serving(
    handler: Handler, pki: Pki | None, alpn: list[str] | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """Run the handler on a port of this address, with or without TLS."""
    context = None
    if pki is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.ecdsa)
        context.set_alpn_protocols(alpn or [])

    open_ones: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections.append([])
        open_ones[asyncio.current_task()] = writer
        try:
            await handler(reader, writer, served.connections[-1])
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    served = Served(0)
    server = await asyncio.start_server(serve, host, 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task, writer in open_ones.items():
            if task is not None:
                task.cancel()
            writer.transport.abort()
        await asyncio.gather(*filter(None, open_ones), return_exceptions=True)


def ask(
    pki: Pki,
    handler: Handler,
    *,
    alpn: list[str] | None = None,
    known: Facts | None = None,
    **changes: Any,  # noqa: ANN401 - any field of Target
) -> tuple[HttpFacts, Served, int]:
    """The probe's facts about such a server, what the server saw, and the number of connections; NONCE is random."""

    async def run() -> tuple[HttpFacts, Served, int]:
        async with serving(handler, pki, alpn) as served:
            session = make_session(make_target(served.port, **{"timeout_seconds": 0.5, **changes}), known=known)
            return await look(session, lambda: NONCE), served, session.dialer.connections

    return asyncio.run(run())
