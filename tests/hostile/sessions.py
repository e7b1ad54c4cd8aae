"""Hostile inside TLS: sessions of tlslite-ng, which sends any message after the handshake."""

import asyncio
import functools
import socket
import warnings
from collections.abc import Callable
from typing import Any

from tests.hostile.behaviour import Behaviour, Handler, Peer, reached
from tests.hostile.material import Material

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports asyncore
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
    from tlslite.constants import ContentType, HandshakeType, KeyUpdateMessageType
    from tlslite.messages import Alert, Heartbeat, HelloRequest, KeyUpdate, Message, NewSessionTicket
    from tlslite.utils.codec import Writer

SECONDS = 20
"""No connection takes longer."""
MOST_MESSAGES = 20_000

Flood = Callable[[Any], None]


@functools.cache
def _credentials(material: Material) -> tuple[Any, Any]:
    pem, chain = material.rsa.read_text(), X509CertChain()
    chain.parsePemList(pem)
    return chain, parsePEMKey(pem, private=True)


def _serve(raw: socket.socket, material: Material, newest: tuple[int, int], flood: Flood) -> None:
    """One session, in a thread: a handshake, then the flood until the client is gone."""
    raw.settimeout(SECONDS)
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = newest
    connection, (chain, key) = TLSConnection(raw), _credentials(material)
    try:
        connection.handshakeServer(certChain=chain, privateKey=key, settings=settings)
        flood(connection)
    except Exception:  # noqa: BLE001 - whatever ends the session
        return
    finally:
        raw.close()


def _session(newest: tuple[int, int], flood: Flood) -> Handler:
    async def serve(peer: Peer) -> None:
        raw = peer.writer.get_extra_info("socket").dup()
        raw.setblocking(True)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # tlslite-ng reads
        await asyncio.to_thread(_serve, raw, peer.material, newest, flood)

    serve.__name__, serve.__doc__ = flood.__name__, flood.__doc__
    return serve


def _send(connection: Any, message: Any) -> None:  # noqa: ANN401 - tlslite-ng has no types
    for _ in connection._sendMsg(message):  # noqa: SLF001 - only so are single messages sent
        pass


def _again(connection: Any, message: Any) -> None:  # noqa: ANN401 - as above
    for _ in range(MOST_MESSAGES):
        _send(connection, message)


def ticket_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Sends NewSessionTickets for ever (TLS 1.3)."""
    _again(connection, NewSessionTicket().create(3600, 1, bytearray(8), bytearray(2000), []))


def key_update_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Requests key updates for ever (TLS 1.3)."""
    for _ in range(MOST_MESSAGES):
        _send(connection, KeyUpdate().create(KeyUpdateMessageType.update_requested))
        session = connection.session
        session.cl_app_secret, session.sr_app_secret = connection._recordLayer.calcTLS1_3KeyUpdate_reciever(  # noqa: SLF001
            session.cipherSuite, session.cl_app_secret, session.sr_app_secret
        )


def hello_request_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Asks for renegotiation for ever (TLS 1.2)."""
    _again(connection, HelloRequest().create())


def warning_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Sends warning alerts inside the session for ever (TLS 1.2)."""
    _again(connection, Alert().create(90, 1))


def heartbeat_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Sends heartbeats that nobody negotiated for ever (TLS 1.2)."""
    _again(connection, Heartbeat().create(1, bytearray(64), 16))


def empty_data_flood(connection: Any) -> None:  # noqa: ANN401 - as above
    """Sends application data without contents for ever (TLS 1.2)."""
    _again(connection, Message(ContentType.application_data, bytearray()))


def unknown_message(connection: Any) -> None:  # noqa: ANN401 - as above
    """Sends a handshake message without a name after the handshake (TLS 1.3)."""
    writer = Writer()
    writer.add(HandshakeType.message_hash, 1)
    writer.add(0, 3)
    _send(connection, Message(ContentType.handshake, writer.bytes))


async def alternating_certificates(peer: Peer) -> None:
    """Has another certificate on each second connection."""
    await peer.secure(peer.material.context if peer.number % 2 else peer.material.other)
    await peer.silence()


TLS12, TLS13 = (3, 3), (3, 4)
_FAILED = "http_error http_timeout handshake_error handshake_timeout deadline_exceeded"


def _flooding(newest: tuple[int, int], flood: Flood) -> Behaviour:
    serve = _session(newest, flood)
    return reached(serve, "success", "deadline_exceeded", http=_FAILED, never=("hsts_present", "compliant 1"))


SESSIONS: tuple[Behaviour, ...] = (
    _flooding(TLS13, ticket_flood),
    _flooding(TLS13, key_update_flood),
    _flooding(TLS13, unknown_message),
    _flooding(TLS12, hello_request_flood),
    _flooding(TLS12, warning_flood),
    _flooding(TLS12, heartbeat_flood),
    _flooding(TLS12, empty_data_flood),
    reached(alternating_certificates, "success", "deadline_exceeded", http=_FAILED, never=("hsts_present",)),
)
