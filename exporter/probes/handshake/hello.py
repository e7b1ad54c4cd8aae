"""Writes ClientHellos: bytes only, no sockets, no cryptography."""

import os
import struct
from dataclasses import dataclass
from functools import lru_cache

from exporter.tls.parameters import APPLICATION_PROTOCOLS, CLASSIC_GROUPS, SCHEMES, TLS13_GROUPS
from exporter.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV, SSL2_KINDS

SSL3, TLS1_0, TLS1_2, TLS1_3 = 0x0300, 0x0301, 0x0303, 0x0304

DEFLATE, LZS, NO_COMPRESSION = 1, 64, 0
"""Compression methods (RFC 3749, RFC 3943). Each hello up to TLS 1.2 offers them, so the answer costs no connection."""

X25519, SECP256R1 = 0x001D, 0x0017
_X25519_BASE_POINT = (9).to_bytes(32, "little")
"""RFC 7748, 4.1. Any point works: the handshake ends before a secret is needed."""
_SECP256R1_BASE_POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
"""SEC 2, 2.4.2."""

_PADDING_RANGE = range(256, 512)
"""RFC 7685: some F5 load balancers hang on hellos of these lengths (of the handshake message, in bytes)."""

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
        groups: codes in order of preference; None for all.
        schemes: signature schemes in order of preference; None for all.
        alpn: names of application protocols in order of preference, up to TLS 1.2; in TLS 1.3 the answer is encrypted.
            Without names the extension is left out.
        optional_extensions: up to TLS 1.2, send the extensions whose answers show what the server supports besides the
            key exchange.
        fallback: send the signal for a second try with an older version (RFC 7507).
        key_shares: TLS 1.3 only: groups of `KEY_SHARE_GROUPS` to send key shares for. Without any a server answers with
            HelloRetryRequest, which also names suite and group (RFC 8446, 4.2.8) and costs it no key exchange.
    """

    version: int
    suites: tuple[int, ...]
    server_name: str | None = None
    groups: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    alpn: tuple[str, ...] = APPLICATION_PROTOCOLS
    optional_extensions: bool = True
    fallback: bool = False
    key_shares: tuple[int, ...] = ()

    @property
    def offers_alpn(self) -> bool:
        """Whether ALPN is in the hello."""
        return self.optional_extensions and bool(self.alpn) and SSL3 < self.version < TLS1_3

    @property
    def offered_groups(self) -> tuple[int, ...]:
        """Codes of the groups in the hello."""
        if self.version == SSL3:
            return ()  # it has no extensions
        if self.groups is not None:
            return self.groups
        return TLS13_GROUPS if self.version == TLS1_3 else CLASSIC_GROUPS


def _vector(data: bytes, length_bytes: int) -> bytes:
    return len(data).to_bytes(length_bytes, "big") + data


def _codes(codes: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(codes)}H", *codes)


def _extension(number: int, body: bytes) -> bytes:
    return struct.pack(">H", number) + _vector(body, 2)


def _server_name(name: str) -> bytes:
    """RFC 6066, 3."""
    return _extension(0, _vector(b"\x00" + _vector(name.encode("ascii"), 2), 2))


KEY_SHARE_GROUPS = (X25519, SECP256R1)
_KEY_SHARES = {X25519: _X25519_BASE_POINT, SECP256R1: _SECP256R1_BASE_POINT}


def _key_shares(groups: tuple[int, ...], wanted: tuple[int, ...]) -> bytes:
    """RFC 8446, 4.2.8: only for groups that are offered."""
    shared = [group for group in wanted if group in groups]
    return b"".join(struct.pack(">H", group) + _vector(_KEY_SHARES[group], 2) for group in shared)


def _alpn(names: tuple[str, ...]) -> bytes:
    """RFC 7301, 3.1."""
    return _extension(16, _vector(b"".join(_vector(name.encode("ascii"), 1) for name in names), 2)) if names else b""


_OPTIONAL_EXTENSIONS = b"".join(
    (
        _extension(23, b""),  # extended_master_secret, RFC 7627: some servers require it
        _extension(22, b""),  # encrypt_then_mac, RFC 7366
        _extension(35, b""),  # session_ticket, RFC 5077
        _extension(5, b"\x01\x00\x00\x00\x00"),  # status_request, RFC 6066, 8: OCSP
        _extension(15, b"\x02"),  # heartbeat, RFC 6520: peer_not_allowed_to_send
    )
)
_POINT_FORMATS = _extension(11, _vector(b"\x00\x01\x02", 1))
"""RFC 8422, 5.1.2."""


def _extensions(offer: Offer) -> bytes:
    """The extensions of an offer. The last one is never empty: some servers fail if it is."""
    if offer.version == SSL3:
        return b""  # stacks as old as SSL 3 refuse hellos with extensions
    name = _server_name(offer.server_name) if offer.server_name else b""
    optional = offer.optional_extensions
    return name + _after_name(
        offer.version, offer.offered_groups, offer.schemes, offer.alpn if optional else (), optional, offer.key_shares
    )


@lru_cache(maxsize=512)
def _after_name(  # noqa: PLR0913, PLR0917 - the key of the cache, which servers share
    version: int,
    groups: tuple[int, ...],
    schemes: tuple[int, ...] | None,
    alpn: tuple[str, ...],
    optional_extensions: bool,
    key_shares: tuple[int, ...],
) -> bytes:
    """The extensions after the server's name."""
    tls13 = version == TLS1_3
    extensions = []
    if optional_extensions and not tls13:
        extensions += [_OPTIONAL_EXTENSIONS, _alpn(alpn)]
    extensions += [_extension(10, _vector(_codes(groups), 2)), _POINT_FORMATS]
    if version >= TLS1_2:
        extensions.append(_extension(13, _vector(_codes(SCHEMES if schemes is None else schemes), 2)))
    if tls13:
        extensions += [
            _extension(51, _vector(_key_shares(groups, key_shares), 2)),
            _extension(45, _vector(b"\x01", 1)),  # psk_key_exchange_modes: psk_dhe_ke
            _extension(43, _vector(_codes((TLS1_3,)), 1)),  # supported_versions
        ]
    return b"".join(extensions)


def client_hello(offer: Offer) -> bytes:
    """One record with one ClientHello (RFC 8446, 4.1.2; RFC 6101 for SSL 3).

    A hello with a length in `_PADDING_RANGE` is padded beyond it if it can carry extensions.
    """
    tls13 = offer.version == TLS1_3
    signals = () if tls13 else (EMPTY_RENEGOTIATION_INFO_SCSV,)
    suites = _codes((*signals, *offer.suites, *([FALLBACK_SCSV] if offer.fallback else [])))
    compression = bytes([NO_COMPRESSION] if tls13 else [DEFLATE, LZS, NO_COMPRESSION])
    start = (
        struct.pack(">H", min(offer.version, TLS1_2))
        + os.urandom(32)
        + _vector(os.urandom(32) if tls13 else b"", 1)  # RFC 8446, D.4: middleboxes expect a session id
        + _vector(suites, 2)
        + _vector(compression, 1)
    )
    extensions = _extensions(offer)
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
