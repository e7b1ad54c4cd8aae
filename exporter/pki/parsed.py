"""Certificates as OpenSSL takes them: a part that cannot be read does not take the others away."""

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
    """One certificate. It is equal to another one with the same bytes.

    Attributes:
        der: as OpenSSL writes it: as it was served, except for lengths that are no DER.
        read: what is read of it: the certificate itself, or a copy that cryptography can read.
        original: whether it is the certificate itself.
        unreadable: parts that cannot be read, or only partly -> why.
        lost: extensions that are there, and not in `read`, or not with all that clients may read in them.
    """

    der: bytes
    read: x509.Certificate
    original: bool = True
    unreadable: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lost: frozenset[x509.ObjectIdentifier] = frozenset()

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "Certificate":
        """One that cryptography has taken in, in whole or in part.

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
        """The SubjectPublicKeyInfo as it is written in the certificate, which is what TLSA records are of."""
        return readable.split(self.der).key.whole

    def extension(self, kind: type[E]) -> E | None:
        """The extension of this kind; None when there is none.

        Raises:
            UnreadableError: there is one, or several, and what it says cannot be read.
        """
        if kind.oid in self.lost:
            raise UnreadableError(f"{readable.title(kind.oid)} cannot be read")
        return self.readable(kind)

    def readable(self, kind: type[E]) -> E | None:
        """What can be read of the extension of this kind; None when that is nothing, or there is none."""
        try:
            return self.read.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether the issuer's key made its signature, and its name is the issuer's."""
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
    """A certificate in DER, or in what OpenSSL takes for it.

    Raises:
        ValueError: it is none, or its dates cannot be read.
    """
    certificate = readable.load(data)
    if certificate is not None:
        return Certificate(data, certificate)
    from exporter.pki import openssl  # noqa: PLC0415 - see there

    written = openssl.rewritten(data)
    copy = readable.copy(written)
    return Certificate(written, copy.certificate, False, copy.unreadable, copy.lost)


def _is_directly_issued(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """As cryptography has it; False where it does not say: it checks no certificate that is signed with SHA-1.

    Raises:
        InvalidSignature: the signature does not fit.
    """
    try:
        child.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _verify(child: Certificate, issuer: Certificate) -> None:
    """Check the signature of what was signed, which the copy of a certificate is not.

    Raises:
        InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError: it does not fit, or cannot be checked.
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
            # There are no parameters for ECDSA with SHA-1, as cryptography has it.
            key.verify(signature, signed, ec.ECDSA(algorithm))
        case ((ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey()), None):
            key.verify(signature, signed)
        case _:
            raise UnsupportedAlgorithm("a key or a signature of another kind")
