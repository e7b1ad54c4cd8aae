"""Answers to a hello, and the messages they are parsed from: bytes only, no sockets, no cryptography."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""RFC 8446, 4.1.3: SHA-256 of "HelloRetryRequest"."""

_SUPPORTED_VERSIONS = 43
TLS1_3 = 0x0304


class NotTLSError(Exception):
    """The first bytes belong to another protocol."""


class MalformedError(Exception):
    """It began as TLS and violates the rules of TLS."""


class CloseNotifyError(Exception):
    """An orderly end of the connection (close_notify; RFC 8446, 6.1) instead of an answer. s2n-tls refuses so."""


@dataclass(frozen=True, slots=True)
class FlightRest:
    """What came after the ServerHello, up to TLS 1.2; empty where nothing came.

    Attributes:
        certificates: DER, the leaf first, as served.
        key_exchange: body of the ServerKeyExchange message, whose layout depends on the suite.
        stapled: a CertificateStatus message came.
        truncated: the chain was too long, and `certificates` has only the first.
        complete: it was read to its end (ServerHelloDone), so messages that are missing were not sent.
        alert: description of a fatal alert that ended it: the server chose a suite and could not continue.
    """

    certificates: tuple[bytes, ...] = ()
    key_exchange: bytes | None = None
    stapled: bool = False
    truncated: bool = False
    complete: bool = False
    alert: int | None = None


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The server's choice. A HelloRetryRequest is one too, with `retry_request`.

    Attributes:
        version: wire code of the version that was negotiated, from supported_versions where that is there.
        extensions: number -> body.
        random: 32 bytes.
        rest: what came after it.
    """

    version: int
    suite: int
    compression: int
    retry_request: bool
    extensions: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))
    random: bytes = bytes(32)
    rest: FlightRest = FlightRest()


@dataclass(frozen=True, slots=True)
class SSL2ServerHello:
    """An SSL 2 SERVER-HELLO: every cipher kind the server shares (three-byte codes), and its certificate (DER)."""

    kinds: tuple[int, ...]
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class Alert:
    """A fatal alert (RFC 8446, 6); SSL 2's ERROR counts as handshake_failure."""

    description: int


Answer = ServerHello | SSL2ServerHello | Alert


class Cursor:
    """Reads a message from its start; `MalformedError` when it ends too soon."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise MalformedError("message ends too soon")
        self._at += count
        return piece

    def number(self, size: int) -> int:
        """The number in the next bytes."""
        return int.from_bytes(self.take(size), "big")

    @property
    def left(self) -> int:
        """How many bytes there still are."""
        return len(self._data) - self._at


def parse_server_hello(body: bytes) -> ServerHello:
    """A ServerHello (RFC 8446, 4.1.3). It works without a cursor for speed: nearly each connection of a scan has one.

    Raises:
        MalformedError: it ends too soon.
    """
    end = 35 + (body[34] if len(body) > 34 else 0)  # version, random, session id
    if len(body) < end + 3:
        raise MalformedError("message ends too soon")
    version, random = int.from_bytes(body[:2], "big"), body[2:34]
    suite, compression = int.from_bytes(body[end : end + 2], "big"), body[end + 2]
    extensions = _parse_extensions(body[end + 3 :])
    selected = extensions.get(_SUPPORTED_VERSIONS)
    if selected is not None:
        version = Cursor(selected).number(2)
    return ServerHello(version, suite, compression, random == HELLO_RETRY_REQUEST_RANDOM, extensions, random)


def _parse_extensions(data: bytes) -> dict[int, bytes]:
    """Number -> body. Bytes after the block are ignored, as most clients do."""
    if not data:
        return {}
    if len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        raise MalformedError("message ends too soon")
    at, end = 2, 2 + int.from_bytes(data[:2], "big")
    extensions: dict[int, bytes] = {}
    while at < end:
        if at + 4 > end:
            raise MalformedError("message ends too soon")
        number, length = struct.unpack_from(">HH", data, at)
        at += 4 + length
        if at > end:
            raise MalformedError("message ends too soon")
        extensions[number] = data[at - length : at]
    return extensions


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """The certificates of a Certificate message (RFC 5246, 7.4.2), DER, in its order.

    Raises:
        MalformedError: it ends too soon.
    """
    cursor = Cursor(body)
    block = Cursor(cursor.take(cursor.number(3)))
    certificates = []
    while block.left:
        certificates.append(block.take(block.number(3)))
    return tuple(certificates)


def parse_ssl2_server_hello(body: bytes) -> SSL2ServerHello:
    """An SSL 2 SERVER-HELLO (Hickman, The SSL Protocol), without its record header and message type.

    Raises:
        MalformedError: it is of another version, or broken.
    """
    cursor = Cursor(body)
    cursor.take(2)  # session id hit, certificate type
    if cursor.number(2) != 0x0002:
        raise MalformedError("an SSL 2 greeting of another version")
    certificate_length, kinds_length = cursor.number(2), cursor.number(2)
    cursor.number(2)  # connection id length
    certificate = cursor.take(certificate_length)
    kinds = cursor.take(kinds_length)
    if len(kinds) % 3:
        raise MalformedError("cipher kinds are three bytes each")
    codes = tuple(int.from_bytes(kinds[i : i + 3], "big") for i in range(0, len(kinds), 3))
    return SSL2ServerHello(codes, bytes(certificate))
