"""Stapled OCSP responses (RFC 6960), which the server chose and may have made up: read, and checked to the end."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from exporter.probes.certificate.facts import OcspStatus
from exporter.probes.chain import UNREADABLE, extension, is_issuer

CLOCK_SKEW = timedelta(minutes=5)
"""By which a responder's clock may be ahead (OpenSSL, MAX_VALIDITY_PERIOD in apps/ocsp.c and s_client)."""
MOST_RESPONDERS = 4
"""Certificates in a response that are tried; there is one at most."""

_STATUS = {
    ocsp.OCSPCertStatus.GOOD: OcspStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED: OcspStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: OcspStatus.UNKNOWN,
}


def read_stapled(der: bytes, leaf: x509.Certificate, issuer: x509.Certificate, now: datetime) -> OcspStatus | None:
    """What a response says of the leaf: nothing (`invalid`) unless the issuer, or who it has empowered, signed it.

    None when it cannot be checked: signed with RSASSA-PSS, whose parameters the parser does not give, or in another
    way that is not known here.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return OcspStatus.INVALID
        if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            return None
        answer = next(_answers(response, leaf, issuer), None)
        if answer is None or not any(_signed(response, key) for key in _responders(response, issuer, now)):
            return OcspStatus.INVALID
        return _in_time(answer, now) or _STATUS[answer.certificate_status]
    except UnsupportedAlgorithm:
        return None
    except (*UNREADABLE, OverflowError):
        return OcspStatus.INVALID


def read_until(der: bytes, leaf: x509.Certificate, issuer: x509.Certificate, status: OcspStatus) -> datetime | None:
    """Until when a response is worth what `read_stapled` made of it, or None where time alone changes nothing."""
    if status in {OcspStatus.INVALID, OcspStatus.EXPIRED}:
        return None
    try:
        answer = next(_answers(ocsp.load_der_ocsp_response(der), leaf, issuer))
    except (*UNREADABLE, OverflowError, UnsupportedAlgorithm, StopIteration):
        return None
    return answer.this_update_utc - CLOCK_SKEW if status is OcspStatus.NOT_YET_VALID else answer.next_update_utc


def _answers(
    response: ocsp.OCSPResponse, leaf: x509.Certificate, issuer: x509.Certificate
) -> Iterator[ocsp.OCSPSingleResponse]:
    """Those about the leaf: number, issuer's name and issuer's key must be right (RFC 6960, 4.1.1)."""
    for answer in response.responses:
        if answer.serial_number != leaf.serial_number:
            continue
        asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, answer.hash_algorithm).build()
        if (answer.issuer_name_hash, answer.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash):
            yield answer


def _responders(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> Iterator[x509.Certificate]:
    """Who may sign: the issuer, and those it issued a certificate to that says so (RFC 6960, 4.2.2.2)."""
    yield issuer
    for certificate in response.certificates[:MOST_RESPONDERS]:
        usages = extension(certificate, x509.ExtendedKeyUsage) or ()
        in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        if ExtendedKeyUsageOID.OCSP_SIGNING in usages and in_time and is_issuer(issuer, certificate):
            yield certificate


def _signed(response: ocsp.OCSPResponse, responder: x509.Certificate) -> bool:
    key, signature, signed = responder.public_key(), response.signature, response.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(signature, signed, padding.PKCS1v15(), _hash(response))
            case ec.EllipticCurvePublicKey():
                key.verify(signature, signed, ec.ECDSA(_hash(response)))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                raise UnsupportedAlgorithm("a key of another kind")
    except InvalidSignature:
        return False
    return True


def _hash(response: ocsp.OCSPResponse) -> hashes.HashAlgorithm:
    algorithm = response.signature_hash_algorithm
    if algorithm is None:
        raise ValueError("the signature names no hash")
    return algorithm


def _in_time(answer: ocsp.OCSPSingleResponse, now: datetime) -> OcspStatus | None:
    if answer.this_update_utc > now + CLOCK_SKEW:
        return OcspStatus.NOT_YET_VALID
    if answer.next_update_utc is not None and answer.next_update_utc < now:
        return OcspStatus.EXPIRED
    return None
