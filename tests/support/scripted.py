"""A TLS server made of a few rules: enough of a ServerHello for what our hellos ask, and any quirk one wants."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from tests.support.established import count_established

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
SCSV = 0x00FF


class End(Enum):
    """What the server does in place of bytes."""

    CLOSE = "orderly close"
    RESET = "TCP reset"
    SILENCE = "says nothing and keeps the connection open"


Reply = bytes | End
Script = Callable[["Hello"], Reply]


@dataclass(frozen=True)
class Hello:
    """What a client offered; `version` is the highest, `suites` without the renegotiation signal."""

    version: int
    suites: tuple[int, ...]
    compression: tuple[int, ...]
    extensions: Mapping[int, bytes]
    length: int

    @property
    def server_name(self) -> str | None:
        body = self.extensions.get(0)
        return body[5:].decode() if body else None

    @property
    def has_key_share(self) -> bool:
        return len(self.extensions.get(51, b"")) > 2


def parse_hello(data: bytes) -> Hello | None:
    """A whole client hello, or None while bytes are missing. SSL 2's has version 2 and its kinds as suites."""
    if len(data) < 5:
        return None
    if data[0] & 0x80:
        length = struct.unpack(">H", data[:2])[0] & 0x7FFF
        if len(data) < 2 + length:
            return None
        count = struct.unpack(">H", data[5:7])[0]
        kinds = data[11 : 11 + count]
        return Hello(2, tuple(int.from_bytes(kinds[i : i + 3], "big") for i in range(0, count, 3)), (), {}, length)
    (length,) = struct.unpack(">H", data[3:5])
    if len(data) < 5 + length:
        return None
    body = data[9 : 5 + length]
    (version,) = struct.unpack(">H", body[:2])
    at = 34
    at += 1 + body[at]
    (count,) = struct.unpack(">H", body[at : at + 2])
    suites = struct.unpack(f">{count // 2}H", body[at + 2 : at + 2 + count])
    at += 2 + count
    compression = tuple(body[at + 1 : at + 1 + body[at]])
    at += 1 + body[at]
    extensions: dict[int, bytes] = {}
    if at < len(body):
        at += 2
        while at < len(body):
            number, size = struct.unpack(">HH", body[at : at + 4])
            extensions[number] = body[at + 4 : at + 4 + size]
            at += 4 + size
    if 43 in extensions:
        version = max(struct.unpack(f">{extensions[43][0] // 2}H", extensions[43][1:]))
    return Hello(version, tuple(s for s in suites if s != SCSV), compression, extensions, length)


async def read_hello(reader: asyncio.StreamReader) -> Hello | None:
    """The next client hello, or None when the client closes before it is whole."""
    data = b""
    while (hello := parse_hello(data)) is None:
        more = await reader.read(65536)
        if not more:
            return None
        data += more
    return hello


def record(kind: int, payload: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def alert(description: int, level: int = 2) -> bytes:
    return record(21, bytes([level, description]))


def server_hello_message(version: int, suite: int, compression: int = 0, *, retry: bool = False) -> bytes:
    tls13 = version == 0x0304
    random = RETRY_RANDOM if retry else bytes(range(32))
    body = struct.pack(">H", min(version, 0x0303)) + random + b"\x00" + struct.pack(">HB", suite, compression)
    if tls13:
        extensions = struct.pack(">HHH", 43, 2, 0x0304)
        extensions += struct.pack(">HHH", 51, 2, 0x001D) if retry else b""
        body += struct.pack(">H", len(extensions)) + extensions
    return b"\x02" + len(body).to_bytes(3, "big") + body


def server_hello(version: int, suite: int, compression: int = 0, *, retry: bool = False) -> bytes:
    return record(22, server_hello_message(version, suite, compression, retry=retry), min(version, 0x0303))


def ssl2_server_hello(kinds: Sequence[int], certificate: bytes = b"certificate") -> bytes:
    packed = b"".join(kind.to_bytes(3, "big") for kind in kinds)
    body = b"\x04\x00\x01" + struct.pack(">HHHH", 2, len(certificate), len(packed), 16)
    body += certificate + packed + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


@dataclass(frozen=True)
class Stack:
    """A server as rules: the script of `scripted_server`.

    Attributes:
        accepted: wire version -> suites in the server's order of preference.
        client_order: versions in which the client's order decides.
        chacha_first: the server lets a client that puts ChaCha20 in front have it (mixed order).
        compression: methods it takes.
        reads: how many suites of a hello it looks at.
        refuses_over: it refuses hellos with more suites than that, as it refuses everything.
        refusal: what it says when there is nothing to agree on in a version that it has.
        wrong_version: what it says to a version that it does not have.
        retry_requests: TLS 1.3: answers an empty key_share with HelloRetryRequest, else with `refusal`.
    """

    accepted: Mapping[int, tuple[int, ...]]
    client_order: frozenset[int] = frozenset()
    chacha_first: frozenset[int] = frozenset()
    compression: frozenset[int] = frozenset()
    reads: int = 10_000
    refuses_over: int = 10_000
    refusal: Reply = field(default_factory=lambda: alert(40))
    wrong_version: Reply = field(default_factory=lambda: alert(70))
    retry_requests: bool = True
    chacha: frozenset[int] = frozenset({0xCCA8, 0xCCA9, 0xCCAA, 0x1303})

    def __call__(self, hello: Hello) -> Reply:
        version = hello.version
        if version not in self.accepted:
            return self.wrong_version
        if version == 2:
            return ssl2_server_hello([kind for kind in self.accepted[2] if kind in hello.suites])
        if len(hello.suites) > self.refuses_over:
            return self.refusal
        offered = hello.suites[: self.reads]
        common = [suite for suite in self.accepted[version] if suite in offered]
        if not common:
            return self.refusal
        if version in self.client_order or (version in self.chacha_first and offered[0] in self.chacha):
            common = [suite for suite in offered if suite in common]
        if version == 0x0304:
            if not hello.has_key_share and not self.retry_requests:
                return self.refusal
            return server_hello(version, common[0], retry=not hello.has_key_share)
        method = next((method for method in hello.compression if method in self.compression), 0)
        return server_hello(version, common[0], method)


@dataclass
class Seen:
    """What a scripted server saw.

    Attributes:
        most_at_once: connections that were open at the same time.
    """

    port: int = 0
    hellos: list[Hello] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0


def _abort(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@asynccontextmanager
async def scripted_server(script: Script, *, greet: bytes = b"") -> AsyncIterator[Seen]:
    """The script behind a port of 127.0.0.1; a greeting, if any, goes out first."""
    seen = Seen()
    silent: set[asyncio.StreamWriter] = set()
    clients: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        clients.add(writer)
        seen.most_at_once = max(seen.most_at_once, count_established(clients))
        try:
            writer.write(greet)
            hello = await read_hello(reader)
            if hello is None:
                return
            seen.hellos.append(hello)
            match script(hello):
                case bytes() as reply:
                    writer.write(reply)
                    await writer.drain()
                    await reader.read()  # until the client has had enough
                case End.CLOSE:
                    return
                case End.RESET:
                    _abort(writer)
                case End.SILENCE:
                    silent.add(writer)
                    await reader.read()
        except (OSError, ConnectionError):
            return
        finally:
            clients.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for writer in silent:
            writer.transport.abort()
