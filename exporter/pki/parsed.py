"""Certificates as OpenSSL accepts them: one part that cannot be parsed does not make the others unavailable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID

from exporter.pki import readable
from exporter.pki.der import UnreadableError

E = TypeVar("E", bound=x509.ExtensionType)

UNREADABLE = readable.UNREADABLE

_CLASSIC_KEYS = frozenset(
    {
        PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5,
        PublicKeyAlgorithmOID.RSASSA_PSS,
        PublicKeyAlgorithmOID.EC_PUBLIC_KEY,
        PublicKeyAlgorithmOID.DSA,
        PublicKeyAlgorithmOID.ED25519,
        PublicKeyAlgorithmOID.ED448,
    }
)
"""Kinds of keys that every supported release of cryptography reads. It reads ML-DSA from 48 on."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certificate, equal to another one with the same bytes.

    Attributes:
        der: as OpenSSL encodes it: the bytes as served, except for lengths that are not DER.
        read: what is parsed of it: the certificate itself, or a copy that cryptography can parse.
        original: whether `read` is the certificate itself.
        unreadable: parts that cannot be parsed, or only partly -> why.
        lost: extensions that are present but not in `read`, or not with everything that clients may find in them.
    """

    der: bytes
    read: x509.Certificate
    original: bool = True
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lost: frozenset[x509.ObjectIdentifier] = frozenset()

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Certificate":
        """A certificate that cryptography has loaded, perhaps with parts that it cannot parse.

        Raises:
            ValueError: as `parse`.
        """
        return parse(certificate.public_bytes(Encoding.DER))

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo as encoded in the certificate, which TLSA records refer to."""
        return readable.split(self.der).key.whole

    def extension(self, kind: type[E]) -> E | None:
        """The extension of this kind; None if there is none.

        Raises:
            UnreadableError: there is one, or several, but its content cannot be parsed.
        """
        if kind.oid in self.lost:
            raise UnreadableError(f"{readable.title(kind.oid)} cannot be read")
        return self.readable(kind)

    def readable(self, kind: type[E]) -> E | None:
        """The readable part of the extension of this kind; None if nothing is readable, or there is none."""
        try:
            return self.read.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether it was signed by the issuer's key, and names the issuer."""
        try:
            if self.read.issuer != issuer.read.subject:
                return False
            if self.original and issuer.original and _is_directly_issued(self.read, issuer.read):
                return True
            _verify(self, issuer)
        except (*UNREADABLE, InvalidSignature):
            return False
        return True


def parse(data: bytes) -> Certificate:
    """Parse a certificate in DER, or in what OpenSSL accepts as DER.

    Raises:
        ValueError: it is not a certificate, or its dates cannot be parsed.
    """
    certificate = readable.load(data)
    if certificate is not None:
        return Certificate(data, certificate)
    from exporter.pki import openssl  # noqa: PLC0415 - see there

    written = openssl.rewritten(data)
    copy = readable.copy(written)
    return Certificate(written, copy.certificate, False, copy.unreadable, copy.lost)


def _is_directly_issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Cryptography's answer; False if it has none, as for certificates that are signed with SHA-1.

    Raises:
        InvalidSignature: the signature does not match.
    """
    try:
        child.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _verify(child: Certificate, issuer: Certificate) -> None:
    """Verify the signature over the signed bytes of the original, which differ from those of a copy.

    Raises:
        InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError: it does not match, or cannot be verified.
    """
    if issuer.read.public_key_algorithm_oid not in _CLASSIC_KEYS:
        from exporter.pki import openssl  # noqa: PLC0415 - see there

        openssl.verify(child.der, issuer.der)
        return
    key, signed = issuer.read.public_key(), readable.split(child.der).signed
    signature, parameters = child.read.signature, child.read.signature_algorithm_parameters
    algorithm = child.read.signature_hash_algorithm
    match key, parameters:
        case rsa.RSAPublicKey(), padding.PKCS1v15() | padding.PSS() if algorithm is not None:
            key.verify(signature, signed, parameters, algorithm)
        case ec.EllipticCurvePublicKey(), ec.ECDSA() | None if algorithm is not None:
            # For ECDSA with SHA-1, cryptography returns no parameters.
            key.verify(signature, signed, ec.ECDSA(algorithm))
        case ((ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey()), None):
            key.verify(signature, signed)
        case _:
            raise UnsupportedAlgorithm("the kind of key or signature is not supported")
