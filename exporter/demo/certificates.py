"""Creates a certification authority and leaf certificates for the demonstration."""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(path: Path, certificates: list[x509.Certificate], key: Key | None = None) -> Path:
    pem = serialization.Encoding.PEM
    data = b"".join(certificate.public_bytes(pem) for certificate in certificates)
    if key is not None:
        data += key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


class Authority:
    """A certification authority for the time of the demonstration.

    Attributes:
        bundle: PEM file of its certificate.
    """

    def __init__(self, folder: Path, now: datetime) -> None:
        self._folder, self._now = folder, now
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name("TLS Posture Exporter demo CA")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        public = self._key.public_key()
        self._certificate = (
            self._builder(name, name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = _pem(folder / "ca.pem", [self._certificate])

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        days: tuple[int, int] = (1, 30),
    ) -> x509.CertificateBuilder:
        """A certificate that began and that ends so many days from now."""
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=days[0]))
            .not_valid_after(self._now + timedelta(days=days[1]))
        )

    def issue(self, host: str, key: Key, file: str, *, days: tuple[int, int] = (1, 30)) -> Path:
        """Issue a leaf for the host that began and that ends so many days from now.

        Returns the PEM file with certificate and key.
        """
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._builder(_name(host), self._certificate.subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _pem(self._folder / file, [certificate], key)
