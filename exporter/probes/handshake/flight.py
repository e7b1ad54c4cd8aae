"""Reads the first bytes a server sends back: bytes only, no sockets, no cryptography.

Fed piece by piece, since records split over packets and messages over records. Only its own two errors leave it,
whatever the bytes are.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_SERVER_HELLO = 2
_FATAL = 2
_SSL2_SERVER_HELLO, _SSL2_ERROR = 4, 0

_MAX_RECORD = 16384 + 2048
"""RFC 5246, 6.2.3: most bytes of one record."""
_MAX_MESSAGE = 65536
"""A ServerHello has at most some hundred bytes; far more is no ServerHello."""
_MAX_WARNINGS = 8
"""One or two may precede the ServerHello (unrecognized_name); a stream of them is no answer."""

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""RFC 8446, 4.1.3: SHA-256 of "HelloRetryRequest"."""

_SUPPORTED_VERSIONS = 43


class NotTLSError(Exception):
    """The first bytes belong to another protocol."""


class MalformedError(Exception):
    """It began as TLS and broke its own rules."""


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The server's choice; a HelloRetryRequest is one too, marked as such.

    Attributes:
        version: wire code of the version that was negotiated (supported_versions included).
        extensions: number -> body.
    """

    version: int
    suite: int
    compression: int
    retry_request: bool
    extensions: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class SSL2ServerHello:
    """An SSL 2 server's greeting with every cipher kind it shares (three-byte codes)."""

    kinds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """A fatal alert (RFC 8446, 6); SSL 2's ERROR counts as handshake_failure."""

    description: int


Answer = ServerHello | SSL2ServerHello | Alert


class _Cursor:
    """Walks over a message and refuses to run past its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise MalformedError("message ends too soon")
        self._at += count
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def _parse_server_hello(body: bytes) -> ServerHello:
    cursor = _Cursor(body)
    version = cursor.number(2)
    random = cursor.take(32)
    cursor.take(cursor.number(1))  # session id
    suite = cursor.number(2)
    compression = cursor.number(1)
    extensions: dict[int, bytes] = {}
    if cursor.left:
        block = _Cursor(cursor.take(cursor.number(2)))
        while block.left:
            number = block.number(2)
            extensions[number] = block.take(block.number(2))
    selected = extensions.get(_SUPPORTED_VERSIONS)
    if selected is not None:
        version = _Cursor(selected).number(2)
    return ServerHello(version, suite, compression, random == HELLO_RETRY_REQUEST_RANDOM, extensions)


def _parse_ssl2_server_hello(body: bytes) -> SSL2ServerHello:
    cursor = _Cursor(body)
    cursor.take(2)  # session id hit, certificate type
    if cursor.number(2) != 0x0002:
        raise MalformedError("an SSL 2 greeting of another version")
    certificate_length, kinds_length = cursor.number(2), cursor.number(2)
    cursor.number(2)  # connection id length
    cursor.take(certificate_length)
    kinds = cursor.take(kinds_length)
    if len(kinds) % 3:
        raise MalformedError("cipher kinds are three bytes each")
    return SSL2ServerHello(tuple(int.from_bytes(kinds[i : i + 3], "big") for i in range(0, len(kinds), 3)))


class Flight:
    """What came so far on one connection.

    Attributes:
        started: at least one whole record was TLS (or SSL 2).
    """

    def __init__(self) -> None:
        self.started = False
        self._raw = bytearray()
        self._messages = bytearray()
        self._warnings = 0

    def feed(self, data: bytes) -> Answer | None:
        """Take more bytes; the answer as soon as there is one.

        Raises:
            NotTLSError: what came is no record of SSL or TLS.
            MalformedError: it is, and is broken.
        """
        self._raw += data
        while self._raw:
            if not self.started and self._raw[0] & 0x80:
                return self._ssl2()
            if self._raw[0] not in {_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA}:
                raise MalformedError("not a record") if self.started else NotTLSError
            if len(self._raw) >= 2 and self._raw[1] != 3:
                raise MalformedError("not a record") if self.started else NotTLSError
            if len(self._raw) < 5:
                return None
            kind, _, length = struct.unpack(">BHH", self._raw[:5])
            if length > _MAX_RECORD:
                raise MalformedError("record too long")
            if len(self._raw) < 5 + length:
                return None
            payload = bytes(self._raw[5 : 5 + length])
            del self._raw[: 5 + length]
            self.started = True
            answer = self._record(kind, payload)
            if answer is not None:
                return answer
        return None

    def _record(self, kind: int, payload: bytes) -> Answer | None:
        match kind:
            case 21:
                return self._alert(payload)
            case 22:
                self._messages += payload
                return self._message()
            case _:
                raise MalformedError("neither an alert nor a handshake message")

    def _alert(self, payload: bytes) -> Alert | None:
        if len(payload) != 2:
            raise MalformedError("an alert has two bytes")
        level, description = payload
        if level == _FATAL:
            return Alert(description)
        if description == 0:  # close_notify: the server is done
            raise MalformedError("close_notify in place of an answer")
        self._warnings += 1
        if self._warnings > _MAX_WARNINGS:
            raise MalformedError("nothing but warnings")
        return None

    def _message(self) -> ServerHello | None:
        if len(self._messages) < 4:
            return None
        kind, length = self._messages[0], int.from_bytes(self._messages[1:4], "big")
        if kind != _SERVER_HELLO or length > _MAX_MESSAGE:
            raise MalformedError("the first message is no ServerHello")
        if len(self._messages) < 4 + length:
            return None
        return _parse_server_hello(bytes(self._messages[4 : 4 + length]))

    def _ssl2(self) -> Answer | None:
        if len(self._raw) < 3:
            return None
        length = struct.unpack(">H", self._raw[:2])[0] & 0x7FFF
        kind = self._raw[2]
        if kind not in {_SSL2_ERROR, _SSL2_SERVER_HELLO} or (kind == _SSL2_ERROR and length != 3):
            raise NotTLSError
        if len(self._raw) < 2 + length:
            return None
        self.started = True
        body = bytes(self._raw[3 : 2 + length])
        return Alert(40) if kind == _SSL2_ERROR else _parse_ssl2_server_hello(body)
