"""A TLS server made of a few rules: its ServerHellos are enough for our hellos, and it can have any quirk."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum

from exporter.tls.parameters import GROUP_NAMES
from exporter.tls.suites import BY_CODE, KeyExchange
from tests.support.established import count_established

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
SCSV = 0x00FF
FALLBACK_SCSV = 0x5600


class End(Enum):
    """What the server does instead of sending bytes."""

    CLOSE = "orderly close"
    RESET = "TCP reset"
    SILENCE = "says nothing and keeps the connection open"


Reply = bytes | End
Script = Callable[["Hello"], Reply]


@dataclass(frozen=True)
class Hello:
    """What a client offered; `version` is the highest, `suites` without the two signals."""

    version: int
    suites: tuple[int, ...]
    compression: tuple[int, ...]
    extensions: Mapping[int, bytes]
    length: int
    fallback: bool = False

    @property
    def server_name(self) -> str | None:
        body = self.extensions.get(0)
        return body[5:].decode() if body else None

    @property
    def key_shares(self) -> tuple[int, ...]:
        data, shares = self.extensions.get(51, b"\x00\x00")[2:], []
        while data:
            group, length = struct.unpack(">HH", data[:4])
            shares.append(group)
            data = data[4 + length :]
        return tuple(shares)

    def _codes(self, extension: int) -> tuple[int, ...]:
        body = self.extensions.get(extension, b"\x00\x00")[2:]
        return struct.unpack(f">{len(body) // 2}H", body)

    @property
    def groups(self) -> tuple[int, ...]:
        return self._codes(10)

    @property
    def schemes(self) -> tuple[int, ...]:
        return self._codes(13)

    @property
    def applications(self) -> tuple[str, ...]:
        data, names = self.extensions.get(16, b"\x00\x00")[2:], []
        while data:
            names.append(data[1 : 1 + data[0]].decode())
            data = data[1 + data[0] :]
        return tuple(names)


def parse_hello(data: bytes) -> Hello | None:
    """A complete client hello, or None while bytes are missing. That of SSL 2 has version 2 and its kinds as suites."""
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
    offered = tuple(suite for suite in suites if suite not in {SCSV, FALLBACK_SCSV})
    return Hello(version, offered, compression, extensions, length, FALLBACK_SCSV in suites)


async def read_hello(reader: asyncio.StreamReader) -> Hello | None:
    """The next client hello, or None if the client closes before it is complete."""
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


def extension(number: int, body: bytes = b"") -> bytes:
    return struct.pack(">HH", number, len(body)) + body


def message(kind: int, body: bytes = b"") -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def server_hello_message(
    version: int,
    suite: int,
    compression: int = 0,
    *,
    retry: bool = False,
    group: int = 0x001D,
    extensions: bytes = b"",
    random: bytes = bytes(range(32)),
) -> bytes:
    if version == 0x0304:
        extensions += extension(43, b"\x03\x04") + extension(
            51, struct.pack(">H", group) + (b"" if retry else b"\x00\x00")
        )
    body = struct.pack(">H", min(version, 0x0303)) + (RETRY_RANDOM if retry else random) + b"\x00"
    body += struct.pack(">HB", suite, compression)
    return message(2, body + (struct.pack(">H", len(extensions)) + extensions if extensions else b""))


def server_hello(version: int, suite: int, compression: int = 0, *, retry: bool = False) -> bytes:
    """A record with a ServerHello, and up to TLS 1.2 with the end of the flight."""
    first = server_hello_message(version, suite, compression, retry=retry)
    return record(22, first if version == 0x0304 else first + message(14), min(version, 0x0303))


def certificate_message(certificates: Sequence[bytes]) -> bytes:
    chain = b"".join(len(one).to_bytes(3, "big") + one for one in certificates)
    return message(11, len(chain).to_bytes(3, "big") + chain)


def curve_message(group: int, scheme: int | None = None) -> bytes:
    """A ServerKeyExchange with a named curve; signed in TLS 1.2 if there is a scheme."""
    return message(12, struct.pack(">BHB", 3, group, 1) + b"p" + _signature(scheme))


def prime_message(prime: int, scheme: int | None = None) -> bytes:
    """A ServerKeyExchange with a finite field."""
    number = prime.to_bytes((prime.bit_length() + 7) // 8, "big")
    return message(12, struct.pack(">H", len(number)) + number + b"\x00\x01\x02\x00\x01\x03" + _signature(scheme))


def _signature(scheme: int | None) -> bytes:
    return b"" if scheme is None else struct.pack(">HH", scheme, 1) + b"s"


def ssl2_server_hello(kinds: Sequence[int], certificate: bytes = b"certificate") -> bytes:
    packed = b"".join(kind.to_bytes(3, "big") for kind in kinds)
    body = b"\x04\x00\x01" + struct.pack(">HHHH", 2, len(certificate), len(packed), 16)
    body += certificate + packed + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


def key_of(suite: int) -> str:
    """The kind of certificate that a suite needs, whose key signs."""
    return "ECDSA" if "_ECDSA_" in BY_CODE[suite].name else "RSA"


def scheme_fits(scheme: int, key: str) -> bool:
    """Whether a signature scheme is for this kind of key (RFC 8446, 4.2.3)."""
    rsa = scheme & 0xFF == 1 or scheme in {0x0804, 0x0805, 0x0806}
    return rsa if key == "RSA" else scheme & 0xFF == 3


_KNOWN_GROUPS = frozenset(GROUP_NAMES)


@dataclass(frozen=True)
class Stack:
    """A server as rules: the script of `scripted_server`.

    Attributes:
        accepted: wire version -> suites in the server's order of preference.
        client_order: versions in which the client's order decides.
        chacha_first: the server chooses ChaCha20 for clients that list it first (mixed order).
        compression: methods it accepts.
        reads: how many suites of a hello it reads.
        reads_groups: how many of the groups that it knows it reads (mbedTLS).
        reads_schemes: how many signature schemes of a hello it reads (wolfSSL).
        refuses_over: it refuses hellos with more suites than this, with its usual refusal.
        refusal: its answer if nothing is in common in a version that it supports.
        wrong_version: its answer to a version that it does not support.
        retry_requests: TLS 1.3: it answers an empty key_share with HelloRetryRequest, otherwise with `refusal`.
        groups: groups of TLS 1.3 in the server's order; up to TLS 1.2 only the curves among them.
        groups_by_client: the client's order of groups decides.
        schemes: signature schemes in the server's order.
        schemes_by_client: the client's order of signature schemes decides.
        prime: prime of finite-field key exchanges.
        applications: ALPN names in the server's order; None does not support ALPN.
        refuses_applications: it ends a handshake without a common ALPN name.
        answers: extensions that it answers if they are offered.
        certificates: kind of key -> chain.
        refuses_fallback: it supports RFC 7507.
        random: `random` in its ServerHellos up to TLS 1.2.
    """

    accepted: Mapping[int, tuple[int, ...]]
    client_order: frozenset[int] = frozenset()
    chacha_first: frozenset[int] = frozenset()
    compression: frozenset[int] = frozenset()
    reads: int = 10_000
    reads_groups: int = 10_000
    reads_schemes: int = 10_000
    refuses_over: int = 10_000
    refusal: Reply = field(default_factory=lambda: alert(40))
    wrong_version: Reply = field(default_factory=lambda: alert(70))
    retry_requests: bool = True
    chacha: frozenset[int] = frozenset({0xCCA8, 0xCCA9, 0xCCAA, 0x1303})
    groups: tuple[int, ...] = (0x001D, 0x0017)
    groups_by_client: bool = False
    schemes: tuple[int, ...] = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601)
    schemes_by_client: bool = False
    prime: int = 0xFFFF
    applications: tuple[str, ...] | None = None
    refuses_applications: bool = False
    answers: frozenset[int] = frozenset({0xFF01, 23, 35})
    certificates: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    refuses_fallback: bool = False
    random: bytes = bytes(range(32))

    def __call__(self, hello: Hello) -> Reply:
        version = hello.version
        if version not in self.accepted:
            return self.wrong_version
        if version == 2:
            return ssl2_server_hello([kind for kind in self.accepted[2] if kind in hello.suites])
        if hello.fallback and self.refuses_fallback and version < max(self.accepted):
            return alert(86)
        if len(hello.suites) > self.refuses_over:
            return self.refusal
        offered = hello.suites[: self.reads]
        common = [suite for suite in self.accepted[version] if suite in offered and self.usable(suite, hello)]
        if not common:
            return self.refusal
        if version in self.client_order or (version in self.chacha_first and offered[0] in self.chacha):
            common = [suite for suite in offered if suite in common]
        if version == 0x0304:
            return self._tls13(hello, common[0])
        if (
            self.refuses_applications
            and hello.applications
            and not set(self.applications or ()) & set(hello.applications)
        ):
            return alert(120)
        return self._flight(hello, common[0])

    def groups_in(self, version: int) -> tuple[int, ...]:
        """Groups that this version can have (RFC 8446, 4.2.7)."""
        new = {0x0017, 0x0018, 0x0019, 0x001D, 0x001E}
        return tuple(
            group for group in self.groups if (group > 0xFF if version == 0x0304 else group < 0x0100) or group in new
        )

    def _group(self, hello: Hello) -> int | None:
        own = self.groups_in(hello.version)
        if hello.version == 0x0300:
            return own[0] if own else None
        offered = [group for group in hello.groups if group in _KNOWN_GROUPS][: self.reads_groups]
        first, second = (offered, own) if self.groups_by_client else (own, offered)
        return next((group for group in first if group in second), None)

    def _scheme(self, hello: Hello, key: str) -> int | None:
        offered = hello.schemes[: self.reads_schemes]
        first, second = (offered, self.schemes) if self.schemes_by_client else (self.schemes, offered)
        return next((scheme for scheme in first if scheme in second and scheme_fits(scheme, key)), None)

    def usable(self, suite: int, hello: Hello) -> bool:
        """Whether the other contents of the hello allow this suite."""
        if hello.version == 0x0304:
            return self._group(hello) is not None
        known = BY_CODE[suite]
        if known.key_exchange is KeyExchange.ECDH and self._group(hello) is None:
            return False
        return hello.version != 0x0303 or not known.signed or self._scheme(hello, key_of(suite)) is not None

    def _tls13(self, hello: Hello, suite: int) -> Reply:
        retry = self._group(hello) not in hello.key_shares
        group = self._group(hello)
        if retry and not self.retry_requests:
            group = next((share for share in hello.key_shares if share in self.groups_in(0x0304)), None)
            if group is None:
                return self.refusal
            retry = False
        assert group is not None
        return record(22, server_hello_message(0x0304, suite, retry=retry, group=group))

    def _flight(self, hello: Hello, suite: int) -> bytes:
        method = next((method for method in hello.compression if method in self.compression), 0)
        answered = b"".join(extension(number) for number in self.answers if number in hello.extensions or number > 0xFF)
        if 22 in self.answers and not BY_CODE[suite].cbc:
            answered = answered.replace(extension(22), b"")
        name = next((name for name in self.applications or () if name in hello.applications), None)
        if name is not None:
            answered += extension(16, struct.pack(">HB", len(name) + 1, len(name)) + name.encode())
        if hello.version == 0x0300:
            answered = b""
        messages = server_hello_message(hello.version, suite, method, extensions=answered, random=self.random)
        known = BY_CODE[suite]
        if key_of(suite) in self.certificates:
            messages += certificate_message(self.certificates[key_of(suite)])
        if 5 in self.answers and 5 in hello.extensions:
            messages += message(22, b"\x01response")
        scheme = self._scheme(hello, key_of(suite)) if hello.version == 0x0303 and known.signed else None
        group = self._group(hello)
        if known.key_exchange is KeyExchange.ECDH and group is not None:
            messages += curve_message(group, scheme)
        elif known.key_exchange is KeyExchange.DH:
            messages += prime_message(self.prime, scheme)
        return record(22, messages + message(14), hello.version)


@dataclass(frozen=True)
class CertificateFirst:
    """A server like HAProxy: uses the ECDSA certificate if any suite can use it, and then only suites that fit."""

    stack: Stack

    def __call__(self, hello: Hello) -> Reply:
        ecdsa = tuple(code for code in hello.suites if key_of(code) == "ECDSA")
        return self.stack(replace(hello, suites=ecdsa) if ecdsa and 0x0300 < hello.version < 0x0304 else hello)


@dataclass
class Seen:
    """What a scripted server saw.

    Attributes:
        open: connections that are open.
        most_at_once: connections that were open at the same time.
        later: what clients sent after the answer to their hellos.
    """

    port: int = 0
    hellos: list[Hello] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_at_once: int = 0
    later: list[bytes] = field(default_factory=list)

    async def end(self) -> list[bytes]:
        """`later`, as soon as clients have closed all connections; only for scripts that always answer."""
        async with asyncio.timeout(30):
            while len(self.later) < len(self.hellos):
                await asyncio.sleep(0)
        return self.later


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
        seen.open += 1
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
                    seen.later.append(await reader.read())  # until the client stops
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
            seen.open -= 1
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
