"""Attacks on scripted servers: the real jobs of a worker, over a connection that answers at once.

A script gets what is sent on one connection. It puts bytes and finally an `Ending` into its queue.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from exporter.workers.attacks import JOBS
from exporter.workers.child import Network, Pipes
from exporter.workers.wire import Ending, FrameKind

MODULUS = (1 << 2047) + 12345
ALLOW_CLIENT_RENEGOTIATION = 1 << 8
"""SSL_OP_* of ssl.h, without a name in Python."""


def record(kind: int, body: bytes) -> bytes:
    """One record of TLS 1.2."""
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def alert(level: int, description: int) -> bytes:
    """A record with one alert."""
    return record(21, bytes([level, description]))


def _message(kind: int, body: bytes) -> bytes:
    return record(22, bytes([kind]) + len(body).to_bytes(3, "big") + body)


_HELLO = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x9c\x00" + b"\x00\x05\x00\x0f\x00\x01\x01"
"""TLS 1.2, TLS_RSA_WITH_AES_128_GCM_SHA256, heartbeats."""
FLIGHT = _message(2, _HELLO) + _message(11, MODULUS.to_bytes(256, "big") + bytes(20)) + _message(14, b"")


class Script:
    """A server on one connection: its first flight. Subclasses handle the rest."""

    def __init__(self) -> None:
        self.queue: list[bytes | Ending] = []
        self._has_hello = False

    def feed(self, data: bytes) -> None:
        """Receive what is sent."""
        if self._has_hello:
            self.more(data)
        else:
            self._has_hello = True
            self.hello(data)

    def hello(self, _data: bytes) -> None:
        """Answer the ClientHello."""
        self.queue.append(FLIGHT)

    def more(self, data: bytes) -> None:
        """Answer the records after it."""


class TlsScript(Script):
    """A server with complete handshakes by Python's OpenSSL, optionally with client renegotiation."""

    def __init__(self, pem: Path, *, renegotiates: bool = True) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ALLOW_CLIENT_RENEGOTIATION if renegotiates else 0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, data: bytes) -> None:
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self._tls.read()
        if self._outgoing.pending:
            self.queue.append(self._outgoing.read())


class _ScriptedPipes(Pipes):
    def __init__(self, make: Callable[[int], Script]) -> None:
        super().__init__(BytesIO(), BytesIO())
        self._make, self.connections, self._script = make, 0, Script()

    def say(self, kind: FrameKind, payload: bytes = b"") -> None:
        pass

    def ask(self, kind: FrameKind, payload: bytes = b"") -> tuple[FrameKind, bytes]:
        if kind is FrameKind.CONNECT:
            self.connections += 1
            self._script = self._make(self.connections)
            return FrameKind.OPENED, b""
        if kind is FrameKind.SEND:
            self._script.feed(payload)
            return FrameKind.SENT, b""
        said = self._script.queue[0] if self._script.queue else Ending.SILENT
        if isinstance(said, Ending):
            return FrameKind.CLOSED, bytes([said])
        del self._script.queue[0]
        return FrameKind.DATA, said


def attack(name: str, make: Callable[[int], Script], suite: str = "AES128-GCM-SHA256") -> tuple[bool | None, int]:
    """The verdict, and the number of connections. `make` gets the number of each connection, from 1 on."""
    pipes = _ScriptedPipes(make)
    arguments = {
        "protocol": "TLSv1.2",
        "server_name": "www.example",
        "suites": [suite],
        "modulus": f"{MODULUS:x}",
        "exponent": 65537,
        "client_certificates": "requested",
        "client_chain": [],
    }
    told = JOBS[name](arguments, Network(pipes))
    assert isinstance(told, dict)
    return told["vulnerable"], pipes.connections
