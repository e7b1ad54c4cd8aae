"""Cipher suites as registered, from CryptoDataHub (`registered`), in the order they are offered.

The order affects only cost: suites that servers usually accept come first, so that the first short list contains them.
"""

from dataclasses import dataclass, replace
from enum import Enum

from exporter.model import Protocol
from exporter.tls import registered

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
    """The layout of the parameters in a ServerKeyExchange message."""

    ECDH = "an elliptic curve and a point (RFC 8422, 5.4)"
    DH = "a prime, a generator and a number (RFC 5246, 7.4.3)"
    OTHER = "something else, or no such message"


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """One registered suite.

    Attributes:
        name: IANA spelling; for the few suites that IANA never registered, CryptoDataHub's.
        openssl_name: OpenSSL's spelling; None if OpenSSL never had the suite.
        iana: whether IANA registered it; the others are from drafts and vendors.
        forward_secrecy: whether its key exchange is ephemeral; true for every suite of TLS 1.3.
        key_exchange: layout of its ServerKeyExchange message.
        signed: whether the server signs that message with the key of its certificate.
        cbc: whether it encrypts in CBC mode with a separate MAC.
        since: the oldest protocol with this suite; TLS 1.3 has only the suites of `tls13`.
        agreement: the key exchange: `RSA`, `ECDHE`, `DH` (static), `PSK`, ...; empty in TLS 1.3.
        authentication: the kind of key that authenticates the server; `ANONYMOUS` for none; empty in TLS 1.3.
        encryption: family of the cipher: `AES`, `3DES`, ...; `NULL` without encryption.
        bits: strength of the cipher by key length; 0 without encryption.
        mac: `AEAD` if the cipher includes authentication, otherwise the hash: `SHA1`, ...
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
        """Whether the cipher also authenticates what it encrypts (RFC 5116)."""
        return self.mac == AEAD

    @property
    def anonymous(self) -> bool:
        """Whether the server is not authenticated."""
        return self.authentication == ANONYMOUS

    @property
    def export(self) -> bool:
        """Whether it was weakened for export."""
        return "_EXPORT" in self.name

    @property
    def null_encryption(self) -> bool:
        """Whether it does not encrypt."""
        return self.encryption == NULL

    @property
    def psk(self) -> bool:
        """Whether it needs a pre-shared key (RFC 4279)."""
        return self.authentication == "PSK" or "_PSK_" in self.name


AEAD, ANONYMOUS, NULL = "AEAD", "ANONYMOUS", "NULL"
_ECDH_NAMES, _DH_NAMES = {"ECDHE", "AECDH"}, {"DHE", "ADH"}
_SIGNING_KEYS = {"RSA", "ECDSA", "DSS"}


def _suite(  # noqa: PLR0913, PLR0917 - the fields of a row
    code: int,
    name: str,
    openssl_name: str | None,
    iana: bool,
    forward_secrecy: bool,
    cbc: bool,
    since: str,
    agreement: str,
    authentication: str,
    encryption: str,
    bits: int,
    mac: str,
) -> CipherSuite:
    layout = _layout(agreement)
    protocol = Protocol(since)
    suite = CipherSuite(
        code=code,
        name=name,
        openssl_name=openssl_name,
        forward_secrecy=forward_secrecy,
        tls13=protocol is Protocol.TLS1_3,
        iana=iana,
        key_exchange=layout,
        signed=layout is not KeyExchange.OTHER and authentication in _SIGNING_KEYS,
        cbc=cbc,
        since=protocol,
        agreement=agreement,
        authentication=authentication,
        encryption=encryption,
        bits=bits,
        mac=mac,
    )
    # An identity hint comes before the parameters (RFC 4279, 3), and groups are not enumerated with such suites.
    return replace(suite, key_exchange=KeyExchange.OTHER) if suite.psk else suite


def _layout(agreement: str) -> KeyExchange:
    if agreement in _ECDH_NAMES:
        return KeyExchange.ECDH
    return KeyExchange.DH if agreement in _DH_NAMES else KeyExchange.OTHER


_AEGIS_128L = "TLS_AEGIS_128L_SHA256"
_NOT_REGISTERED_THERE: tuple[registered.Row, ...] = (
    # RFC 9150: no encryption.
    (0xC0B4, "TLS_SHA256_SHA256", "TLS_SHA256_SHA256", True, True, False, "TLSv1.3", "", "", NULL, 0, "SHA256"),
    (0xC0B5, "TLS_SHA384_SHA384", "TLS_SHA384_SHA384", True, True, False, "TLSv1.3", "", "", NULL, 0, "SHA384"),
    # draft-irtf-cfrg-aegis-aead.
    (0x1306, "TLS_AEGIS_256_SHA512", "TLS_AEGIS_256_SHA512", True, True, False, "TLSv1.3", "", "", "AEGIS", 256, AEAD),
    (
        0x1307,
        "TLS_AEGIS_128L_SHA256",
        "TLS_AEGIS_128L_SHA256",
        True,
        True,
        False,
        "TLSv1.3",
        "",
        "",
        "AEGIS",
        128,
        AEAD,
    ),
)
"""What CryptoDataHub lacks."""

SUITES = tuple(
    sorted(
        (_suite(*row) for row in (*registered.SUITES, *_NOT_REGISTERED_THERE)),
        key=lambda s: (s.openssl_name is None, not s.forward_secrecy, -s.code),
    )
)
BY_CODE = {suite.code: suite for suite in SUITES}
SSL2_SUITES = tuple(_suite(*row) for row in registered.SSL2_KINDS)
"""SSL 2's cipher kinds as suites. Their codes have three bytes. Today OpenSSL uses their names for other suites."""
SSL2_KINDS = {suite.code: suite.name for suite in SSL2_SUITES}
BY_NAME: dict[str, CipherSuite] = {suite.name: suite for suite in SUITES}
BY_ANY_NAME: dict[str, CipherSuite] = BY_NAME | {suite.name: suite for suite in SSL2_SUITES}
"""Including SSL 2's kinds."""
BY_OPENSSL_NAME: dict[str, CipherSuite] = {
    # If names are equal, the last one wins: a suite that IANA registered, not its draft with the same name in OpenSSL.
    suite.openssl_name: suite
    for suite in sorted(SUITES, key=lambda suite: suite.iana)
    if suite.openssl_name
}

CLASSIC_SUITES = tuple(suite.code for suite in SUITES if not suite.tls13)
"""Suites that are offered from SSL 3 to TLS 1.2: a server may be wrong about the versions of a suite."""
TLS13_SUITES = tuple(suite.code for suite in SUITES if suite.tls13)
USUAL_TLS13_SUITES = frozenset({0x1301, 0x1302, 0x1303})
"""RFC 8446, 9.1: nearly every server has these, and most have no others."""


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
    """Whether the suite needs a pre-shared key."""
    suite = BY_CODE.get(code)
    return suite is not None and suite.psk


def parameters(code: int) -> KeyExchange:
    """Layout of the end of a suite's ServerKeyExchange message; with a PSK, an identity hint comes before it."""
    suite = BY_CODE.get(code)
    return layout(code) if suite is None or not suite.psk else _layout(suite.agreement)


def signed(code: int) -> bool:
    """Whether the server signs its key exchange in this suite."""
    suite = BY_CODE.get(code)
    return suite is not None and suite.signed
