"""The server's first flight as a worker sees it, and a connection that shows sslyze no more of it than its end.

sslyze reads record by record. A message in several records, as every chain of more than 16 KiB is, makes it give up.
"""

from collections.abc import Iterator

from exporter.workers.child import Socket

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = RECORD_TYPES = 20, 21, 22, 23, 24
CERTIFICATE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_VERIFY, FINISHED = 11, 13, 14, 15, 20
"""Types of records and messages (RFC 5246, 6.2.1 and 7.4; RFC 6520, 3)."""
_WARNING, CLOSE_NOTIFY = b"\x01", b"\x01\x00"
"""Level, and level with description, of an alert (RFC 5246, 7.2)."""
_HEAD_BYTES, _ALERT_BYTES = 5, 7
"""Of a record's header, and of a whole record with one alert."""
_READ_SIZE = 1 << 16


class OddFlightError(Exception):
    """The server spoke on behind its first flight before anything was asked, or no server sends such a flight.

    No answer of it tells anything then.
    """


class Flight:
    """The server's first flight (RFC 5246, 7.3), read as it comes: each byte once, whatever the server sends.

    Attributes:
        messages: type -> body of the messages that are complete.
        whole: it ended with ServerHelloDone.
        is_something_else: what comes next belongs to no first flight.
        end: how many bytes are read: the flight, and the warnings behind it.
        warnings: the alerts of level "warning" that came behind the flight. They are no answer; one follows.
    """

    def __init__(self) -> None:
        self.messages: dict[int, bytes] = {}
        self.whole = self.is_something_else = False
        self.end = 0
        self.warnings = bytearray()
        self._handshake = bytearray()

    def read(self, received: bytes | bytearray) -> None:
        """Read on; `received` is all that came so far."""
        for kind, body in records(received, self.end):
            if _is_warning(kind, body) and (self.whole or not self.messages):
                # Servers that do not know the name send one before the flight (RFC 6066, 3).
                self.warnings += body if self.whole else b""
            elif self.whole or kind != HANDSHAKE or not body:  # an empty one is forbidden (RFC 5246, 6.2.1)
                break
            else:
                self._take(body)
            self.end += _HEAD_BYTES + len(body)
        rest = received[self.end : self.end + _ALERT_BYTES]
        self.is_something_else = not self.whole and bool(rest) and not _may_go_on(rest)

    def _take(self, body: bytes) -> None:
        """Cut the messages out of the bodies of the records, however they are cut into these."""
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
    """The first flight at the beginning of these bytes."""
    flight = Flight()
    flight.read(received)
    return flight


def _is_warning(kind: int, body: bytes) -> bool:
    return kind == ALERT and body[:1] == _WARNING and body != CLOSE_NOTIFY


def _may_go_on(rest: bytes | bytearray) -> bool:
    """Whether this can be the beginning of a record that belongs to a first flight."""
    if rest[0] == HANDSHAKE:
        return rest[3:_HEAD_BYTES] != bytes(2)
    return _is_begun_alert(rest)


def _is_begun_alert(rest: bytes | bytearray) -> bool:
    return rest[:1] == bytes([ALERT]) and len(rest) < _ALERT_BYTES


def records(data: bytes | bytearray, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Type and body of each complete record from there on."""
    while len(data) >= (body := start + _HEAD_BYTES):
        end = body + int.from_bytes(data[body - 2 : body], "big")
        if len(data) < end:
            break
        yield data[start], bytes(data[body:end])
        start = end


def after_flight(socket: Socket) -> bytes | None:
    """What the server said after its first flight and the warnings behind it; None when it did not come so far."""
    flight = read_flight(socket.received)
    return bytes(socket.received[flight.end :]) if flight.whole else None


class Shortened:
    """A connection of which sslyze reads the ServerHelloDone alone, in a record of its own, and what comes behind it.

    A server that says something else than a first flight is heard with that. Warnings behind the flight are left out.
    Subclasses change what is said and read after the flight.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.flight: Flight | None = None
        self._coming = Flight()
        self._is_answered = False

    def send(self, data: bytes) -> int:
        """Send it all; gives how much that was, as sslyze sees it."""
        self.socket.send(data if self.flight is None else self.outgoing(data))
        return len(data)

    def recv(self, _size: int) -> bytes:
        """The end of the first flight, then what comes behind it, at times more than was asked for.

        Raises:
            OSError: as `Socket.recv`.
            OddFlightError: something is behind the flight already, or it has an empty record.
        """
        if self._coming.is_something_else:
            return self.socket.recv(_READ_SIZE)
        return self._end_of_flight() if self.flight is None else self.incoming()

    def close(self) -> None:
        """Let go of the connection."""
        self.socket.close()

    def outgoing(self, data: bytes) -> bytes:
        """What is sent in place of this."""
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
        """All that came after the flight and the warnings behind it, as far as it is known not to be one more."""
        self._coming.read(self.socket.received)
        rest = bytes(self.socket.received[self._coming.end :])
        return b"" if _is_begun_alert(rest) else rest

    def _end_of_flight(self) -> bytes:
        while self.socket.recv(_READ_SIZE):
            self._coming.read(self.socket.received)
            if self._coming.whole:
                if self.said():
                    raise OddFlightError("the server speaks on before it is asked")
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
        """A handshake message in a record of its own."""
        return self.record(HANDSHAKE, bytes([kind]) + len(body).to_bytes(3, "big") + body)
