"""Reads what a server sends back to a hello: bytes only, no sockets, no cryptography.

Fed piece by piece, since records split over packets and messages over records. Only its own three errors leave it,
whatever the bytes are. Up to TLS 1.2 the messages behind the ServerHello are read too, as far as they come and make
sense: they are plain text, and what they tell costs nothing.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_SERVER_HELLO, _CERTIFICATE = 2, 11
_WARNING, _FATAL = 1, 2
_CLOSE_NOTIFY = 0
_ODD_ALERT_VERSIONS = frozenset({0x0000, 0x0002, 0x0200})
"""Record versions of alerts that are none of TLS: BearSSL 0.6 answers SSL 3 hellos by 0, s2n-tls SSL 2 hellos by 2."""
_SSL2_SERVER_HELLO, _SSL2_ERROR = 4, 0

_MAX_RECORD = 16384 + 2048
"""RFC 5246, 6.2.3: most bytes of one record."""
_MAX_MESSAGE = 65536
"""A ServerHello has some hundred bytes, a chain of certificates some thousand; far more is neither."""
_MAX_WARNINGS = 8
"""One or two may precede the ServerHello (unrecognized_name); a stream of them is no answer."""

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""RFC 8446, 4.1.3: SHA-256 of "HelloRetryRequest"."""

_SUPPORTED_VERSIONS = 43
_TLS1_3 = 0x0304


class NotTLSError(Exception):
    """The first bytes belong to another protocol."""


class MalformedError(Exception):
    """It began as TLS and broke its own rules."""


class CloseNotifyError(Exception):
    """An orderly end of the connection (close_notify; RFC 8446, 6.1) in place of an answer, as s2n-tls refuses."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What came behind the ServerHello, up to TLS 1.2; empty where nothing did.

    Attributes:
        certificates: DER, the leaf first, as served.
        key_exchange: body of the ServerKeyExchange message, whose layout depends on the suite.
        stapled: a CertificateStatus was among it.
        cut: `certificates` has the first one alone, as the chain was too long.
        whole: it came to its end (ServerHelloDone); what is missing is not there.
        alert: a fatal alert in place of what should come: the server chose, and could not go on.
    """

    certificates: tuple[bytes, ...] = ()
    key_exchange: bytes | None = None
    stapled: bool = False
    cut: bool = False
    whole: bool = False
    alert: int | None = None


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The server's choice; a HelloRetryRequest is one too, marked as such.

    Attributes:
        version: wire code of the version that was negotiated (supported_versions included).
        extensions: number -> body.
        random: 32 bytes.
        rest: what came behind it.
    """

    version: int
    suite: int
    compression: int
    retry_request: bool
    extensions: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))
    random: bytes = bytes(32)
    rest: Rest = Rest()


@dataclass(frozen=True, slots=True)
class SSL2ServerHello:
    """An SSL 2 server's greeting with every cipher kind it shares (three-byte codes), and its certificate (DER)."""

    kinds: tuple[int, ...]
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class Alert:
    """A fatal alert (RFC 8446, 6); SSL 2's ERROR counts as handshake_failure."""

    description: int


Answer = ServerHello | SSL2ServerHello | Alert


class Cursor:
    """Walks over a message; `MalformedError` when that ends too soon."""

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


def _parse_server_hello(body: bytes) -> ServerHello:
    """RFC 8446, 4.1.3; without a cursor, as it is what nearly all connections of a scan end in."""
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
    """Number -> body. What follows the block is let be, as by most clients."""
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


def _parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """RFC 5246, 7.4.2."""
    cursor = Cursor(body)
    block = Cursor(cursor.take(cursor.number(3)))
    certificates = []
    while block.left:
        certificates.append(block.take(block.number(3)))
    return tuple(certificates)


def _parse_ssl2_server_hello(body: bytes) -> SSL2ServerHello:
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


class Flight:
    """What came so far on one connection.

    Attributes:
        started: at least one whole record was TLS (or SSL 2).
        answer: the answer, as soon as there is one; a ServerHello grows by its `rest`.
        complete: nothing more is to be expected that this could read.
    """

    def __init__(self) -> None:
        self.started = False
        self.answer: Answer | None = None
        self.complete = False
        self._raw = bytearray()
        self._messages = bytearray()
        self._warnings = 0
        self._alerts = bytearray()
        self._rest: dict[str, Any] = {}

    def feed(self, data: bytes) -> Answer | None:
        """Take more bytes; the answer as soon as there is one.

        Raises:
            NotTLSError: what came is no record of SSL or TLS.
            MalformedError: it is, and is broken. What is broken behind a ServerHello just ends the reading.
            CloseNotifyError: the server ends the connection in place of an answer.
        """
        if self.complete:
            return self.answer
        self._raw += data
        try:
            self._read_records()
        except (NotTLSError, MalformedError, CloseNotifyError):
            if self.answer is None:
                raise
            self.complete = True
        if self._rest and isinstance(self.answer, ServerHello):
            self.answer = replace(self.answer, rest=Rest(**self._rest))
        return self.answer

    def _read_records(self) -> None:
        while self._raw and not self.complete:
            if not self.started and self._raw[0] & 0x80:
                self._ssl2()
                return
            if self._raw[0] not in {_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA}:
                raise MalformedError("not a record") if self.started else NotTLSError
            if len(self._raw) >= 2 and self._raw[1] != 3 and not self._may_be_odd_alert():
                raise MalformedError("not a record") if self.started else NotTLSError
            if len(self._raw) < 5:
                return
            kind, _, length = struct.unpack(">BHH", self._raw[:5])
            if length > _MAX_RECORD:
                raise MalformedError("record too long")
            if len(self._raw) < 5 + length:
                return
            payload = bytes(self._raw[5 : 5 + length])
            del self._raw[: 5 + length]
            self.started = True
            self._record(kind, payload)

    def _may_be_odd_alert(self) -> bool:
        """Whether the bytes so far can be one alert in a record of an odd version."""
        head = bytes(self._raw[:7])
        if head[0] != _ALERT or not any(
            head[1:3] == v.to_bytes(2, "big")[: len(head) - 1] for v in _ODD_ALERT_VERSIONS
        ):
            return False
        return b"\x00\x02".startswith(head[3:5]) and (len(head) < 6 or head[5] in {_WARNING, _FATAL})

    def _record(self, kind: int, payload: bytes) -> None:
        match kind:
            case 21:
                self._read_alerts(payload)
            case 22:
                self._messages += payload
                self._read_messages()
            case _:
                raise MalformedError("neither an alert nor a handshake message")

    def _read_alerts(self, payload: bytes) -> None:
        """One record may hold several alerts, and an alert may be split over records (RFC 5246, 6.2.1)."""
        if not payload:
            raise MalformedError("an alert record without an alert")
        self._alerts += payload
        while len(self._alerts) >= 2 and not self.complete:
            level, description = self._alerts[:2]
            del self._alerts[:2]
            self._alert(level, description)

    def _alert(self, level: int, description: int) -> None:
        if description == _CLOSE_NOTIFY:  # of any level: the server is done
            raise CloseNotifyError
        if isinstance(self.answer, ServerHello) and level == _FATAL:
            self._rest["alert"] = description
            self.complete = True
        elif level == _FATAL:
            self._settle(Alert(description))
        else:
            self._warnings += 1
            if self._warnings > _MAX_WARNINGS:
                raise MalformedError("nothing but warnings")

    def _settle(self, answer: Answer) -> None:
        self.answer, self.complete = answer, True

    def _read_messages(self) -> None:
        while len(self._messages) >= 4 and not self.complete:
            kind, length = self._messages[0], int.from_bytes(self._messages[1:4], "big")
            if self.answer is None and kind != _SERVER_HELLO:
                raise MalformedError("the first message is no ServerHello")
            if length > _MAX_MESSAGE and kind == _CERTIFICATE and self.answer is not None:
                self._read_leaf()
                return
            if length > _MAX_MESSAGE:
                raise MalformedError("message too long")
            if len(self._messages) < 4 + length:
                return
            body = bytes(self._messages[4 : 4 + length])
            del self._messages[: 4 + length]
            if self.answer is not None:
                self._read_rest(kind, body)
            else:
                self.answer = hello = _parse_server_hello(body)
                self.complete = hello.version >= _TLS1_3  # the rest is encrypted

    def _read_leaf(self) -> None:
        """Of a chain that is too long to be read, its first certificate, which is the server's own."""
        start, size = 10, int.from_bytes(self._messages[7:10], "big")  # behind the lengths of message, chain and leaf
        if size > _MAX_MESSAGE:
            raise MalformedError("certificate too long")
        if len(self._messages) >= start + size and len(self._messages) > start:
            self._rest |= {"certificates": (bytes(self._messages[start : start + size]),), "cut": True}
            self.complete = True

    def _read_rest(self, kind: int, body: bytes) -> None:
        match kind:
            case 11 if "certificates" not in self._rest:  # Certificate
                self._rest["certificates"] = _parse_certificates(body)
            case 12 if "key_exchange" not in self._rest:  # ServerKeyExchange
                self._rest["key_exchange"] = body
            case 14:  # ServerHelloDone
                self._rest["whole"] = self.complete = True
            case 22:  # CertificateStatus
                self._rest["stapled"] = True
            case 13:  # CertificateRequest
                return
            case _:
                raise MalformedError("no message of this flight")

    def _ssl2(self) -> None:
        if len(self._raw) < 3:
            return
        length = struct.unpack(">H", self._raw[:2])[0] & 0x7FFF
        kind = self._raw[2]
        if kind not in {_SSL2_ERROR, _SSL2_SERVER_HELLO} or (kind == _SSL2_ERROR and length != 3):
            raise NotTLSError
        if len(self._raw) < 2 + length:
            return
        self.started = True
        body = bytes(self._raw[3 : 2 + length])
        self._settle(Alert(40) if kind == _SSL2_ERROR else _parse_ssl2_server_hello(body))
