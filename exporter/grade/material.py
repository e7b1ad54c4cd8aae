"""What the grade looks at: plain values, None where something is not known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from exporter.model import Protocol
from exporter.ternary import any_of

LONG_HSTS_DAYS = 180
"""The guide has six months; testssl.sh, too, takes 180 days for them."""


class HstsRating(Enum):
    """What a server's HSTS header is worth to the guide."""

    NOT_APPLICABLE = "no web server, or one that goes by an IP address"
    ABSENT = "no header"
    INVALID = "a header that browsers ignore"
    DISABLED = "max-age=0, by which browsers forget the policy"
    SHORT = f"kept for less than {LONG_HSTS_DAYS} days"
    LONG = f"kept for {LONG_HSTS_DAYS} days or more"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Some sizes in bits.

    Attributes:
        seen: those that are known.
        whole: there are no others.
    """

    seen: tuple[int, ...]
    whole: bool

    def below(self, bits: int) -> bool | None:
        """Whether one of them is smaller; None when one that is not known may be."""
        if any(size < bits for size in self.seen):
            return True
        return False if self.whole else None


@dataclass(frozen=True, slots=True)
class Material:
    """What the rules and the scores are computed from.

    "Used" means that a browser would get it (see docs/grade.md), the rest that the server has it at all.

    Attributes:
        protocols: whether each is accepted; missing is not known.
        ciphers: of the symmetric ciphers of all accepted suites; 0 for none.
        keys: of the keys of the certificates, as an RSA key of the same strength.
        primes: of finite-field key exchanges.
        anonymous: suites without any certificate.
        export: suites that were made weak for export.
        rc4: suites with RC4 at all.
        only_rc4: no other suites.
        rc4_used: in TLS 1.1 or newer.
        small_blocks_used: ciphers with blocks of 64 bits, in TLS 1.1 or newer.
        forward_secrecy_used: by every browser.
        aead_used: likewise.
        md5_signature: MD2 or MD5, in a certificate that clients go by, a root's own aside.
        sha1_signature: likewise with SHA-1.
        chain_complete: no intermediate is missing.
        trusted: nothing but a missing intermediate and the name speaks against any of the certificates.
        name_match: all carry the name of the service.
        secure_renegotiation: RFC 5746; true as well where there is no renegotiation.
        heartbleed, ccs_injection, robot, drown, poodle, crime, insecure_renegotiation: the server is open to it.
    """

    protocols: Mapping[Protocol, bool | None]
    ciphers: Sizes
    keys: Sizes
    primes: Sizes
    anonymous: bool | None
    export: bool | None
    rc4: bool | None
    only_rc4: bool | None
    rc4_used: bool | None
    small_blocks_used: bool | None
    forward_secrecy_used: bool | None
    aead_used: bool | None
    md5_signature: bool | None
    sha1_signature: bool | None
    chain_complete: bool | None
    trusted: bool | None
    name_match: bool | None
    secure_renegotiation: bool | None
    hsts: HstsRating | None
    heartbleed: bool | None
    ccs_injection: bool | None
    robot: bool | None
    drown: bool | None
    poodle: bool | None
    crime: bool | None
    insecure_renegotiation: bool | None

    def any_accepted(self, *protocols: Protocol) -> bool | None:
        """Whether one of these is."""
        return any_of(self.protocols.get(protocol) for protocol in protocols)
