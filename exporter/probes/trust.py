"""Whether a served chain leads to a trusted root, as OpenSSL's own verification has it, without a connection."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, verify_service_identity

from exporter.model import is_ip


class TrustFailure(StrEnum):
    """Label values of `tls_posture_certificate_verification_failure`."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    SELF_SIGNED = "self_signed"
    UNKNOWN_ISSUER = "unknown_issuer"
    INCOMPLETE_CHAIN = "incomplete_chain"
    NAME_MISMATCH = "name_mismatch"
    PROFILE = "profile"
    REVOKED = "revoked"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TrustVerdict:
    """Trusted, or not and why; `detail` is OpenSSL's sentence."""

    trusted: bool
    failure: TrustFailure | None = None
    detail: str = ""


_FAILURES = {
    2: TrustFailure.UNKNOWN_ISSUER,
    9: TrustFailure.NOT_YET_VALID,
    10: TrustFailure.EXPIRED,
    18: TrustFailure.SELF_SIGNED,
    19: TrustFailure.UNKNOWN_ISSUER,
    20: TrustFailure.UNKNOWN_ISSUER,
    21: TrustFailure.UNKNOWN_ISSUER,
    23: TrustFailure.REVOKED,
    24: TrustFailure.PROFILE,
    26: TrustFailure.PROFILE,
    66: TrustFailure.PROFILE,
    67: TrustFailure.PROFILE,
    68: TrustFailure.PROFILE,
}
"""OpenSSL, x509_vfy.h: X509_V_ERR_*. 19 is a self-signed root in the chain that is not in the store; 66 to 68 are weak
keys and signatures."""


_LOCK = Lock()
"""A store holds the time to verify at; verifications run in threads and must not change it for each other."""


@lru_cache(maxsize=64)
def _store(path: str, _changed: float) -> crypto.X509Store:
    """The anchors of a PEM bundle, read by OpenSSL (which takes old roots that stricter parsers refuse).

    Read again when the file changes.
    """
    store = crypto.X509Store()
    try:
        store.load_locations(path)
    except crypto.Error as error:
        raise ValueError(f"{path} holds no certificates") from error
    return store


_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def _system_bundle() -> str:
    """The file the system's own clients trust: what OpenSSL was built with, or where distributions keep it.

    Raises:
        OSError: there is none.
    """
    for candidate in (ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES):
        if candidate and Path(candidate).is_file():
            return candidate
    raise OSError("no system trust store was found; install ca-certificates or set ca_file")


def verify(chain: Sequence[x509.Certificate], ca_file: str | None, now: datetime) -> TrustVerdict:
    """Verify the chain (leaf first) against `ca_file`, or else the system's store, at the time `now` (UTC).

    Raises:
        OSError: the trust store cannot be read.
        ValueError: the trust store holds something else than certificates.
    """
    path = ca_file or _system_bundle()
    leaf, *others = (crypto.X509.from_cryptography(certificate) for certificate in chain)
    with _LOCK:
        store = _store(path, Path(path).stat().st_mtime)
        store.set_time(now.replace(tzinfo=None))
        try:
            crypto.X509StoreContext(store, leaf, others).verify_certificate()
        except crypto.X509StoreContextError as error:
            return TrustVerdict(False, _FAILURES.get(error.errors[0], TrustFailure.OTHER), str(error))
    if not _for_servers(chain[0]):
        return TrustVerdict(False, TrustFailure.PROFILE, "the certificate is not meant for TLS servers")
    return TrustVerdict(True)


def _for_servers(leaf: x509.Certificate) -> bool:
    """RFC 5280, 4.2.1.12: an extended key usage, where there is one, names what the key is for."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.DuplicateExtension):
        return False  # no client could read it either
    return ExtendedKeyUsageOID.SERVER_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def matches(leaf: x509.Certificate, name: str) -> bool:
    """Whether the certificate carries the name or address (RFC 9525: subject alternative names only).

    An entry that is no usable pattern (an address among the DNS names, a lone `*`) matches nothing, and takes nothing
    away from the others.

    Raises:
        ValueError: the names cannot be parsed.
    """
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if is_ip(name):
        return ip_address(name) in names.get_values_for_type(x509.IPAddress)
    return any(_matches_one(pattern, name) for pattern in names.get_values_for_type(x509.DNSName))


def _matches_one(pattern: str, name: str) -> bool:
    try:
        verify_service_identity([DNSPattern.from_bytes(pattern.encode("ascii"))], [DNS_ID(name)], [])
    except (VerificationError, CertificateError, UnicodeEncodeError):
        return False
    return True
