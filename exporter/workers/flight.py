"""The server's first flight as a worker sees it, and a connection that shows sslyze only the end of that flight.

sslyze parses record by record. It gives up if a message spans several records, as every chain of more than 16 KiB does.
"""

from collections.abc import Iterator

from exporter.workers.child import Socket

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = RECORD_TYPES = 20, 21, 22, 23, 24
CERTIFICATE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_VERIFY, FINISHED = 11, 13, 14, 15, 20
"""Types of records and messages (RFC 5246, 6.2.1 and 7.4; RFC 6520, 3)."""
_WARNING, CLOSE_NOTIFY = b"\x01", b"\x01\x00"
"""Level of an alert, and level with description (RFC 5246, 7.2)."""
_HEAD_BYTES, _ALERT_BYTES = 5, 7
"""Length of a record's header, and of a complete record with one alert."""
_READ_SIZE = 1 << 16


class OddFlightError(Exception):
    """The server sent more than its first flight before it was asked, or the flight is malformed.

    Its answers then mean nothing.
    """


class Flight:
    """The server's first flight (RFC 5246, 7.3), parsed as it comes; each byte is parsed once.

    Attributes:
        messages: type -> body of the messages that are complete.
        whole: the flight ended with ServerHelloDone.
        is_something_else: what comes next does not belong to a first flight.
        end: number of bytes that are parsed: the flight, and the warnings after it.
        warnings: alerts of level "warning" after the flight. They are not an answer; one follows.
    """

    def __init__(self) -> None:
        self.messages: dict[int, bytes] = {}
        self.whole = self.is_something_else = False
        self.end = 0
        self.warnings = bytearray()
        self._handshake = bytearray()

    def read(self, received: bytes | bytearray) -> None:
        """Continue parsing; `received` is everything that was received so far."""
        for kind, body in records(received, self.end):
            if _is_warning(kind, body) and (self.whole or not self.messages):
                # Servers that do not know the name send a warning before the flight (RFC 6066, 3).
                self.warnings += body if self.whole else b""
            elif self.whole or kind != HANDSHAKE or not body:  # an empty one is forbidden (RFC 5246, 6.2.1)
                break
            else:
                self._take(body)
            self.end += _HEAD_BYTES + len(body)
        rest = received[self.end : self.end + _ALERT_BYTES]
        self.is_something_else = not self.whole and bool(rest) and not _may_go_on(rest)

    def _take(self, body: bytes) -> None:
        """Split the bytes of the records into messages, which may span several records."""
        self._handshake += body
        while (
            not self.whole
            and len(self._handshake) >= 4
            and len(self._handshake) >= (length := 4 + int.from_bytes(self._handshake[1:4], "big"))
        ):
            self.messages[self._handshake[0]] = bytes(self._handshake[4:length])
            self.whole = self._handshake[0] == SERVER_HELLO_DONE
            del self._handshake[:length]


def read_flight(received: bytes | bytearray) -> Flight:
    """The first flight at the start of these bytes."""
    flight = Flight()
    flight.read(received)
    return flight


def _is_warning(kind: int, body: bytes) -> bool:
    return kind == ALERT and body[:1] == _WARNING and body != CLOSE_NOTIFY


def _may_go_on(rest: bytes | bytearray) -> bool:
    """Whether this can be the start of a record of a first flight."""
    if rest[0] == HANDSHAKE:
        return rest[3:_HEAD_BYTES] != bytes(2)
    return _is_begun_alert(rest)


def _is_begun_alert(rest: bytes | bytearray) -> bool:
    return rest[:1] == bytes([ALERT]) and len(rest) < _ALERT_BYTES


def records(data: bytes | bytearray, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Type and body of each complete record from `start` on."""
    while len(data) >= (body := start + _HEAD_BYTES):
        end = body + int.from_bytes(data[body - 2 : body], "big")
        if len(data) < end:
            break
        yield data[start], bytes(data[body:end])
        start = end


def after_flight(socket: Socket) -> bytes | None:
    """What the server sent after its first flight and the warnings after it; None if the flight is incomplete."""
    flight = read_flight(socket.received)
    return bytes(socket.received[flight.end :]) if flight.whole else None


class Shortened:
    """A connection on which sslyze reads only a ServerHelloDone, in its own record, and what comes after it.

    If the server sends something else than a first flight, sslyze reads that. Warnings after the flight are left out.
    Subclasses change what is sent and read after the flight.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.flight: Flight | None = None
        self._coming = Flight()
        self._is_answered = False

    def send(self, data: bytes) -> int:
        """Send all of `data`; returns its length, as sslyze expects."""
        self.socket.send(data if self.flight is None else self.outgoing(data))
        return len(data)

    def recv(self, _size: int) -> bytes:
        """The end of the first flight, then what comes after it; may return more bytes than requested.

        Raises:
            OSError: as `Socket.recv`.
            OddFlightError: there are bytes after the flight already, or it has an empty record.
        """
        if self._coming.is_something_else:
            return self.socket.recv(_READ_SIZE)
        return self._end_of_flight() if self.flight is None else self.incoming()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def outgoing(self, data: bytes) -> bytes:
        """What is sent in place of `data`."""
        return data

    def incoming(self) -> bytes:
        """The next bytes after the flight."""
        if self._is_answered:
            return self.socket.recv(_READ_SIZE)
        while self.socket.recv(_READ_SIZE):
            if said := self.said():
                self._is_answered = True
                return said
        return b""

    def said(self) -> bytes:
        """All bytes after the flight and the warnings, unless they may be the start of another warning."""
        self._coming.read(self.socket.received)
        rest = bytes(self.socket.received[self._coming.end :])
        return b"" if _is_begun_alert(rest) else rest

    def _end_of_flight(self) -> bytes:
        while self.socket.recv(_READ_SIZE):
            self._coming.read(self.socket.received)
            if self._coming.whole:
                if self.said():
                    raise OddFlightError("the server sends more than its first flight before the client answers")
                self.flight = self._coming
                return self.record(HANDSHAKE, bytes([SERVER_HELLO_DONE, 0, 0, 0]))
            if self._coming.is_something_else:
                return self._something_else()
        return b""

    def _something_else(self) -> bytes:
        rest = bytes(self.socket.received[self._coming.end :])
        if rest[0] == HANDSHAKE:
            raise OddFlightError("the server sends an empty handshake record")  # sslyze would parse them one by one
        return rest

    def record(self, kind: int, body: bytes) -> bytes:
        """A record in the server's version."""
        return bytes([kind]) + self.socket.received[1:3] + len(body).to_bytes(2, "big") + body

    def message(self, kind: int, body: bytes) -> bytes:
        """A handshake message in its own record."""
        return self.record(HANDSHAKE, bytes([kind]) + len(body).to_bytes(3, "big") + body)
