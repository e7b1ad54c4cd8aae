"""How long it takes to verify the signatures of a chain, estimated before it is done.

A server can send certificates that all have the same name. Each may then have issued each other, and only their
signatures show which did. Its keys can be as slow as libraries allow. In the meantime cryptography holds the
interpreter's lock.
"""

from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exporter.pki.chain import MOST_LINKED
from exporter.pki.parsed import UNREADABLE, Certificate

MOST_SECONDS = 0.1
"""Of one chain. A chain of four with keys of RSA 4096 takes 0.001 s. Sixteen certificates of one name take 0.02 s with
RSA 4096, and 2 s with the slowest keys that OpenSSL accepts."""

_RSA_SECONDS = 3e-13
"""CPU time of one verification, for each bit of the exponent and each two bits of the modulus. OpenSSL 4.0 takes
0.0084 s with 3,072 bits and an exponent as long, 0.0065 s with 16,384 and 64 bits, which are its limits (rsa.h)."""
_EC_SECONDS, _EC_BITS = 0.00025, 256
"""On a curve of this size; it grows with the third power. brainpoolP512r1, the slowest, takes 0.002 s."""
_OTHER_SECONDS = 0.0006
"""ML-DSA-87. Ed25519 and Ed448 take less."""


def effort_seconds(chain: Sequence[Certificate]) -> float:
    """Upper bound of the CPU time for the signatures of a chain, leaf first."""
    costs = [_seconds(certificate) for certificate in chain]
    names = [_names(certificate) for certificate in chain]
    alone = sum(cost for cost, (issuer, subject) in zip(costs, names, strict=True) if issuer == subject)
    distinct = list({certificate: place for place, certificate in reversed(list(enumerate(chain)))}.values())
    linked = sorted(distinct)[:MOST_LINKED]
    return alone + sum(costs[parent] for parent in linked for child in linked if names[child][0] == names[parent][1])


def _names(certificate: Certificate) -> tuple[object, object]:
    """Issuer and subject."""
    return certificate.read.issuer, certificate.read.subject


def _seconds(issuer: Certificate) -> float:
    """CPU time of verifying one signature by the key of this certificate."""
    try:
        key = issuer.read.public_key()
    except (*UNREADABLE, UnsupportedAlgorithm):
        return 0.0  # no signature is verified by it
    match key:
        case rsa.RSAPublicKey():
            return _RSA_SECONDS * key.key_size**2 * key.public_numbers().e.bit_length()
        case ec.EllipticCurvePublicKey():
            return float(_EC_SECONDS * (key.curve.key_size / _EC_BITS) ** 3)
        case _:
            return _OTHER_SECONDS
