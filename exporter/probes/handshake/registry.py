"""Cipher suites, groups and signature schemes as registered, taken from CryptoDataHub, in the order they are offered.

The order matters for cost alone: what servers usually accept comes first, so that the first short list holds it.
"""

from dataclasses import dataclass

from cryptodatahub.tls.algorithm import SslCipherKind, TlsCipherSuite, TlsNamedCurve, TlsSignatureAndHashAlgorithm

from exporter.model import Protocol

VERSION_CODES = {
    Protocol.SSL2: 0x0002,
    Protocol.SSL3: 0x0300,
    Protocol.TLS1_0: 0x0301,
    Protocol.TLS1_1: 0x0302,
    Protocol.TLS1_2: 0x0303,
    Protocol.TLS1_3: 0x0304,
}

EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
"""RFC 5746, 3.3: a signal, not a suite."""

_TLS13_MARK = "TLS1_3"
_CLASSIC_GROUPS_END = 0x0100
"""Below it lie the elliptic curves, from it on the finite fields (RFC 7919) and then post-quantum mechanisms."""
_FFDHE_GROUPS = range(0x0100, 0x0105)
_ML_KEM_GROUPS = (0x11EC, 0x11EB, 0x11ED, 0x11EA, 0x11E9, 0x0200, 0x0201, 0x0202)
"""Hybrids (draft-ietf-tls-ecdhe-mlkem) before pure ones (draft-ietf-tls-mlkem); the registry names them all."""
_EXPERIMENTAL_SCHEMES_START = 0xFE00


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One registered suite.

    Attributes:
        name: IANA spelling; for the few suites that never were at IANA the registry's own.
        openssl_name: OpenSSL's spelling, where OpenSSL ever had the suite.
        iana: whether IANA registered it; the others are drafts and vendors' own.
        forward_secrecy: whether its key exchange is ephemeral; every TLS 1.3 suite counts, since its key exchange is.
    """

    code: int
    name: str
    openssl_name: str | None
    forward_secrecy: bool
    tls13: bool
    iana: bool


def _read_suites() -> tuple[CipherSuite, ...]:
    suites = []
    for entry in TlsCipherSuite:
        params = entry.value
        tls13 = params.initial_version.name.startswith(_TLS13_MARK)
        ephemeral = params.key_exchange is not None and bool(params.key_exchange.value.forward_secret)
        iana = params.iana_name is not None
        name = params.iana_name if iana else entry.name
        suites.append(CipherSuite(params.code, name, params.openssl_name, tls13 or ephemeral, tls13, iana))
    known_first = sorted(suites, key=lambda s: (s.openssl_name is None, not s.forward_secrecy, -s.code))
    return tuple(known_first)


SUITES = _read_suites()
BY_CODE = {suite.code: suite for suite in SUITES}
SSL2_KINDS = {kind.value.code: kind.value.iana_name for kind in SslCipherKind}
BY_NAME: dict[str, CipherSuite] = {suite.name: suite for suite in SUITES}
BY_OPENSSL_NAME: dict[str, CipherSuite] = {
    # Last one wins: a suite that IANA names, over the draft of it that OpenSSL gave the same name.
    suite.openssl_name: suite
    for suite in sorted(SUITES, key=lambda suite: suite.iana)
    if suite.openssl_name
}

CLASSIC_SUITES = tuple(suite.code for suite in SUITES if not suite.tls13)
"""What is offered from SSL 3 to TLS 1.2: a server may be wrong about which version a suite belongs to."""
TLS13_SUITES = tuple(suite.code for suite in SUITES if suite.tls13)

_CURVES = tuple(sorted(g.value.code for g in TlsNamedCurve if g.value.code < _CLASSIC_GROUPS_END))
_COMMON_CURVES = (0x001D, 0x0017, 0x0018, 0x0019, 0x001E)
"""X25519, secp256r1, secp384r1, secp521r1, X448 (RFC 8446, 4.2.7): in front, for servers that read only a few."""

CLASSIC_GROUPS = (*_COMMON_CURVES, *(c for c in _CURVES if c not in _COMMON_CURVES), *_FFDHE_GROUPS)
TLS13_GROUPS = (*CLASSIC_GROUPS, *_ML_KEM_GROUPS)

_SCHEMES = {s.value.code for s in TlsSignatureAndHashAlgorithm if not s.name.startswith("ANONYMOUS")}
_COMMON_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0603, 0x0807, 0x0203, 0x0201)
"""ECDSA and RSA with SHA-2, Ed25519, then SHA-1 (RFC 8446, 4.2.3): both kinds of certificate are always asked for."""
SIGNATURE_SCHEMES = (
    *_COMMON_SCHEMES,
    *sorted(c for c in _SCHEMES if c not in _COMMON_SCHEMES and c < _EXPERIMENTAL_SCHEMES_START),
)


def suite_name(code: int) -> str:
    """IANA name of a suite, or its number for one that is not registered."""
    suite = BY_CODE.get(code)
    return suite.name if suite else f"0x{code:04X}"


def for_ecdsa(code: int) -> bool:
    """Whether the suite needs an ECDSA (or static ECDH with ECDSA) certificate."""
    return "_ECDSA_" in suite_name(code)
