"""From a chain as served to what is known of it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256, sha512

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, PublicKeyAlgorithmOID
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as OpenSSLError

from exporter.probes import keys
from exporter.probes.certificate.facts import INTRINSIC, CertificateFacts, Deployment, OcspStatus, ServedCertificate
from exporter.probes.certificate.ocsp import read_stapled, read_until
from exporter.probes.chain import UNREADABLE, extension, is_issuer, read_shape
from exporter.probes.keys import Key, read_key
from exporter.probes.trust import TrustFailure, TrustVerdict, matches, out_of_time, verify

Chain = tuple[x509.Certificate, ...]

_UNREAD = {
    PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5: keys.RSA,
    PublicKeyAlgorithmOID.EC_PUBLIC_KEY: keys.EC,
    PublicKeyAlgorithmOID.DSA: keys.DSA,
}
"""What a key is stays clear when it is broken, or on a curve that is not known here."""


def read_deployment(
    chain: Chain, name: str, ca_file: str | None, now: datetime, stapled: bytes | None = None
) -> Deployment:
    """What a chain (leaf first, at least one) is worth for a service called `name`, at the time `now` (UTC).

    Raises:
        ValueError: one of the certificates cannot be parsed.
    """
    try:
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
    failures = [] if match else [TrustFailure.NAME_MISMATCH]
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
        valid_from=max(certificate.not_valid_before_utc for certificate in verified),
        valid_until=min(certificate.not_valid_after_utc for certificate in verified),
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
    except (OSError, ValueError) as error:
        return None, f"trust store: {error}"
    return verdict, verdict.detail


def _ocsp(
    stapled: bytes | None, path: Sequence[x509.Certificate], now: datetime
) -> tuple[OcspStatus | None, datetime | None]:
    """What is stapled, and until when; None as well without the issuer, whose key it takes to believe it."""
    leaf, issuer = path[0], path[min(1, len(path) - 1)]  # a self-signed leaf is its own issuer
    if stapled is None or not is_issuer(issuer, leaf):
        return None, None
    status = read_stapled(stapled, leaf, issuer, now)
    return status, None if status is None else read_until(stapled, leaf, issuer, status)


def read_certificate(certificate: x509.Certificate) -> ServedCertificate:
    """One certificate.

    Raises:
        ValueError: it cannot be parsed.
    """
    key, spki = _key(certificate), _spki(certificate)
    return ServedCertificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        fingerprint_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        spki_sha256=sha256(spki).hexdigest() if spki else None,
        key_algorithm=key.algorithm,
        key_size_bits=key.size_bits,
        curve=key.curve,
        signature_algorithm=_signature_algorithm(certificate),
        signature_hash=_signature_hash(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=_is_ca(certificate),
        self_signed=is_issuer(certificate, certificate),
        fingerprint_sha512=certificate.fingerprint(hashes.SHA512()).hex(),
        spki_sha512=sha512(spki).hexdigest() if spki else None,
        key_kind=key.kind,
    )


def _key(certificate: x509.Certificate) -> Key:
    try:
        return read_key(certificate)
    except ValueError:
        oid = certificate.public_key_algorithm_oid
        algorithm = _UNREAD.get(oid, oid.dotted_string)
        return Key(algorithm, None, None, algorithm)


def _spki(certificate: x509.Certificate) -> bytes | None:
    """Its SubjectPublicKeyInfo (DER); None when the key cannot be read."""
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _signature_algorithm(certificate: x509.Certificate) -> str:
    try:
        return X509.from_cryptography(certificate).get_signature_algorithm().decode("ascii", "replace")
    except ValueError:
        return certificate.signature_algorithm_oid.dotted_string


def _signature_hash(certificate: x509.Certificate) -> str | None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return INTRINSIC if algorithm is None else algorithm.name


def _is_ca(certificate: x509.Certificate) -> bool | None:
    try:
        constraints = extension(certificate, x509.BasicConstraints)
    except UNREADABLE:
        return None
    return constraints is not None and constraints.ca


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    names = extension(leaf, x509.SubjectAlternativeName)
    if names is None:
        return ()
    dns = [f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)]
    return (*dns, *(f"IP:{address}" for address in names.get_values_for_type(x509.IPAddress)))


def _must_staple(leaf: x509.Certificate) -> bool | None:
    try:
        features = extension(leaf, x509.TLSFeature)
    except UNREADABLE:
        return None
    return features is not None and x509.TLSFeatureType.status_request in features


def _names_ocsp(leaf: x509.Certificate) -> bool | None:
    try:
        access = extension(leaf, x509.AuthorityInformationAccess)
    except UNREADABLE:
        return None
    return access is not None and any(one.access_method == AuthorityInformationAccessOID.OCSP for one in access)


def _sct_count(leaf: x509.Certificate) -> int | None:
    try:
        stamps = extension(leaf, x509.PrecertificateSignedCertificateTimestamps)
    except UNREADABLE:
        return None
    return 0 if stamps is None else len(list(stamps))


def read_chain(chain: Chain, name: str, ca_file: str | None, now: datetime) -> CertificateFacts:
    """Facts of one chain, when nothing else is known of the service; arguments as `read_deployment`.

    Raises:
        ValueError: one of the certificates cannot be parsed.
    """
    return CertificateFacts((read_deployment(chain, name, ca_file, now),))
