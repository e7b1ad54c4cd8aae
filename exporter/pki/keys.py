"""Keys in certificates: their kinds, named in one place."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import PublicKeyAlgorithmOID

from exporter.pki.parsed import Certificate, parse

RSA, EC, DSA, ED25519, ED448 = "RSA", "EC", "DSA", "Ed25519", "Ed448"
_ALGORITHMS: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, RSA),
    (ec.EllipticCurvePublicKey, EC),
    (dsa.DSAPublicKey, DSA),
    (ed25519.Ed25519PublicKey, ED25519),
    (ed448.Ed448PublicKey, ED448),
)
ALGORITHMS = tuple(name for _, name in _ALGORITHMS)
"""Label values of `key_algorithm`; any other kind of key is named by its object identifier."""

UNKNOWN = "unknown"
"""The kind of a key that cannot be parsed, and the value of other parts of a certificate that cannot be parsed."""

PSS = "RSA-PSS"

ML_DSA: Mapping[ObjectIdentifier, str] = {
    ObjectIdentifier("2.16.840.1.101.3.4.3.17"): "MLDSA44",
    ObjectIdentifier("2.16.840.1.101.3.4.3.18"): "MLDSA65",
    ObjectIdentifier("2.16.840.1.101.3.4.3.19"): "MLDSA87",
}
"""Identifiers of keys, and of the signatures that they make (RFC 9881, 2) -> `PublicKey.kind`. cryptography reads such
keys from release 48 on. OpenSSL reads them from 3.5 on, which cryptography 46 has."""

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
"""Names of RFC 8422, 5.1.1 -> names of FIPS 186-4, D.1.2, which are used for keys in certificates."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key.

    Attributes:
        algorithm: one of `ALGORITHMS`, the object identifier of another one, or `UNKNOWN`.
        size_bits: None if the algorithm has only one size.
        curve: of an EC key: `P-256`, ..., or OpenSSL's name of another curve.
        kind: a server usually has one certificate of each kind: `RSA`, `RSA-PSS`, `ECDSA P-256`, `Ed25519`. It does not
            include the size of an RSA key.
    """

    algorithm: str
    size_bits: int | None
    curve: str | None
    kind: str


def read_key(certificate: Certificate) -> PublicKey:
    """The key in a certificate.

    Raises:
        ValueError: it cannot be parsed, or its curve or kind is not known here.
    """
    oid = certificate.read.public_key_algorithm_oid
    pss = oid == PublicKeyAlgorithmOID.RSASSA_PSS
    try:
        key = certificate.read.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        if pss:  # its parameters may not be supported, but its kind is clear
            return PublicKey(RSA, None, None, PSS)
        if oid in ML_DSA and _openssl_reads_key(certificate):
            return PublicKey(oid.dotted_string, None, None, ML_DSA[oid])
        raise ValueError(str(error)) from error
    algorithm = next((name for kind, name in _ALGORITHMS if isinstance(key, kind)), None)
    curve = CURVES.get(key.curve.name, key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None
    if curve is not None:
        kind = f"ECDSA {curve}"
    elif pss:
        kind = PSS
    else:
        kind = algorithm or type(key).__name__.removesuffix("PublicKey")
    return PublicKey(algorithm or oid.dotted_string, getattr(key, "key_size", None), curve, kind)


def _openssl_reads_key(certificate: Certificate) -> bool:
    from exporter.pki import openssl  # noqa: PLC0415 - see there

    try:
        openssl.public_key(certificate.der)
    except ValueError:
        return False
    return True


def key_kind(certificate: bytes) -> str | None:
    """Kind of the key in a DER certificate; None if it cannot be parsed."""
    try:
        found = parse(certificate)
        return None if "key" in found.unreadable else read_key(found).kind
    except Exception:  # noqa: BLE001 - a border: hostile bytes may raise anything in the parser
        return None
