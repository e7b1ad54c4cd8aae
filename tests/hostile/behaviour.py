"""A behaviour of the farm: what a hostile server does on each connection, and which outcomes of a scan fit it."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.hostile.material import Material
from tests.support.scripted import End, Hello, Reply, Script, read_hello, record

SUCCESS = "success"
"""The outcome of a probe that found out; other outcomes are values of `Reason`."""
NEVER_FITTING = frozenset({"internal", "worker_crashed"})
"""Reasons that no server may cause."""
MOST_FLOOD_BYTES = 64 * 2**20
"""A flood ends then. No client reads so much."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection, seen from the server.

    Attributes:
        number: of this connection, from 1 on, of all to this server.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    material: Material

    async def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, piece: bytes, pause: float = 0.0) -> None:
        """Send the piece again and again, until the client is gone."""
        for _ in range(MOST_FLOOD_BYTES // len(piece)):
            await self.send(piece)
            await asyncio.sleep(pause)
            if self.writer.is_closing():
                return

    async def drip(self, data: bytes, pause: float = 1.0) -> None:
        """Send one byte at a time."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(pause)

    async def silence(self) -> None:
        """Say nothing, until the client closes."""
        while await self.reader.read(65536):
            pass

    async def hello(self) -> Hello:
        """Read a ClientHello.

        Raises:
            ConnectionError: the client closes first.
        """
        hello = await read_hello(self.reader)
        if hello is None:
            raise ConnectionResetError
        return hello

    async def secure(self, context: ssl.SSLContext | None = None) -> None:
        """Complete a handshake; the streams are those inside TLS then."""
        await self.writer.start_tls(context or self.material.context, ssl_handshake_timeout=30)

    def reset(self) -> None:
        """Reset the connection."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]
Outcomes = frozenset[str]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One hostile server.

    Attributes:
        serve: what it does on a connection. None never accepts one: its backlog is full.
        service: the service as the configuration names it, such as `https` or `smtp+starttls`.
        fitting: probe -> outcomes that fit. Other probes may have any outcome that is not `NEVER_FITTING`.
        never: samples that must not be shown: `family`, `family value`, or `family{label value} value`.
    """

    name: str
    about: str
    serve: Handler | None
    service: str
    fitting: Mapping[str, Outcomes]
    never: tuple[str, ...] = ()


NOTHING_KNOWN = ("protocol_accepted", "compliant 1", "certificate_trusted", "hsts_present", "vulnerable")
"""What must not be shown of a server that never gave an answer."""


def unreached(serve: Handler, *reasons: str, service: str = "https", name: str = "") -> Behaviour:
    """A server whose handshake probe fails by one of these reasons, so that nothing is known of it."""
    return Behaviour(
        name or name_of(serve), about(serve), serve, service, {"handshake": frozenset(reasons)}, NOTHING_KNOWN
    )


def reached(
    serve: Handler,
    *outcomes: str,
    service: str = "https",
    never: tuple[str, ...] = (),
    name: str = "",
    doc: str = "",
    **others: str,
) -> Behaviour:
    """A server whose handshake probe has one of these outcomes, or success without any.

    `others` are other probes with their fitting outcomes, separated by blanks.
    """
    fitting = {"handshake": frozenset(outcomes or {SUCCESS})}
    fitting |= {probe: frozenset(text.split()) for probe, text in others.items()}
    return Behaviour(name or name_of(serve), doc or about(serve), serve, service, fitting, never)


def name_of(serve: Handler) -> str:
    """The function's name as a DNS label."""
    return str(getattr(serve, "__name__", "")).strip("_").replace("_", "-")


def about(serve: object) -> str:
    """The first line of its docstring."""
    return (serve.__doc__ or "").strip().split("\n")[0].rstrip(".")


def scripted(script: Script, name: str, doc: str) -> Handler:
    """A server that reads a ClientHello and answers by the script."""

    async def serve(peer: Peer) -> None:
        await answer(peer, script(await peer.hello()))

    serve.__name__, serve.__doc__ = name, doc
    return serve


def accepts_tls12(hello: Hello) -> bool:
    """Whether the client offers TLS 1.2, maybe among newer versions."""
    versions = hello.extensions.get(43)
    return hello.version == 0x0303 if versions is None else b"\x03\x03" in versions[1:]


def records(messages: bytes) -> bytes:
    """These messages of the handshake, in as many records as they need."""
    return b"".join(record(22, messages[at : at + 16384]) for at in range(0, len(messages), 16384))


async def answer(peer: Peer, reply: Reply) -> None:
    """Send a reply, and wait for the client to close."""
    match reply:
        case bytes():
            await peer.send(reply)
            await peer.silence()
        case End.RESET:
            peer.reset()
        case End.SILENCE:
            await peer.silence()
        case End.CLOSE:
            return
