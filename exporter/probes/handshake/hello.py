"""Writes ClientHellos: bytes only, no sockets, no cryptography."""

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.probes.handshake.registry import (
    CLASSIC_GROUPS,
    EMPTY_RENEGOTIATION_INFO_SCSV,
    SIGNATURE_SCHEMES,
    SSL2_KINDS,
    TLS13_GROUPS,
)

SSL3, TLS1_0, TLS1_2, TLS1_3 = 0x0300, 0x0301, 0x0303, 0x0304

DEFLATE, LZS, NO_COMPRESSION = 1, 64, 0
"""Compression methods (RFC 3749, RFC 3943). Offered with every hello up to TLS 1.2: the answer costs nothing."""

X25519, SECP256R1 = 0x001D, 0x0017
_X25519_BASE_POINT = (9).to_bytes(32, "little")
"""RFC 7748, 4.1. Any point will do: the handshake ends before a secret is needed."""
_SECP256R1_BASE_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
"""SEC 2, 2.4.2."""

_PADDING_RANGE = range(256, 512)
"""RFC 7685: some F5 load balancers hang on hellos of these lengths (bytes of the handshake message)."""

_RECORD_HANDSHAKE = 22
_CLIENT_HELLO = 1
_CHALLENGE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Offer:
    """What one ClientHello offers.

    Attributes:
        version: wire code of the one version asked for, SSL 3 to TLS 1.3.
        suites: codes in order of preference.
        server_name: SNI, or None for none.
        key_shares: TLS 1.3 only: send X25519 and P-256 shares. Without them a server answers with HelloRetryRequest,
            which names its suite just as well (RFC 8446, 4.2.8) and costs it no key exchange.
    """

    version: int
    suites: tuple[int, ...]
    server_name: str | None = None
    key_shares: bool = False


def _vector(data: bytes, length_bytes: int) -> bytes:
    return len(data).to_bytes(length_bytes, "big") + data


def _codes(codes: Iterable[int]) -> bytes:
    return b"".join(struct.pack(">H", code) for code in codes)


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack(">H", number) + _vector(body, 2)


def _server_name(name: str) -> bytes:
    """RFC 6066, 3."""
    return _extension(0, _vector(b"\x00" + _vector(name.encode("ascii"), 2), 2))


def _shares() -> bytes:
    shares = ((X25519, _X25519_BASE_POINT), (SECP256R1, _SECP256R1_BASE_POINT))
    return b"".join(struct.pack(">H", group) + _vector(point, 2) for group, point in shares)


def _extensions(offer: Offer) -> list[bytes]:
    if offer.version == SSL3:
        return []  # stacks of that age refuse hellos with extensions
    groups: Sequence[int] = TLS13_GROUPS if offer.version == TLS1_3 else CLASSIC_GROUPS
    extensions = [_server_name(offer.server_name)] if offer.server_name else []
    if offer.version < TLS1_3:
        extensions.append(_extension(23, b""))  # extended_master_secret, RFC 7627: some servers insist on it
    extensions += [
        _extension(10, _vector(_codes(groups), 2)),  # supported_groups
        _extension(11, _vector(b"\x00\x01\x02", 1)),  # ec_point_formats, RFC 8422, 5.1.2
    ]
    if offer.version >= TLS1_2:
        extensions.append(_extension(13, _vector(_codes(SIGNATURE_SCHEMES), 2)))
    if offer.version == TLS1_3:
        shares = _shares() if offer.key_shares else b""
        extensions += [
            _extension(51, _vector(shares, 2)),
            _extension(45, _vector(b"\x01", 1)),  # psk_key_exchange_modes: psk_dhe_ke
            _extension(43, _vector(_codes([TLS1_3]), 1)),  # supported_versions; last and not empty
        ]
    return extensions


def client_hello(offer: Offer) -> bytes:
    """One record with one ClientHello (RFC 8446, 4.1.2; RFC 6101 for SSL 3).

    A hello whose length some load balancers cannot stand is padded over that range, where it may carry extensions.
    """
    tls13 = offer.version == TLS1_3
    suites = offer.suites if tls13 else (EMPTY_RENEGOTIATION_INFO_SCSV, *offer.suites)
    compression = bytes([NO_COMPRESSION] if tls13 else [DEFLATE, LZS, NO_COMPRESSION])
    start = (
        struct.pack(">H", min(offer.version, TLS1_2))
        + os.urandom(32)
        + _vector(os.urandom(32) if tls13 else b"", 1)  # RFC 8446, D.4: middleboxes want to see a session id
        + _vector(_codes(suites), 2)
        + _vector(compression, 1)
    )
    extensions = b"".join(_extensions(offer))
    if extensions:
        length = 4 + len(start) + 2 + len(extensions)
        if length in _PADDING_RANGE:
            extensions += _extension(21, bytes(max(1, _PADDING_RANGE.stop - length - 4)))
        start += _vector(extensions, 2)
    message = bytes([_CLIENT_HELLO]) + _vector(start, 3)
    return struct.pack(">BH", _RECORD_HANDSHAKE, min(offer.version, TLS1_0)) + _vector(message, 2)


def ssl2_client_hello() -> bytes:
    """An SSL 2 CLIENT-HELLO that offers every registered cipher kind (Hickman, The SSL Protocol, 2.5)."""
    kinds = b"".join(kind.to_bytes(3, "big") for kind in SSL2_KINDS)
    body = (
        struct.pack(">BHHHH", _CLIENT_HELLO, 0x0002, len(kinds), 0, _CHALLENGE_LENGTH)
        + kinds
        + os.urandom(_CHALLENGE_LENGTH)
    )
    return struct.pack(">H", 0x8000 | len(body)) + body
