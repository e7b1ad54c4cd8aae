"""The server's first flight as a worker sees it, and a connection that shows sslyze no more of it than its end.

sslyze reads record by record. A message in several records, as every chain of more than 16 KiB is, makes it give up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.workers.child import Socket

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = RECORD_TYPES = 20, 21, 22, 23, 24
CERTIFICATE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_VERIFY, FINISHED = 11, 13, 14, 15, 20
"""Types of records and messages (RFC 5246, 6.2.1 and 7.4; RFC 6520, 3)."""
_WARNING, CLOSE_NOTIFY = b"\x01", b"\x01\x00"
"""Level, and level with description, of an alert (RFC 5246, 7.2)."""
_READ_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class Flight:
    """The server's first flight (RFC 5246, 7.3).

    Attributes:
        messages: type -> body of the messages that are complete.
        whole: it ended with ServerHelloDone.
        rest: what came behind the records that were read.
    """

    messages: Mapping[int, bytes]
    whole: bool
    rest: bytes


def read_flight(received: bytes) -> Flight:
    """The first flight at the beginning of these bytes, however its messages are cut into records.

    A warning before it is skipped: servers that do not know the name send one (RFC 6066, 3).
    """
    rest, handshake, messages = received, b"", dict[int, bytes]()
    for kind, body in records(received):
        if kind == ALERT and not messages and body[:1] == _WARNING and body != CLOSE_NOTIFY:
            rest = rest[5 + len(body) :]
            continue
        if kind != HANDSHAKE:
            break
        handshake, rest = handshake + body, rest[5 + len(body) :]
        while len(handshake) >= 4 and len(handshake) >= (length := 4 + int.from_bytes(handshake[1:4], "big")):
            messages[handshake[0]] = handshake[4:length]
            if handshake[0] == SERVER_HELLO_DONE:
                return Flight(messages, whole=True, rest=rest)
            handshake = handshake[length:]
    return Flight(messages, whole=False, rest=rest)


def _may_go_on(rest: bytes) -> bool:
    """Whether this can be the beginning of a record that belongs to a first flight."""
    return rest[0] == HANDSHAKE or (rest[0] == ALERT and len(rest) < 7)


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each complete record."""
    while len(data) >= 5 and len(data) >= (end := 5 + int.from_bytes(data[3:5], "big")):
        yield data[0], data[5:end]
        data = data[end:]


def after_flight(socket: Socket) -> bytes | None:
    """What the server said after its first flight; None when it did not come so far."""
    flight = read_flight(bytes(socket.received))
    return flight.rest if flight.whole else None


class Shortened:
    """A connection of which sslyze reads the ServerHelloDone alone, in a record of its own, and what comes behind it.

    A server that says something else than a first flight is heard with that. Subclasses change what is said and read
    after the flight.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.flight: Flight | None = None
        self._is_something_else = False

    def send(self, data: bytes) -> int:
        """Send it all; gives how much that was, as sslyze sees it."""
        self.socket.send(data if self.flight is None else self.outgoing(data))
        return len(data)

    def recv(self, _size: int) -> bytes:
        """The end of the first flight, then what comes behind it, at times more than was asked for.

        Raises:
            OSError: as `Socket.recv`.
        """
        if self._is_something_else:
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
        return self.socket.recv(_READ_SIZE)

    def _end_of_flight(self) -> bytes:
        while self.socket.recv(_READ_SIZE):
            flight = read_flight(bytes(self.socket.received))
            if flight.whole:
                self.flight = flight
                return self.record(HANDSHAKE, bytes([SERVER_HELLO_DONE, 0, 0, 0])) + flight.rest
            self._is_something_else = bool(flight.rest) and not _may_go_on(flight.rest)
            if self._is_something_else:
                return flight.rest
        return b""

    def record(self, kind: int, body: bytes) -> bytes:
        """A record in the server's version."""
        return bytes([kind]) + self.socket.received[1:3] + len(body).to_bytes(2, "big") + body

    def message(self, kind: int, body: bytes) -> bytes:
        """A handshake message in a record of its own."""
        return self.record(HANDSHAKE, bytes([kind]) + len(body).to_bytes(3, "big") + body)
