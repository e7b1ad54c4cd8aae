"""Reads and verifies stapled OCSP responses (RFC 6960), which the server chose and may have made up."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from exporter.facts.certificate import OcspStatus
from exporter.pki.chain import is_issuer
from exporter.pki.der import OCTET_STRING, SEQUENCE, element, elements, encode
from exporter.pki.parsed import UNREADABLE, Certificate, parse
from exporter.pki.readable import split

CLOCK_SKEW = timedelta(minutes=5)
"""How far a responder's clock may be ahead (OpenSSL, MAX_VALIDITY_PERIOD in apps/ocsp.c and s_client)."""
MOST_RESPONDERS = 4
"""Maximum number of certificates in a response that are tried; normally there is at most one."""

_CERTIFICATES = 0xA0
_STATUS = {
    ocsp.OCSPCertStatus.GOOD: OcspStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED: OcspStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: OcspStatus.UNKNOWN,
}


def read_stapled(der: bytes, leaf: Certificate, issuer: Certificate, now: datetime) -> OcspStatus | None:
    """The state of the leaf by the response: `invalid` unless the issuer, or a delegate of the issuer, signed it.

    None when the response cannot be checked. It may be signed with RSASSA-PSS, whose parameters the parser does not
    give, or in another unknown way. Or the issuer has a name that the parser accepts from nobody.
    """
    try:
        response, certificates = _load(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return OcspStatus.INVALID
        if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            return None
        answer = next(_answers(response, leaf, issuer), None)
        if answer is None or not any(_signed(response, key) for key in _responders(certificates, issuer, now)):
            return OcspStatus.INVALID
        return _in_time(answer, now) or _STATUS[answer.certificate_status]
    except UnsupportedAlgorithm:
        return None
    except (*UNREADABLE, OverflowError):
        return OcspStatus.INVALID if issuer.original else None


def read_until(der: bytes, leaf: Certificate, issuer: Certificate, status: OcspStatus) -> datetime | None:
    """Until when the result of `read_stapled` is valid, or None where time alone changes nothing."""
    if status in {OcspStatus.INVALID, OcspStatus.EXPIRED}:
        return None
    try:
        answer = next(_answers(_load(der)[0], leaf, issuer))
    except (*UNREADABLE, OverflowError, UnsupportedAlgorithm, StopIteration):
        return None
    return answer.this_update_utc - CLOCK_SKEW if status is OcspStatus.NOT_YET_VALID else answer.next_update_utc


def _load(der: bytes) -> tuple[ocsp.OCSPResponse, list[Certificate]]:
    """The response, and the certificates in it. An unreadable certificate must not make the response unreadable.

    Raises:
        ValueError: it is not an OCSP response.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return response, []
        return response, [Certificate.of(one) for one in response.certificates[:MOST_RESPONDERS]]
    except UNREADABLE:
        return _load_without_certificates(der)


def _load_without_certificates(der: bytes) -> tuple[ocsp.OCSPResponse, list[Certificate]]:
    """The response (RFC 6960, 4.2.1), parsed and encoded again without its certificates."""
    status, wrapped = elements(element(der).content)
    kind, octets = elements(element(wrapped.content).content)
    *signed, last = elements(element(octets.content).content)
    if last.tag != _CERTIFICATES:
        raise ValueError("no certificates are in it")
    basic = encode(SEQUENCE, *(one.whole for one in signed))
    inner = encode(SEQUENCE, kind.whole, encode(OCTET_STRING, basic))
    response = ocsp.load_der_ocsp_response(encode(SEQUENCE, status.whole, encode(wrapped.tag, inner)))
    return response, list(_readable_ones(element(last.content).content))


def _readable_ones(certificates: bytes) -> Iterator[Certificate]:
    for one in islice(elements(certificates), MOST_RESPONDERS):
        with suppress(ValueError):
            yield parse(one.whole)


def _answers(response: ocsp.OCSPResponse, leaf: Certificate, issuer: Certificate) -> Iterator[ocsp.OCSPSingleResponse]:
    """The answers about the leaf: serial number, issuer's name and issuer's key must match (RFC 6960, 4.1.1)."""
    _, key = elements(split(issuer.der).key.content)
    bits = key.content[1:]  # without the number of unused bits
    name = split(leaf.der).issuer.whole
    for answer in response.responses:
        hashes_asked = _digest(name, answer.hash_algorithm), _digest(bits, answer.hash_algorithm)
        if answer.serial_number == leaf.read.serial_number and hashes_asked == (
            answer.issuer_name_hash,
            answer.issuer_key_hash,
        ):
            yield answer


def _digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _responders(certificates: list[Certificate], issuer: Certificate, now: datetime) -> Iterator[Certificate]:
    """Certificates that may sign: the issuer's, and those that the issuer authorized for it (RFC 6960, 4.2.2.2)."""
    yield issuer
    for certificate in certificates:
        usages = (
            () if ExtensionOID.EXTENDED_KEY_USAGE in certificate.lost else certificate.extension(x509.ExtendedKeyUsage)
        )
        in_time = certificate.read.not_valid_before_utc <= now <= certificate.read.not_valid_after_utc
        if ExtendedKeyUsageOID.OCSP_SIGNING in (usages or ()) and in_time and is_issuer(issuer, certificate):
            yield certificate


def _signed(response: ocsp.OCSPResponse, responder: Certificate) -> bool:
    key, signature, signed = responder.read.public_key(), response.signature, response.tbs_response_bytes
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
        raise InvalidSignature("it names no hash: EdDSA, which is of none of the keys that need one")
    return algorithm


def _in_time(answer: ocsp.OCSPSingleResponse, now: datetime) -> OcspStatus | None:
    if answer.this_update_utc > now + CLOCK_SKEW:
        return OcspStatus.NOT_YET_VALID
    if answer.next_update_utc is not None and answer.next_update_utc < now:
        return OcspStatus.EXPIRED
    return None
