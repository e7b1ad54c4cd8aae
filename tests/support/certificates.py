"""Certificates of every kind, and the certificate probe run against a server that serves them."""

import asyncio
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto

from exporter.facts.certificate import CertificateFacts
from exporter.model import Facts, Target
from exporter.pki.parsed import Certificate
from exporter.probes.certificate import PROBE
from tests.support.targets import NOW, make_session, make_target

DAY = timedelta(days=1)
HOST = "www.test.example"
AIA = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.test.example/ca.der")
        )
    ]
)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: Key

    @property
    def parsed(self) -> Certificate:
        """In the form that probes use."""
        return Certificate.of(self.certificate)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def with_hash(self, name: str, by: "Issued") -> "Issued":
        """The same certificate, signed with a hash that cryptography no longer supports for signing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = crypto.X509.from_cryptography(self.certificate)
            old.sign(crypto.PKey.from_cryptography_key(by.key), name)
        return Issued(old.to_cryptography(), self.key)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def issue(
    subject: str,
    by: Issued | None = None,
    *,
    names: Sequence[x509.GeneralName] = (),
    ca: bool = False,
    valid: tuple[datetime, datetime] = (NOW - DAY, NOW + 30 * DAY),
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    key: Key | None = None,
    organisation: str | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """Make a certificate, self-signed without an issuer. Authorities get no key usage, like many private ones."""
    key = key or p256()
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    name = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signer = by.key if by else key
    return Issued(builder.sign(signer, signing_hash(signer)), key)


def with_rsa(bits: int, exponent_bits: int, serial: int = 1, subject: str = "alike") -> Certificate:
    """A certificate with the same name as subject and issuer, and an RSA key of this size that nobody can sign with."""
    key = rsa.RSAPublicNumbers((1 << exponent_bits) - 1, (1 << bits) - 1).public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key).serial_number(serial)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    return Certificate.of(builder.sign(p256(), hashes.SHA256()))


def signing_hash(key: Key) -> hashes.SHA256 | None:
    """The hash of signatures; None for keys whose signature algorithm includes one."""
    return hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else None


def dns(*names: str) -> tuple[x509.GeneralName, ...]:
    return tuple(x509.DNSName(name) for name in names)


def pem_file(path: Path, *issued: Issued, key: Issued | None = None) -> Path:
    """These certificates, and the key of one of them."""
    path.write_bytes(b"".join(one.pem() for one in issued) + (key.key_pem() if key else b""))
    return path


def run_probe(target: Target, known: Facts | None = None, now: datetime = NOW) -> tuple[CertificateFacts, int]:
    """The facts of the probe, and the number of connections."""

    async def run() -> tuple[CertificateFacts, int]:
        session = make_session(target, known=known, now=now)
        return await PROBE.run(session), session.dialer.connections

    return asyncio.run(run())


def server_context(file: Path, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A server with the certificates and the key of a file, without OpenSSL's check of their strength."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = newest
    context.load_cert_chain(file)
    return context


def probe_served(
    context: ssl.SSLContext,
    known: Facts | None = None,
    **changes: Any,  # noqa: ANN401 - any field of Target
) -> tuple[CertificateFacts, int]:
    """The facts of the probe about a server that closes every session, and the number of connections."""

    async def run() -> tuple[CertificateFacts, int]:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        session = make_session(make_target(server.sockets[0].getsockname()[1], **changes), known=known)
        try:
            return await PROBE.run(session), session.dialer.connections
        finally:
            server.close()

    return asyncio.run(run())
