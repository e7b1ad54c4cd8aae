"""Certificate probe: one real handshake, and the plain facts of the chain that the server sent.

Verification is done afterwards on the kept chain, so the facts stay when it fails.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as OpenSSLError

from exporter.errors import ProbeError
from exporter.model import Family, Reason, Sample
from exporter.net.tls import tls_session
from exporter.probes.base import Probe, Session
from exporter.probes.trust import TrustFailure, TrustVerdict, matches, verify


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The leaf a server presents to a modern client, and what its chain is worth. Times are UTC.

    Attributes:
        key_algorithm: RSA, EC, DSA, Ed25519, Ed448, or the object identifier of another one.
        key_size_bits: None where the algorithm has no size of its own.
        chain_not_after: earliest expiry among all served certificates.
        chain_length: number of served certificates.
        trusted: None when the trust store could not be read.
        failures: why verification fails, empty when it does not.
    """

    subject: str
    issuer: str
    serial: str
    fingerprint_sha256: str
    key_algorithm: str
    key_size_bits: int | None
    signature_algorithm: str
    not_before: datetime
    not_after: datetime
    chain_not_after: datetime
    chain_length: int
    subject_alternative_names: tuple[str, ...]
    hostname_match: bool
    trusted: bool | None
    failures: tuple[TrustFailure, ...]
    trust_detail: str


_KEYS: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (dsa.DSAPublicKey, "DSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
)


def _key(leaf: x509.Certificate) -> tuple[str, int | None]:
    other = leaf.public_key_algorithm_oid.dotted_string
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return other, None
    return next((name for kind, name in _KEYS if isinstance(key, kind)), other), getattr(key, "key_size", None)


def _signature_algorithm(leaf: x509.Certificate) -> str:
    """OpenSSL's name of the algorithm, or its object identifier where OpenSSL has none."""
    try:
        return X509.from_cryptography(leaf).get_signature_algorithm().decode("ascii", "replace")
    except ValueError:
        return leaf.signature_algorithm_oid.dotted_string


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    dns = [f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)]
    return (*dns, *(f"IP:{address}" for address in names.get_values_for_type(x509.IPAddress)))


def read_chain(chain: tuple[x509.Certificate, ...], name: str, ca_file: str | None, now: datetime) -> CertificateFacts:
    """Facts of a served chain (leaf first, at least one) for a service called `name`.

    Raises:
        ValueError: the leaf cannot be parsed.
    """
    try:
        return _read_chain(chain, name, ca_file, now)
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion, OpenSSLError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _read_chain(chain: tuple[x509.Certificate, ...], name: str, ca_file: str | None, now: datetime) -> CertificateFacts:
    leaf = chain[0]
    match = matches(leaf, name)
    try:
        verdict: TrustVerdict | None = verify(chain, ca_file, now)
        detail = verdict.detail if verdict else ""
    except (OSError, ValueError) as error:
        verdict, detail = None, f"trust store: {error}"
    failures = [] if match else [TrustFailure.NAME_MISMATCH]
    if verdict and verdict.failure:
        failures.append(verdict.failure)
    algorithm, size = _key(leaf)
    return CertificateFacts(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        fingerprint_sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        key_algorithm=algorithm,
        key_size_bits=size,
        signature_algorithm=_signature_algorithm(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        chain_not_after=min(certificate.not_valid_after_utc for certificate in chain),
        chain_length=len(chain),
        subject_alternative_names=_names(leaf),
        hostname_match=match,
        trusted=verdict.trusted if verdict else None,
        failures=tuple(failures),
        trust_detail=detail,
    )


async def _run(session: Session) -> CertificateFacts:
    target = session.target
    async with tls_session(session.dialer, alpn=[]) as tls:
        failure: ProbeError | None = None
        try:
            await tls.handshake()
        except ProbeError as error:
            failure = error
        try:
            chain = tls.chain()
        except ValueError as error:
            raise ProbeError(Reason.HANDSHAKE_ERROR, f"the chain cannot be parsed: {error}") from error
    if not chain:
        raise failure or ProbeError(Reason.HANDSHAKE_ERROR, "the server sent no certificate")
    try:
        # In a thread: a long chain with many names takes longer than the event loop may wait.
        return await asyncio.to_thread(read_chain, chain, target.verified_name, target.ca_file, session.now)
    except ValueError as error:
        raise ProbeError(Reason.HANDSHAKE_ERROR, f"the certificate cannot be parsed: {error}") from error


NOT_BEFORE = Family(
    "tls_posture_certificate_not_before_timestamp_seconds",
    "Start of validity of the leaf certificate (as of the last scan)",
)
NOT_AFTER = Family(
    "tls_posture_certificate_not_after_timestamp_seconds",
    "End of validity of the leaf certificate (as of the last scan)",
)
CHAIN_NOT_AFTER = Family(
    "tls_posture_certificate_chain_not_after_timestamp_seconds",
    "Earliest end of validity in the served chain (as of the last scan)",
)
TRUSTED = Family(
    "tls_posture_certificate_trusted",
    "Whether the served chain verifies against the configured trust store (as of the last scan)",
)
HOSTNAME_MATCH = Family(
    "tls_posture_certificate_hostname_match",
    "Whether the leaf certificate carries the server name (as of the last scan)",
)
VERIFICATION_FAILURE = Family(
    "tls_posture_certificate_verification_failure", "1 for each reason why verification fails (as of the last scan)"
)
INFO = Family("tls_posture_certificate_info", "Identity of the leaf certificate (as of the last scan)")


def _samples(facts: CertificateFacts) -> Iterator[Sample]:
    kind = {"key_algorithm": facts.key_algorithm}
    yield Sample(NOT_BEFORE, facts.not_before.timestamp(), kind)
    yield Sample(NOT_AFTER, facts.not_after.timestamp(), kind)
    yield Sample(CHAIN_NOT_AFTER, facts.chain_not_after.timestamp())
    if facts.trusted is not None:
        yield Sample(TRUSTED, facts.trusted)
    yield Sample(HOSTNAME_MATCH, facts.hostname_match)
    for failure in facts.failures:
        yield Sample(VERIFICATION_FAILURE, 1, {"reason": failure})
    identity = {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "fingerprint_sha256": facts.fingerprint_sha256,
        "key_size": "" if facts.key_size_bits is None else str(facts.key_size_bits),
        "signature_algorithm": facts.signature_algorithm,
    }
    yield Sample(INFO, 1, kind | identity)


def _document(facts: CertificateFacts) -> dict[str, object]:
    fields = {name: getattr(facts, name) for name in CertificateFacts.__dataclass_fields__}
    times = {name: value.isoformat() for name, value in fields.items() if isinstance(value, datetime)}
    lists = {name: list(value) for name, value in fields.items() if isinstance(value, tuple)}
    return {"certificate": fields | times | lists}


PROBE = Probe(
    name="certificate",
    kind=CertificateFacts,
    mandatory=True,
    applies=lambda _target: True,
    run=_run,
    families=(NOT_BEFORE, NOT_AFTER, CHAIN_NOT_AFTER, TRUSTED, HOSTNAME_MATCH, VERIFICATION_FAILURE, INFO),
    samples=_samples,
    document=_document,
)
