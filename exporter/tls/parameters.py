"""What is negotiated in addition to the suite: groups, signature schemes, application protocols, finite-field primes.

Codes and names are IANA's ("TLS Supported Groups", "TLS SignatureScheme", "TLS ALPN Protocol IDs"), through
CryptoDataHub if it has them. The order is the one in which they are offered.
"""

from functools import cache

from exporter.tls import registered

_OWN_SPELLINGS = {
    0x1A: "brainpoolP256r1",
    0x1B: "brainpoolP384r1",
    0x1C: "brainpoolP512r1",
    0x22: "GC256A",
    0x23: "GC256B",
    0x24: "GC256C",
    0x25: "GC256D",
    0x26: "GC512A",
    0x27: "GC512B",
    0x28: "GC512C",
    0x29: "curveSM2",
}
"""Names that IANA does not write in lower case."""
_BRAINPOOL_TLS13 = {0x1F: "brainpoolP256r1tls13", 0x20: "brainpoolP384r1tls13", 0x21: "brainpoolP512r1tls13"}
"""RFC 8734."""
FFDHE = {0x0100: "ffdhe2048", 0x0101: "ffdhe3072", 0x0102: "ffdhe4096", 0x0103: "ffdhe6144", 0x0104: "ffdhe8192"}
"""RFC 7919."""
ML_KEM = {
    0x11EC: "X25519MLKEM768",
    0x11EB: "SecP256r1MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x11EE: "curveSM2MLKEM768",
    0x0200: "MLKEM512",
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
}
"""Hybrids (draft-ietf-tls-ecdhe-mlkem, draft-yang-tls-hybrid-sm2-mlkem), then pure ones (draft-ietf-tls-mlkem)."""
_KYBER_DRAFTS = {0x6399: "X25519Kyber768Draft00", 0x639A: "SecP256r1Kyber768Draft00"}
"""Obsolete predecessors that some servers still have; their key encapsulation is not ML-KEM."""

_CURVE_NAMES = {code: _OWN_SPELLINGS.get(code, name) for code, name in registered.CURVES.items()}
GROUP_NAMES: dict[int, str] = {**_CURVE_NAMES, **_BRAINPOOL_TLS13, **FFDHE, **ML_KEM, **_KYBER_DRAFTS}
POST_QUANTUM_GROUPS = frozenset(ML_KEM.values())
"""Names of the groups that resist a quantum computer (FIPS 203)."""

USUAL_CURVES = (0x0018, 0x0017, 0x001D, 0x0019, 0x001E)
"""secp384r1, secp256r1, X25519, secp521r1, X448 (RFC 8446, 4.2.7). They come first, for servers that read only a few.
Few servers prefer this order, so the server's first choice already shows whether it was the server's own."""
MONTGOMERY_CURVES = frozenset({0x001D, 0x001E})
"""X25519 and X448: no certificate has a key for them (RFC 7748)."""
CLASSIC_GROUPS = (*USUAL_CURVES, *sorted(code for code in _CURVE_NAMES if code not in USUAL_CURVES))
"""Groups up to TLS 1.2, without finite fields. If finite-field groups are offered, a server that supports RFC 7919 does
not use its own primes. If it shares no such group with the client, it accepts no DHE suite at all. Most clients do not
offer them."""
_SINCE_TLS13 = tuple(code for code in sorted(_CURVE_NAMES) if 0x22 <= code <= 0x29)
"""The curves of GOST and SM2 (RFC 9367, RFC 8998)."""
TLS13_GROUPS = (*USUAL_CURVES, *ML_KEM, *FFDHE, *_KYBER_DRAFTS, *_BRAINPOOL_TLS13, *_SINCE_TLS13)
"""Without the older curves: a TLS 1.3 hello must not offer them (RFC 8446, 4.2.7), and tlslite-ng refuses such a
hello."""
USUAL_TLS13_GROUPS = frozenset({*USUAL_CURVES, *FFDHE})

USUAL_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0603, 0x0807, 0x0203, 0x0201)
"""ECDSA and RSA with SHA-2, Ed25519, then SHA-1 (RFC 8446, 4.2.3): both kinds of certificate are always requested."""
SCHEMES = (*USUAL_SCHEMES, *sorted(code for code in registered.SCHEMES if code not in USUAL_SCHEMES))
_SCHEME_SPELLINGS = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0708: "sm2sig_sm3",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
}
"""IANA's spelling if CryptoDataHub's differs. Up to TLS 1.2 the curve in a name has no meaning (RFC 8446, 4.2.3)."""
SCHEME_NAMES: dict[int, str] = registered.SCHEMES | _SCHEME_SPELLINGS

APPLICATION_PROTOCOLS = (
    *("h2", "http/1.1", "http/1.0", "http/0.9", "spdy/3.1", "spdy/3"),
    *("smtp", "esmtp", "imap", "pop3", "managesieve", "ftp", "xmpp-client", "xmpp-server", "nntp", "irc", "postgresql"),
    *("mqtt", "dot", "sip/2", "coap", "tds/8.0", "ntske/1", "smb"),
)
"""Protocols of services over TCP, with Exim's two, which IANA does not have. Without acme-tls/1, which servers answer
with another certificate (RFC 8737)."""


def for_ecdsa_key(scheme: int) -> bool:
    """Whether a signature scheme is ECDSA's, with any hash (RFC 5246, 7.4.1.4.1)."""
    return scheme & 0xFF == 0x03 and scheme < 0x0700


def for_rsa_key(scheme: int) -> bool:
    """Whether a signature scheme is for a plain RSA key, PKCS #1 or PSS (RFC 8446, 4.2.3)."""
    return (scheme & 0xFF == 0x01 and scheme < 0x0700) or scheme in {0x0804, 0x0805, 0x0806}


def group_name(code: int) -> str:
    """IANA name of a group, or its number if the name is not known here."""
    return GROUP_NAMES.get(code, f"0x{code:04X}")


def scheme_name(code: int) -> str:
    """IANA name of a signature scheme, or its number if the name is not known here."""
    return SCHEME_NAMES.get(code, f"0x{code:04X}")


@cache
def _known_primes() -> dict[int, str]:
    """Prime -> its source."""
    return {prime: name for name, primes in registered.PRIMES.items() for prime in primes}


def prime_name(prime: int) -> str | None:
    """The source of a prime that many servers share; None for any other prime."""
    return _known_primes().get(prime)
