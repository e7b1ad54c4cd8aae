"""Cipher suites as registered, taken from CryptoDataHub, in the order they are offered.

The order matters for cost alone: what servers usually accept comes first, so that the first short list holds it.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from cryptodatahub.tls.algorithm import SslCipherKind, TlsCipherSuite

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
        since: the oldest protocol that it is for; in TLS 1.3 are the suites of `tls13` and no others.
        agreement: how keys are agreed on: `RSA`, `ECDHE`, `DH` (static), `PSK`, ...; empty in TLS 1.3.
        authentication: by what kind of key, `ANONYMOUS` for none; empty in TLS 1.3.
        encryption: family of the cipher: `AES`, `3DES`, ...; `NULL` without encryption.
        bits: strength of the cipher by the length of its key; 0 without encryption.
        mac: `AEAD` where the cipher has its own, else the hash: `SHA1`, ...
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
    since: Protocol
    agreement: str
    authentication: str
    encryption: str
    bits: int
    mac: str

    @property
    def aead(self) -> bool:
        """Whether the cipher keeps what it encrypts from being changed (RFC 5116)."""
        return self.mac == AEAD

    @property
    def anonymous(self) -> bool:
        """Whether nobody says who the server is."""
        return self.authentication == ANONYMOUS

    @property
    def export(self) -> bool:
        """Whether it was weakened for export."""
        return "_EXPORT" in self.name

    @property
    def null_encryption(self) -> bool:
        """Whether everybody can read along."""
        return self.encryption == NULL

    @property
    def psk(self) -> bool:
        """Whether it needs a key that both sides have before (RFC 4279)."""
        return self.authentication == "PSK" or "_PSK_" in self.name


AEAD, ANONYMOUS, NULL = "AEAD", "ANONYMOUS", "NULL"
_FAMILIES: dict[str, tuple[str, int | None]] = {
    "AES_128": ("AES", None),
    "AES_256": ("AES", None),
    "ARIA_128": ("ARIA", None),
    "ARIA_256": ("ARIA", None),
    "CAMELLIA_128": ("CAMELLIA", None),
    "CAMELLIA_256": ("CAMELLIA", None),
    "CHACHA20": ("CHACHA20", None),
    "DES": ("DES", None),
    "DES40": ("DES", None),
    "ESTREAM_SALSA20": ("SALSA20", None),
    "FORTEZZA": ("SKIPJACK", 80),
    "GOST2814789": ("GOST28147", 256),
    "GOST_R3412_15_128": ("KUZNYECHIK", None),
    "GOST_R3412_15_64": ("MAGMA", None),
    "IDEA": ("IDEA", 128),
    "IDEA_128": ("IDEA", None),
    "RC2": ("RC2", 128),
    "RC2_128": ("RC2", None),
    "RC2_40": ("RC2", None),
    "RC2_56": ("RC2", None),
    "RC4_128": ("RC4", None),
    "RC4_40": ("RC4", None),
    "RC4_56": ("RC4", None),
    "RC4_64": ("RC4", None),
    "SALSA20": ("SALSA20", None),
    "SEED": ("SEED", None),
    "SM4": ("SM4", None),
    "TRIPLE_DES_168": ("3DES", 112),
    "TRIPLE_DES_EDE": ("3DES", 112),
}
"""CryptoDataHub's name of a cipher -> its family, and its strength in bits where the size there is another.

Three keys of DES are worth 112 bits (NIST SP 800-57 part 1, table 2). IDEA has 128, GOST 28147-89 256 and Skipjack 80;
there they have the size of a block, of a block, and of a key with its check.
"""
_EXPORT_BITS = 40
"""What is secret of a key of SSL 2's export kinds (Hickman, The SSL Protocol, C.4)."""
_AEAD_MODES = {"CCM", "CCM_8", "GCM", "MGM"}
_MACS = {"SHA2_256": "SHA256", "SHA2_384": "SHA384"}
_VERSIONS = {"SSL2": Protocol.SSL2, "SSL3": Protocol.SSL3, "TLS1": Protocol.TLS1_0, "TLS1_2": Protocol.TLS1_2}
_EPHEMERAL = {"CECPQ1"}
_NOT_EPHEMERAL = {"GOST_R3410_01", "GOST_R3410_94", "GOST_R3411_12_256"}
"""CryptoDataHub has it the other way round: the server's share in GOST's key exchange is the key of its certificate
(RFC 9189), that of CECPQ1 is new each time."""

_ECDH_NAMES, _DH_NAMES = {"ECDHE", "AECDH"}, {"DHE", "ADH"}
_SIGNING_KEYS = {"RSA", "ECDSA", "DSS"}


def _name(entry: Any) -> str:  # noqa: ANN401 - an enum of CryptoDataHub, which has no types, or None
    return entry.name if entry else ""


def _suite(name: str, params: Any) -> CipherSuite:  # noqa: ANN401 - CipherSuiteParams or SslCipherKindParams
    exchange, authentication = _name(params.key_exchange), _name(params.authentication)
    layout = _layout(exchange)
    since = _VERSIONS.get(params.initial_version.name, Protocol.TLS1_3)
    tls13 = since is Protocol.TLS1_3
    encryption, bits = _cipher(params)
    suite = CipherSuite(
        code=params.code,
        name=params.iana_name or name,
        openssl_name=params.openssl_name,
        forward_secrecy=tls13 or _is_ephemeral(params),
        tls13=tls13,
        iana=params.iana_name is not None,
        key_exchange=layout,
        signed=layout is not KeyExchange.OTHER and authentication in _SIGNING_KEYS,
        cbc="_CBC_" in name,
        since=since,
        agreement="" if tls13 else exchange,
        authentication="" if tls13 else authentication,
        encryption=encryption,
        bits=bits,
        mac=_mac(params),
    )
    # An identity hint precedes the parameters (RFC 4279, 3), and nothing is struck out with such suites.
    return replace(suite, key_exchange=KeyExchange.OTHER) if suite.psk else suite


def _layout(agreement: str) -> KeyExchange:
    if agreement in _ECDH_NAMES:
        return KeyExchange.ECDH
    return KeyExchange.DH if agreement in _DH_NAMES else KeyExchange.OTHER


def _is_ephemeral(params: Any) -> bool:  # noqa: ANN401 - as above
    exchange = _name(params.key_exchange)
    if exchange in _EPHEMERAL or exchange in _NOT_EPHEMERAL:
        return exchange in _EPHEMERAL
    return bool(exchange) and bool(params.key_exchange.value.forward_secret)


def _cipher(params: Any) -> tuple[str, int]:  # noqa: ANN401 - as above
    """Family and strength."""
    if params.bulk_cipher is None:
        return NULL, 0
    family, bits = _FAMILIES[params.bulk_cipher.name]
    if params.initial_version.name == "SSL2" and params.export_grade:
        return family, _EXPORT_BITS
    return family, bits or int(params.bulk_cipher.value.key_size)


def _mac(params: Any) -> str:  # noqa: ANN401 - as above
    """By the mode: CryptoDataHub's own mark is wrong for some suites (Salsa20 with SHA-1, ARIA in CBC mode)."""
    if _name(params.block_cipher_mode) in _AEAD_MODES or _name(params.mac) == "POLY1305":
        return AEAD
    if _name(params.bulk_cipher) == "CHACHA20":
        return AEAD
    return _MACS.get(_name(params.mac), _name(params.mac))


_NOT_IN_THE_LIBRARY = {
    0xC0B4: ("TLS_SHA256_SHA256", NULL, 0, "SHA256"),  # RFC 9150: no encryption
    0xC0B5: ("TLS_SHA384_SHA384", NULL, 0, "SHA384"),
    0x1306: ("TLS_AEGIS_256_SHA512", "AEGIS", 256, AEAD),  # draft-irtf-cfrg-aegis-aead
    0x1307: ("TLS_AEGIS_128L_SHA256", "AEGIS", 128, AEAD),
}
_MORE = tuple(
    CipherSuite(
        code=code,
        name=name,
        openssl_name=name,
        forward_secrecy=True,
        tls13=True,
        iana=True,
        key_exchange=KeyExchange.OTHER,
        signed=False,
        cbc=False,
        since=Protocol.TLS1_3,
        agreement="",
        authentication="",
        encryption=encryption,
        bits=bits,
        mac=mac,
    )
    for code, (name, encryption, bits, mac) in _NOT_IN_THE_LIBRARY.items()
)

SUITES = tuple(
    sorted(
        (*(_suite(entry.name, entry.value) for entry in TlsCipherSuite), *_MORE),
        key=lambda s: (s.openssl_name is None, not s.forward_secrecy, -s.code),
    )
)
BY_CODE = {suite.code: suite for suite in SUITES}
SSL2_KINDS = {kind.value.code: kind.value.iana_name for kind in SslCipherKind}
SSL2_SUITES = tuple(_suite(kind.name, kind.value) for kind in SslCipherKind)
"""SSL 2's cipher kinds as suites; their codes are of three bytes, and OpenSSL's names stand for other suites today."""
BY_NAME: dict[str, CipherSuite] = {suite.name: suite for suite in SUITES}
BY_ANY_NAME: dict[str, CipherSuite] = BY_NAME | {suite.name: suite for suite in SSL2_SUITES}
"""With SSL 2's kinds."""
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


def psk(code: int) -> bool:
    """Whether the suite needs a key that both sides have before."""
    suite = BY_CODE.get(code)
    return suite is not None and suite.psk


def parameters(code: int) -> KeyExchange:
    """Layout of what the ServerKeyExchange message of a suite ends with: with a PSK, a hint comes before it."""
    suite = BY_CODE.get(code)
    return layout(code) if suite is None or not suite.psk else _layout(suite.agreement)


def signed(code: int) -> bool:
    """Whether the server signs its key exchange in this suite."""
    suite = BY_CODE.get(code)
    return suite is not None and suite.signed
