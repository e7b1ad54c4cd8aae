"""ClientHellos as clients of the table send them: exactly their versions, suites, groups, schemes and server name."""

import asyncio
import os
import struct
from dataclasses import dataclass

from exporter.clients.client import Client
from exporter.model import Protocol
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.handshake.exchange import Unanswered, exchange
from exporter.probes.handshake.keyexchange import read_key_exchange, tls13_group
from exporter.probes.handshake.server_hello import Alert, Answer, ServerHello
from exporter.tls.parameters import group_name
from exporter.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, VERSION_CODES, suite_name
from tests.support.scripted import extension, message, record
from tests.support.targets import make_target

X25519, SECP256R1, X25519_MLKEM768 = 0x001D, 0x0017, 0x11EC
POINTS = {
    X25519: (9).to_bytes(32, "little"),
    SECP256R1: bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ),
}
POINTS[X25519_MLKEM768] = bytes(1184) + POINTS[X25519]
"""Base points. A key of ML-KEM-768 may be all zeros: its numbers only have to be below q (FIPS 203, 7.2)."""


@dataclass(frozen=True)
class Agreed:
    """What a server negotiated with a client; `group` is a group in TLS 1.3, or a curve."""

    protocol: Protocol
    suite: str
    group: str | None


def _vector(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _codes(codes: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(codes)}H", *codes)


def _extensions(client: Client, server_name: str) -> bytes:
    versions = tuple(VERSION_CODES[protocol] for protocol in reversed(client.protocols))
    parts = []
    if client.sends_sni:
        parts.append(extension(0, _vector(b"\x00" + _vector(server_name.encode("ascii")))))
    if client.groups is not None:
        parts += [extension(10, _vector(_codes(client.groups))), extension(11, b"\x01\x00")]
    if client.schemes is not None:
        parts.append(extension(13, _vector(_codes(client.schemes))))
    if Protocol.TLS1_3 in client.protocols:
        shares = (client.groups or ())[:1] if client.shares is None else client.shares
        entries = b"".join(_codes((group,)) + _vector(POINTS[group]) for group in shares)
        parts += [
            extension(43, _vector(_codes(versions), 1)),
            extension(45, b"\x01\x01"),
            extension(51, _vector(entries)),
        ]
    return b"".join(parts)


def hello_of(client: Client, server_name: str) -> bytes:
    """Its first hello."""
    newest = min(VERSION_CODES[client.protocols[-1]], VERSION_CODES[Protocol.TLS1_2])
    body = _codes((newest,)) + os.urandom(32) + _vector(os.urandom(32), 1)
    body += _vector(_codes((*client.suites, EMPTY_RENEGOTIATION_INFO_SCSV))) + b"\x01\x00"
    extensions = _extensions(client, server_name)
    return record(22, message(1, body + (_vector(extensions) if extensions else b"")), 0x0301)


def agreed(answer: Answer | Unanswered) -> Agreed | None:
    """What the answer negotiates; None for a refusal."""
    if isinstance(answer, Alert) or (isinstance(answer, ServerHello) and answer.rest.alert is not None):
        return None
    assert isinstance(answer, ServerHello), answer
    protocol = next(name for name, code in VERSION_CODES.items() if code == answer.version)
    exchanged = read_key_exchange(answer)
    group = tls13_group(answer) if protocol is Protocol.TLS1_3 else exchanged.group if exchanged else None
    return Agreed(protocol, suite_name(answer.suite), None if group is None else group_name(group))


async def answers(port: int, clients: list[Client]) -> dict[str, Agreed | None]:
    """The answers of a server on this port of loopback to each of these clients."""
    target = make_target(port, timeout_seconds=10.0)
    dialer = Dialer(target, HostGate())
    found = {}
    for client in clients:
        found[client.id] = agreed(await exchange(dialer, hello_of(client, target.host)))
    return found


def ask(port: int, clients: list[Client]) -> dict[str, Agreed | None]:
    """The same as `answers`."""
    return asyncio.run(answers(port, clients))
