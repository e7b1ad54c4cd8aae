"""Reads what answers say of the key exchange: which group or prime, which signature scheme. Bytes only."""

from dataclasses import dataclass

from exporter.facts.handshake import Prime
from exporter.probes.handshake.server_hello import Cursor, MalformedError, ServerHello
from exporter.tls.extensions import KEY_SHARE_NUMBER
from exporter.tls.parameters import prime_name
from exporter.tls.suites import KeyExchange, parameters, psk, signed

_NAMED_CURVE = 3
_TLS1_2 = 0x0303


@dataclass(frozen=True, slots=True)
class ServerKeyExchange:
    """What a ServerKeyExchange message says.

    Attributes:
        group: code of the named group; None where the suite has none, or the curve was given by explicit parameters.
        prime: of the finite field; None where the suite has none.
        scheme: code of the signature scheme, in TLS 1.2. In older versions the suite alone decides it.
    """

    group: int | None = None
    prime: Prime | None = None
    scheme: int | None = None


def read_key_exchange(hello: ServerHello) -> ServerKeyExchange | None:
    """What the ServerKeyExchange after this ServerHello says; None where none came, or it cannot be read.

    It cannot be read where it is broken, or the key exchange of the suite is not known here.

    Source: RFC 8422, 5.4; RFC 5246, 7.4.3; RFC 4279, 3; RFC 5489, 2.
    """
    if hello.rest.key_exchange is None:
        return None
    try:
        return _read(hello.suite, hello.version, Cursor(hello.rest.key_exchange))
    except MalformedError:
        return None


def _read(suite: int, version: int, cursor: Cursor) -> ServerKeyExchange | None:
    group, prime = None, None
    if psk(suite):
        cursor.take(cursor.number(2))  # the identity hint
    match parameters(suite):
        case KeyExchange.ECDH:
            if cursor.number(1) != _NAMED_CURVE:
                return ServerKeyExchange()
            group = cursor.number(2)
            cursor.take(cursor.number(1))
        case KeyExchange.DH:
            number = int.from_bytes(cursor.take(cursor.number(2)), "big")
            prime = Prime(number.bit_length(), prime_name(number))
            cursor.take(cursor.number(2))
            cursor.take(cursor.number(2))
        case KeyExchange.OTHER:
            return None
    scheme = cursor.number(2) if version == _TLS1_2 and signed(suite) else None
    return ServerKeyExchange(group, prime, scheme)


def tls13_group(hello: ServerHello) -> int | None:
    """Code of the group that an answer in TLS 1.3 names; None for a HelloRetryRequest with only a cookie."""
    share = hello.extensions.get(KEY_SHARE_NUMBER, b"")
    return int.from_bytes(share[:2], "big") if len(share) >= 2 else None
