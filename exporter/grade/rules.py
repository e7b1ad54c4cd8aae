"""The rules of the guide that are not numeric, as one table. docs/grade.md is generated from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.grade.letters import Letter
from exporter.grade.material import LONG_HSTS_DAYS, HstsRating, Material
from exporter.model import Protocol
from exporter.ternary import all_of, any_of, negated

REVISION: Final = "2009r"
"""Revision of the guide of 16 May 2025."""

GUIDE = "SSL Server Rating Guide, text of 2009k"
QUALYS_2017 = "Qualys blog, Announcing SSL Labs Grading Changes for 2017, 16 November 2016"
QUALYS_2018 = "Qualys blog, SSL Labs Grading Changes January 2018"
TESTSSL = "testssl.sh, documentation of its rating, which has it from SSL Labs"
QUOTED = "the guide as testssl.sh's pull request 2830 quotes it"
WIKI = "the guide's wiki, 2020-01-31"

INSECURE_KEY_BITS = 1024
WEAK_KEY_BITS = 2048
WEAK_CIPHER_BITS = 112


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: label value of `capped_by`.
        effect: the best letter where the rule applies; T and M replace any letter.
        revision: revision of the guide that has this effect; `?` where it could not be found out.
        source: where the rule is written.
        description: what the rule applies to, after "a server that".
        remedy: what would make the rule not apply.
        applies: whether it applies to the material; None when that is not known.
    """

    name: str
    effect: Letter
    revision: str
    source: str
    description: str
    remedy: str
    applies: Callable[[Material], bool | None]


def _hsts(*kinds: HstsRating) -> Callable[[Material], bool | None]:
    return lambda m: None if m.hsts is None else m.hsts in kinds


_NEWER_THAN_SSL3 = (Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2, Protocol.TLS1_3)

RULES: tuple[Rule, ...] = (
    # --- outside the scale
    Rule(
        "not_trusted",
        Letter.T,
        "?",
        GUIDE,
        "has a certificate that is not trusted: expired, not yet valid, self-signed, of an unknown authority, revoked",
        "serve a valid certificate of a trusted authority, or name your own in `ca_file`",
        lambda m: negated(m.trusted),
    ),
    Rule(
        "name_mismatch",
        Letter.M,
        "?",
        GUIDE,
        "has a certificate that does not carry its name",
        "serve a certificate with the name of the service",
        lambda m: negated(m.name_match),
    ),
    # --- F
    Rule(
        "ssl2",
        Letter.F,
        "2009c",
        GUIDE,
        "accepts SSLv2",
        "refuse SSLv2",
        lambda m: m.any_accepted(Protocol.SSL2),
    ),
    Rule(
        "insecure_renegotiation",
        Letter.F,
        "2009c",
        GUIDE,
        "lets clients renegotiate without RFC 5746",
        "support RFC 5746, or refuse renegotiation",
        lambda m: m.insecure_renegotiation,
    ),
    Rule(
        "insecure_key",
        Letter.F,
        "2009e",
        GUIDE,
        "has a key, or a prime of a key exchange, of less than 1024 bits",
        "use keys and primes of 2048 bits or more",
        lambda m: any_of((m.keys.below(INSECURE_KEY_BITS), m.primes.below(INSECURE_KEY_BITS))),
    ),
    Rule(
        "md5_signature",
        Letter.F,
        "2009e",
        GUIDE,
        "has a certificate that is signed with MD2 or MD5",
        "have the certificate reissued, with SHA-256",
        lambda m: m.md5_signature,
    ),
    Rule(
        "only_ssl3",
        Letter.F,
        "2009i",
        GUIDE,
        "accepts nothing better than SSLv3",
        "accept TLSv1.2 and TLSv1.3",
        lambda m: all_of((m.any_accepted(Protocol.SSL3), negated(m.any_accepted(*_NEWER_THAN_SSL3)))),
    ),
    Rule(
        "only_rc4",
        Letter.F,
        "2009k",
        GUIDE,
        "accepts no suites but those with RC4",
        "accept suites with AES-GCM or ChaCha20, and none with RC4",
        lambda m: m.only_rc4,
    ),
    Rule(
        "drown",
        Letter.F,
        "?",
        TESTSSL,
        "is open to DROWN (CVE-2016-0800), by itself or by another target that has the same key",
        "refuse SSLv2 wherever the key is used",
        lambda m: m.drown,
    ),
    Rule(
        "heartbleed",
        Letter.F,
        "?",
        TESTSSL,
        "is open to Heartbleed (CVE-2014-0160)",
        "update OpenSSL, and replace key and certificate",
        lambda m: m.heartbleed,
    ),
    Rule(
        "ccs_injection",
        Letter.F,
        "?",
        TESTSSL,
        "is open to CCS injection (CVE-2014-0224)",
        "update OpenSSL",
        lambda m: m.ccs_injection,
    ),
    Rule(
        "robot",
        Letter.F,
        "?",
        QUALYS_2018,
        "is open to ROBOT (CVE-2017-13099 and others)",
        "accept no suites with RSA key exchange, or update",
        lambda m: m.robot,
    ),
    Rule(
        "export_suites",
        Letter.F,
        "?",
        TESTSSL,
        "accepts suites that were made weak for export",
        "accept no export suites",
        lambda m: m.export,
    ),
    Rule(
        "anonymous_suites",
        Letter.F,
        "2009k",
        GUIDE,
        "accepts suites without a certificate (score 0 in key exchange, so 0 in all)",
        "accept no anonymous suites",
        lambda m: m.anonymous,
    ),
    Rule(
        "weak_ciphers",
        Letter.F,
        "?",
        TESTSSL,
        "accepts suites with a cipher of less than 112 bits, or none",
        "accept no suites with such ciphers",
        lambda m: m.ciphers.below(WEAK_CIPHER_BITS),
    ),
    # --- C
    Rule(
        "poodle",
        Letter.C,
        "2009g",
        GUIDE,
        "is open to POODLE (CVE-2014-3566): suites in CBC mode in SSLv3",
        "refuse SSLv3",
        lambda m: m.poodle,
    ),
    Rule(
        "crime",
        Letter.C,
        "2009j",
        GUIDE,
        "accepts TLS compression (CRIME, CVE-2012-4929)",
        "switch TLS compression off",
        lambda m: m.crime,
    ),
    Rule(
        "no_tls12",
        Letter.C,
        "2009j",
        GUIDE,
        "accepts neither TLSv1.2 nor TLSv1.3",
        "accept TLSv1.2 and TLSv1.3",
        lambda m: negated(m.any_accepted(Protocol.TLS1_2, Protocol.TLS1_3)),
    ),
    Rule(
        "rc4_used",
        Letter.C,
        "2009j",
        GUIDE,
        "uses RC4 with browsers in TLSv1.1 or newer",
        "accept no suites with RC4",
        lambda m: m.rc4_used,
    ),
    Rule(
        "small_blocks_used",
        Letter.C,
        "?",
        QUALYS_2017,
        "uses a cipher with blocks of 64 bits (3DES) with browsers in TLSv1.1 or newer",
        "accept no suites with 3DES, or only behind all others",
        lambda m: m.small_blocks_used,
    ),
    # --- B
    Rule(
        "rc4",
        Letter.B,
        "2009i",
        GUIDE,
        "accepts suites with RC4",
        "accept no suites with RC4",
        lambda m: m.rc4,
    ),
    Rule(
        "ssl3",
        Letter.B,
        "2009h",
        GUIDE,
        "accepts SSLv3",
        "refuse SSLv3",
        lambda m: m.any_accepted(Protocol.SSL3),
    ),
    Rule(
        "tls10",
        Letter.B,
        "2009q",
        WIKI,
        "accepts TLSv1.0",
        "refuse TLSv1.0",
        lambda m: m.any_accepted(Protocol.TLS1_0),
    ),
    Rule(
        "tls11",
        Letter.B,
        "2009q",
        WIKI,
        "accepts TLSv1.1",
        "refuse TLSv1.1",
        lambda m: m.any_accepted(Protocol.TLS1_1),
    ),
    Rule(
        "weak_key",
        Letter.B,
        "2009e",
        GUIDE,
        "has a key of less than 2048 bits",
        "use keys of 2048 bits or more",
        lambda m: m.keys.below(WEAK_KEY_BITS),
    ),
    Rule(
        "weak_prime",
        Letter.B,
        "2009j",
        GUIDE,
        "has a prime of less than 2048 bits in a key exchange",
        "use primes of 2048 bits or more, or no finite-field Diffie-Hellman",
        lambda m: m.primes.below(WEAK_KEY_BITS),
    ),
    Rule(
        "incomplete_chain",
        Letter.B,
        "2009i",
        GUIDE,
        "leaves out an intermediate certificate",
        "serve the intermediate certificates",
        lambda m: negated(m.chain_complete),
    ),
    Rule(
        "no_forward_secrecy",
        Letter.B,
        "?",
        QUALYS_2018,
        "does not use forward secrecy with all browsers",
        "accept ECDHE suites, before all others",
        lambda m: negated(m.forward_secrecy_used),
    ),
    Rule(
        "no_aead",
        Letter.B,
        "?",
        QUALYS_2018,
        "does not use AEAD (GCM, ChaCha20-Poly1305) with all browsers",
        "accept suites with AES-GCM or ChaCha20-Poly1305, before all others",
        lambda m: negated(m.aead_used),
    ),
    # --- A-
    Rule(
        "no_secure_renegotiation",
        Letter.A_MINUS,
        "2009e",
        GUIDE,
        "has renegotiation, and not RFC 5746",
        "support RFC 5746",
        lambda m: negated(m.secure_renegotiation),
    ),
    Rule(
        "no_tls13",
        Letter.A_MINUS,
        "2009r",
        QUOTED,
        "does not accept TLSv1.3",
        "accept TLSv1.3",
        lambda m: negated(m.any_accepted(Protocol.TLS1_3)),
    ),
    Rule(
        "bad_hsts",
        Letter.A_MINUS,
        "2009r",
        QUOTED,
        "sends an HSTS header that is not valid, or has max-age=0",
        f"send a valid HSTS header with a max-age of {LONG_HSTS_DAYS} days or more",
        _hsts(HstsRating.INVALID, HstsRating.DISABLED),
    ),
    # --- no A+
    Rule(
        "sha1_signature",
        Letter.A,
        "2009f",
        GUIDE,
        "has a certificate that is signed with SHA-1",
        "have the certificate reissued, with SHA-256",
        lambda m: m.sha1_signature,
    ),
    Rule(
        "no_long_hsts",
        Letter.A,
        "2009e",
        GUIDE,
        f"sends no HSTS header, or one with a max-age of less than {LONG_HSTS_DAYS} days",
        f"send an HSTS header with a max-age of {LONG_HSTS_DAYS} days or more",
        _hsts(HstsRating.ABSENT, HstsRating.INVALID, HstsRating.DISABLED, HstsRating.SHORT),
    ),
)
"""Order in which `capped_by` is chosen among several rules that lead to the same letter."""


@dataclass(frozen=True, slots=True)
class Omission:
    """A rule of the guide, or of SSL Labs, that is not implemented.

    A server that it applies to gets a better letter.
    """

    what: str
    effect: Letter
    why: str


NOT_LOOKED_AT: tuple[Omission, ...] = (
    Omission("POODLE against TLS (CVE-2014-8730)", Letter.F, "has to be tried, and is not tried yet"),
    Omission("Ticketbleed (CVE-2016-9244)", Letter.F, "has to be tried, and is not tried yet"),
    Omission("OpenSSL padding oracle (CVE-2016-2107)", Letter.F, "has to be tried, and is not tried yet"),
    Omission(
        "GOLDENDOODLE, Zombie POODLE, Sleeping POODLE, 0-length padding oracle (CVE-2019-1559)",
        Letter.F,
        "have to be tried, and are not tried yet",
    ),
    Omission("keys of Debian's OpenSSL (CVE-2008-0166)", Letter.F, "needs lists of these keys"),
    Omission("revocation that no stapled OCSP response shows", Letter.T, "nothing is fetched from authorities"),
    Omission(
        "roots of Symantec's", Letter.T, "current trust stores do not have them any more, so they are not trusted"
    ),
)
