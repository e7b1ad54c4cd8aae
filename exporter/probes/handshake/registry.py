"""Cipher suites as registered, taken from CryptoDataHub, in the order they are offered.

The order matters for cost alone: what servers usually accept comes first, so that the first short list holds it.
"""

from dataclasses import dataclass
from enum import Enum

from cryptodatahub.tls.algorithm import CipherSuiteParams, SslCipherKind, TlsCipherSuite

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
FALLBACK_SCSV = 0x5600
"""RFC 7507: a signal, not a suite."""

_TLS13_MARK = "TLS1_3"


class KeyExchange(Enum):
    """How the parameters in a ServerKeyExchange message are laid out."""

    ECDH = "an elliptic curve and a point (RFC 8422, 5.4)"
    DH = "a prime, a generator and a number (RFC 5246, 7.4.3)"
    OTHER = "something else, or no such message"


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One registered suite.

    Attributes:
        name: IANA spelling; for the few suites that never were at IANA the registry's own.
        openssl_name: OpenSSL's spelling, where OpenSSL ever had the suite.
        iana: whether IANA registered it; the others are drafts and vendors' own.
        forward_secrecy: whether its key exchange is ephemeral; every TLS 1.3 suite counts, since its key exchange is.
        key_exchange: layout of its ServerKeyExchange message.
        signed: whether the server signs that message with the key of its certificate.
        cbc: whether it encrypts in CBC mode with a MAC of its own.
    """

    code: int
    name: str
    openssl_name: str | None
    forward_secrecy: bool
    tls13: bool
    iana: bool
    key_exchange: KeyExchange
    signed: bool
    cbc: bool


_ECDH_NAMES, _DH_NAMES = {"ECDHE", "AECDH"}, {"DHE", "ADH"}
_SIGNING_KEYS = {"RSA", "ECDSA", "DSS"}


def _suite(name: str, params: CipherSuiteParams) -> CipherSuite:
    exchange = params.key_exchange.name if params.key_exchange else ""
    layout = KeyExchange.ECDH if exchange in _ECDH_NAMES else KeyExchange.DH if exchange in _DH_NAMES else None
    tls13 = params.initial_version.name.startswith(_TLS13_MARK)
    authentication = params.authentication.name if params.authentication else ""
    psk = authentication == "PSK" or "_PSK_" in name  # an identity hint precedes the parameters (RFC 4279, 3)
    return CipherSuite(
        code=params.code,
        name=params.iana_name or name,
        openssl_name=params.openssl_name,
        forward_secrecy=tls13 or (params.key_exchange is not None and bool(params.key_exchange.value.forward_secret)),
        tls13=tls13,
        iana=params.iana_name is not None,
        key_exchange=KeyExchange.OTHER if psk or layout is None else layout,
        signed=layout is not None and authentication in _SIGNING_KEYS,
        cbc="_CBC_" in name,
    )


_NOT_IN_THE_LIBRARY = {
    0xC0B4: "TLS_SHA256_SHA256",  # RFC 9150: no encryption
    0xC0B5: "TLS_SHA384_SHA384",
    0x1306: "TLS_AEGIS_256_SHA512",  # draft-irtf-cfrg-aegis-aead
    0x1307: "TLS_AEGIS_128L_SHA256",
}
_MORE = tuple(
    CipherSuite(code, name, name, True, True, True, KeyExchange.OTHER, signed=False, cbc=False)
    for code, name in _NOT_IN_THE_LIBRARY.items()
)

SUITES = tuple(
    sorted(
        (*(_suite(entry.name, entry.value) for entry in TlsCipherSuite), *_MORE),
        key=lambda s: (s.openssl_name is None, not s.forward_secrecy, -s.code),
    )
)
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
USUAL_TLS13_SUITES = frozenset({0x1301, 0x1302, 0x1303})
"""RFC 8446, 9.1: what nearly every server has, and mostly all that it has."""


_FOR_ECDSA = frozenset(suite.code for suite in SUITES if "_ECDSA_" in suite.name)


def suite_name(code: int) -> str:
    """IANA name of a suite, or its number for one that is not registered."""
    suite = BY_CODE.get(code)
    return suite.name if suite else f"0x{code:04X}"


def for_ecdsa(code: int) -> bool:
    """Whether the suite needs an ECDSA (or static ECDH with ECDSA) certificate."""
    return code in _FOR_ECDSA


def for_dss(code: int) -> bool:
    """Whether the suite needs a DSA certificate."""
    return "_DSS_" in suite_name(code)


def layout(code: int) -> KeyExchange:
    """Layout of the ServerKeyExchange message of a suite."""
    suite = BY_CODE.get(code)
    return suite.key_exchange if suite else KeyExchange.OTHER


def signed(code: int) -> bool:
    """Whether the server signs its key exchange in this suite."""
    suite = BY_CODE.get(code)
    return suite is not None and suite.signed
