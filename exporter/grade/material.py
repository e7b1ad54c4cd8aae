"""The input of the grade: plain values, None where something is not known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from exporter.model import Protocol
from exporter.ternary import any_of

LONG_HSTS_DAYS = 180
"""The guide says six months; testssl.sh also takes 180 days for that."""


class HstsRating(Enum):
    """How the guide rates a server's HSTS header."""

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
        seen: the sizes that are known.
        whole: whether these are all.
    """

    seen: tuple[int, ...]
    whole: bool

    def below(self, bits: int) -> bool | None:
        """Whether a size is smaller than this; None when an unknown one may be."""
        if any(size < bits for size in self.seen):
            return True
        return False if self.whole else None


@dataclass(frozen=True, slots=True)
class Material:
    """What the rules and the scores are computed from.

    "Used" means that a browser would get it (see docs/grade.md). The other attributes mean that the server has it at
    all.

    Attributes:
        protocols: whether each is accepted; a missing one is not known.
        ciphers: sizes of the symmetric ciphers of all accepted suites; 0 for none.
        keys: sizes of the keys of the certificates, as RSA keys of the same strength.
        primes: sizes of the primes of finite-field key exchanges.
        anonymous: suites without a certificate.
        export: suites weakened for export.
        rc4: suites with RC4.
        only_rc4: no other suites.
        rc4_used: in TLS 1.1 or newer.
        small_blocks_used: ciphers with blocks of 64 bits, in TLS 1.1 or newer.
        forward_secrecy_used: every browser gets it.
        aead_used: every browser gets it.
        md5_signature: MD2 or MD5 in the signature of a certificate that clients use, except a root.
        sha1_signature: the same for SHA-1.
        chain_complete: no intermediate is missing.
        trusted: all certificates are trusted, apart from a missing intermediate and the name.
        name_match: all certificates have the name of the service.
        secure_renegotiation: RFC 5746; also true where there is no renegotiation.
        heartbleed, ccs_injection, robot, drown, poodle, crime, insecure_renegotiation: the attack works.
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
        """Whether one of these is accepted; None when it is not known."""
        return any_of(self.protocols.get(protocol) for protocol in protocols)
