"""Turns a served chain into facts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256, sha512
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID, PublicKeyAlgorithmOID
from OpenSSL.crypto import Error as OpenSSLError

from exporter.facts.certificate import INTRINSIC, CertificateFacts, Deployment, OcspStatus, ServedCertificate
from exporter.model import Target, TrustFailure
from exporter.pki import keys, openssl
from exporter.pki.chain import is_issuer, read_shape
from exporter.pki.der import UnreadableError
from exporter.pki.effort import MOST_SECONDS, effort_seconds
from exporter.pki.keys import UNKNOWN, PublicKey, read_key
from exporter.pki.parsed import UNREADABLE, Certificate
from exporter.pki.trust import TrustVerdict, matches, out_of_time, verify
from exporter.probes.certificate.ocsp import read_stapled, read_until
from exporter.shortage import raise_shortage
from exporter.threads import CERTIFICATES, FILES

T = TypeVar("T")

Chain = tuple[Certificate, ...]

QUICK_BYTES = 8192
"""Certificates of this length are parsed on the event loop: in 0.02 s at worst (docs/decisions/event-loop.md)."""

_UNREAD = {
    PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5: keys.RSA,
    PublicKeyAlgorithmOID.EC_PUBLIC_KEY: keys.EC,
    PublicKeyAlgorithmOID.DSA: keys.DSA,
}
"""The kind of a key is known even when the key is broken, or on an unknown curve."""


async def read_in_thread(read: Callable[[], T], target: Target) -> T:
    """The result of `read()`, in a thread: a long chain with many names takes longer than the event loop may wait.

    A target's own `ca_file` may be on storage that hangs, so it does not use the threads that read other chains.
    """
    pool = CERTIFICATES if target.ca_file is None else FILES
    return await pool.run(read, target.name)


async def parse_in_time(parse_all: Callable[[], T], served: Sequence[bytes], target: Target) -> T:
    """The result of `parse_all()`, which parses these certificates and verifies nothing: in a thread if they are long.

    What a thread costs is more than it takes to parse a usual chain.
    """
    if sum(map(len, served)) <= QUICK_BYTES:
        return parse_all()
    return await read_in_thread(parse_all, target)


def read_deployment(
    chain: Chain, name: str, ca_file: str | None, now: datetime, stapled: bytes | None = None
) -> Deployment:
    """Read and verify a chain (leaf first, at least one) for a service called `name`, at the time `now` (UTC).

    Raises:
        ValueError: one of the certificates cannot be parsed, or it would take too long to verify the signatures.
        ShortageError: this machine has no descriptor for the trust store.
    """
    try:
        seconds = effort_seconds(chain)
        if seconds > MOST_SECONDS:
            raise ValueError(f"it would take {seconds:.1f} s to verify the signatures of the chain")
        return _read(chain, name, ca_file, now, stapled)
    except (*UNREADABLE, OpenSSLError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _read(chain: Chain, name: str, ca_file: str | None, now: datetime, stapled: bytes | None) -> Deployment:
    leaf, shape = chain[0], read_shape(chain)
    linked = tuple(chain[place] for place in shape.path)
    verdict, detail = _verdict(chain, linked, ca_file, now)
    verified = (verdict.path if verdict else ()) or linked
    ocsp, ocsp_until = _ocsp(stapled, verified, now)
    match = matches(leaf, name)
    revoked = ocsp is OcspStatus.REVOKED
    trusted = False if revoked else verdict.trusted if verdict else None
    failures = [TrustFailure.NAME_MISMATCH] if match is False else []
    failures += verdict.failures if verdict else out_of_time(linked, now)
    failures += [TrustFailure.REVOKED] if revoked else ()
    return Deployment(
        chain=tuple(read_certificate(certificate) for certificate in chain),
        subject_alternative_names=_names(leaf),
        must_staple=_must_staple(leaf),
        sct_count=_sct_count(leaf),
        path=tuple(chain.index(certificate) for certificate in verified if certificate in chain),
        ordered=shape.ordered,
        surplus=shape.surplus,
        root_served=shape.root_served,
        complete=verdict.complete if verdict else (True if shape.closed else None),
        valid_from=max(certificate.read.not_valid_before_utc for certificate in verified),
        valid_until=min(certificate.read.not_valid_after_utc for certificate in verified),
        hostname_match=match,
        trusted=trusted,
        failures=tuple(failures),
        trust_detail=detail,
        ocsp_stapled=ocsp,
        names_ocsp=_names_ocsp(leaf),
        ocsp_until=ocsp_until,
    )


def _verdict(chain: Chain, linked: Chain, ca_file: str | None, now: datetime) -> tuple[TrustVerdict | None, str]:
    try:
        verdict = verify(chain, linked, ca_file, now)
    except UnreadableError as error:
        return None, str(error)
    except (OSError, ValueError) as error:
        raise_shortage(error, "cannot read the trust store")
        return None, f"trust store: {error}"
    return verdict, verdict.detail


def _ocsp(
    stapled: bytes | None, path: Sequence[Certificate], now: datetime
) -> tuple[OcspStatus | None, datetime | None]:
    """The state of the stapled response, and until when; None also without the issuer, whose key verifies it."""
    leaf, issuer = path[0], path[min(1, len(path) - 1)]  # a self-signed leaf is its own issuer
    if stapled is None or not is_issuer(issuer, leaf):
        return None, None
    status = read_stapled(stapled, leaf, issuer, now)
    return status, None if status is None else read_until(stapled, leaf, issuer, status)


def read_certificate(certificate: Certificate) -> ServedCertificate:
    """Read one certificate."""
    key, spki, read = _key(certificate), certificate.spki, certificate.read
    return ServedCertificate(
        subject=UNKNOWN if "subject" in certificate.unreadable else read.subject.rfc4514_string(),
        issuer=UNKNOWN if "issuer" in certificate.unreadable else read.issuer.rfc4514_string(),
        serial=UNKNOWN if "serial" in certificate.unreadable else f"{read.serial_number:x}",
        fingerprint_sha256=sha256(certificate.der).hexdigest(),
        spki_sha256=sha256(spki).hexdigest(),
        key_algorithm=key.algorithm,
        key_size_bits=key.size_bits,
        curve=key.curve,
        signature_algorithm=_signature_algorithm(certificate),
        signature_hash=_signature_hash(certificate),
        not_before=read.not_valid_before_utc,
        not_after=read.not_valid_after_utc,
        is_ca=_is_ca(certificate),
        self_signed=is_issuer(certificate, certificate),
        unreadable=tuple(f"{part}: {why}" for part, why in certificate.unreadable.items()),
        fingerprint_sha512=sha512(certificate.der).hexdigest(),
        spki_sha512=sha512(spki).hexdigest(),
        key_kind=key.kind,
    )


def _key(certificate: Certificate) -> PublicKey:
    if "key" in certificate.unreadable:
        return PublicKey(UNKNOWN, None, None, UNKNOWN)
    try:
        return read_key(certificate)
    except ValueError:
        oid = certificate.read.public_key_algorithm_oid
        algorithm = _UNREAD.get(oid, oid.dotted_string)
        return PublicKey(algorithm, None, None, algorithm)


def _signature_algorithm(certificate: Certificate) -> str:
    try:
        return openssl.load(certificate.der).get_signature_algorithm().decode("ascii", "replace")
    except ValueError:
        return (
            UNKNOWN if "algorithm" in certificate.unreadable else certificate.read.signature_algorithm_oid.dotted_string
        )


def _signature_hash(certificate: Certificate) -> str | None:
    if "algorithm" in certificate.unreadable:
        return None
    if certificate.read.signature_algorithm_oid in keys.ML_DSA:
        return INTRINSIC
    try:
        algorithm = certificate.read.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return INTRINSIC if algorithm is None else algorithm.name


def _is_ca(certificate: Certificate) -> bool | None:
    try:
        constraints = certificate.extension(x509.BasicConstraints)
    except UNREADABLE:
        return None
    return constraints is not None and constraints.ca


def _names(leaf: Certificate) -> tuple[str, ...]:
    names = leaf.readable(x509.SubjectAlternativeName)
    if names is None:
        return ()
    dns = [f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)]
    return (*dns, *(f"IP:{address}" for address in names.get_values_for_type(x509.IPAddress)))


def _must_staple(leaf: Certificate) -> bool | None:
    try:
        features = leaf.extension(x509.TLSFeature)
    except UNREADABLE:
        return None
    return features is not None and x509.TLSFeatureType.status_request in features


def _names_ocsp(leaf: Certificate) -> bool | None:
    try:
        access = leaf.extension(x509.AuthorityInformationAccess)
    except UNREADABLE:
        return None
    return access is not None and any(one.access_method == AuthorityInformationAccessOID.OCSP for one in access)


def _sct_count(leaf: Certificate) -> int | None:
    try:
        stamps = leaf.extension(x509.PrecertificateSignedCertificateTimestamps)
    except UNREADABLE:
        return None
    return 0 if stamps is None else len(list(stamps))


def read_chain(chain: Chain, name: str, ca_file: str | None, now: datetime) -> CertificateFacts:
    """Facts of one chain, when nothing else is known of the service. Arguments as for `read_deployment`.

    Raises:
        ValueError: one of the certificates cannot be parsed.
    """
    return CertificateFacts((read_deployment(chain, name, ca_file, now),))
