"""Reads ServerKeyExchange messages: which curve, which prime, which signature scheme. Bytes only."""

from dataclasses import dataclass

from exporter.facts.handshake import Prime
from exporter.probes.handshake.server_hello import Cursor, MalformedError, ServerHello
from exporter.tls.parameters import prime_name
from exporter.tls.suites import KeyExchange, parameters, psk, signed

_NAMED_CURVE = 3
_TLS1_2 = 0x0303


@dataclass(frozen=True, slots=True)
class ServerKeyExchange:
    """What the message says.

    Attributes:
        group: code of the named group; None where the suite has none, or the curve was given by its numbers.
        prime: of the finite field; None where the suite has none.
        scheme: code of the signature scheme, in TLS 1.2 (before, the suite alone decides).
    """

    group: int | None = None
    prime: Prime | None = None
    scheme: int | None = None


def read_key_exchange(hello: ServerHello) -> ServerKeyExchange | None:
    """What the message behind this ServerHello says (RFC 8422, 5.4; RFC 5246, 7.4.3; RFC 4279, 3 and RFC 5489, 2).

    None where none came, the suite has none that is known here, or it is broken.
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
