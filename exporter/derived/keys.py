"""Which RSA keys a server has, by their digests: DROWN affects every server with the same key.

Only RSA keys count, because SSL 2 has no other kind (draft-hickman-netscape-ssl-00).
"""

from hashlib import sha256

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts
from exporter.pki.keys import RSA, UNKNOWN, read_key
from exporter.pki.parsed import parse


def served_keys(facts: Facts) -> frozenset[str]:
    """SHA-256 (hex) of the SubjectPublicKeyInfo of each RSA key that the server is known to have."""
    handshake, certificates = facts.get(HandshakeFacts), facts.get(CertificateFacts)
    digests = {_digest(chain.certificates[0]) for chain in handshake.plain_chains} if handshake else set()
    if handshake is not None and handshake.ssl2_certificate:
        digests.add(_digest(handshake.ssl2_certificate))
    if certificates is not None:
        leaves = [deployment.leaf for deployment in certificates.deployments]
        digests |= {leaf.spki_sha256 for leaf in leaves if leaf.key_algorithm == RSA}
    return frozenset(digest for digest in digests if digest is not None)


def keys_known(facts: Facts) -> bool:
    """Whether `served_keys` are all RSA keys of the server."""
    certificates = facts.get(CertificateFacts)
    if certificates is None or not certificates.deployments_complete:
        return False
    leaves = [deployment.leaf for deployment in certificates.deployments]
    return all(leaf.spki_sha256 is not None and leaf.key_algorithm != UNKNOWN for leaf in leaves)


def ssl2_keys(facts: Facts) -> frozenset[str]:
    """The keys that SSL 2 may be used with. Where there are several, each is only possible.

    Where the certificate of SSL 2 itself was not seen, it may be any that the server has.
    """
    handshake = facts.get(HandshakeFacts)
    seen = _digest(handshake.ssl2_certificate) if handshake and handshake.ssl2_certificate else None
    return served_keys(facts) if seen is None else frozenset({seen})


def _digest(certificate: bytes) -> str | None:
    """SHA-256 of the key in this certificate (DER); None when it is not an RSA key, or cannot be read."""
    try:
        leaf = parse(certificate)
        return sha256(leaf.spki).hexdigest() if read_key(leaf).algorithm == RSA else None
    except Exception:  # noqa: BLE001 - a parser may raise anything for hostile bytes
        return None
