"""Reads what a server sends in answer to a hello: bytes only, no sockets, no cryptography.

It is fed piece by piece, since records are split over packets and messages over records. Whatever the bytes are, it
raises only the three errors of `server_hello`. Up to TLS 1.2 the messages after the ServerHello are read as well, as
far as they arrive and make sense: they are plain text and cost no further connection.
"""

import struct
from typing import Any

from exporter.probes.handshake.server_hello import (
    TLS1_3,
    Alert,
    Answer,
    CloseNotifyError,
    FlightRest,
    MalformedError,
    NotTLSError,
    ServerHello,
    parse_certificates,
    parse_server_hello,
    parse_ssl2_server_hello,
)

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_KINDS = frozenset({_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA})
_RECORD_HEAD = struct.Struct(">BHH")
_SERVER_HELLO, _CERTIFICATE = 2, 11
_WARNING, _FATAL = 1, 2
_CLOSE_NOTIFY = 0
_ODD_ALERT_VERSIONS = frozenset({0x0000, 0x0002, 0x0200})
"""Record versions of alerts that TLS does not have: BearSSL 0.6 answers SSL 3 hellos with 0, s2n-tls SSL 2 hellos with
2."""
_SSL2_SERVER_HELLO, _SSL2_ERROR = 4, 0

_MAX_RECORD = 16384 + 2048
"""RFC 5246, 6.2.3: the longest record, in bytes."""
_MAX_MESSAGE = 65536
"""In bytes. A ServerHello has some hundred, a certificate chain some thousand; far more is neither."""
_MAX_WARNINGS = 8
"""One or two may precede the ServerHello (unrecognized_name); a stream of them is not an answer."""


class FlightReader:
    """Reads what arrives on one connection.

    Attributes:
        started: at least one complete record was TLS (or SSL 2).
        answer: the answer, as soon as there is one; the `rest` of a ServerHello grows with later bytes.
        complete: nothing more will follow that can be read here.
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
        """Read more bytes; the answer as soon as there is one.

        Broken bytes after a ServerHello end the reading without an error.

        Raises:
            NotTLSError: what came is not a record of SSL or TLS.
            MalformedError: it is a record, and broken.
            CloseNotifyError: the server ended the connection instead of answering.
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
            hello = self.answer
            self.answer = ServerHello(
                hello.version,
                hello.suite,
                hello.compression,
                hello.retry_request,
                hello.extensions,
                hello.random,
                FlightRest(**self._rest),
            )
        return self.answer

    def feeds_all(self, data: bytes) -> bool:
        """As `feed`; whether nothing more will follow that can be read here."""
        self.feed(data)
        return self.complete

    def feeds_answer(self, data: bytes) -> bool:
        """As `feed`; whether there is an answer."""
        return self.feed(data) is not None

    def _read_records(self) -> None:
        raw = self._raw
        while raw and not self.complete:
            if not self.started and raw[0] & 0x80:
                self._ssl2()
                return
            if raw[0] not in _KINDS or (len(raw) >= 2 and raw[1] != 3 and not self._may_be_odd_alert()):
                raise MalformedError("not a record") if self.started else NotTLSError
            if len(raw) < 5:
                return
            kind, _, length = _RECORD_HEAD.unpack_from(raw)
            if length > _MAX_RECORD:
                raise MalformedError("record too long")
            end = 5 + length
            if len(raw) < end:
                return
            payload = bytes(raw[5:end])
            del raw[:end]
            self.started = True
            self._record(kind, payload)

    def _may_be_odd_alert(self) -> bool:
        """Whether the bytes so far can be one alert in a record with one of `_ODD_ALERT_VERSIONS`."""
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
        if description == _CLOSE_NOTIFY:  # at any level: the server sends nothing more
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
                self.answer = hello = parse_server_hello(body)
                self.complete = hello.version >= TLS1_3  # the rest is encrypted

    def _read_leaf(self) -> None:
        """Read the first certificate, which is the server's own, of a chain that is too long to be read."""
        start, size = 10, int.from_bytes(self._messages[7:10], "big")  # after the lengths of message, chain and leaf
        if size > _MAX_MESSAGE:
            raise MalformedError("certificate too long")
        if len(self._messages) >= start + size and len(self._messages) > start:
            self._rest |= {"certificates": (bytes(self._messages[start : start + size]),), "truncated": True}
            self.complete = True

    def _read_rest(self, kind: int, body: bytes) -> None:
        match kind:
            case 11 if "certificates" not in self._rest:  # Certificate
                self._rest["certificates"] = parse_certificates(body)
            case 12 if "key_exchange" not in self._rest:  # ServerKeyExchange
                self._rest["key_exchange"] = body
            case 14:  # ServerHelloDone
                self._rest["complete"] = self.complete = True
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
        self._settle(Alert(40) if kind == _SSL2_ERROR else parse_ssl2_server_hello(body))
