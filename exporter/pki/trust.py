"""Whether a served chain leads to a trusted root, as `openssl verify` says, without a connection."""

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from OpenSSL import crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, verify_service_identity

from exporter.files import read_file
from exporter.model import TrustFailure, is_ip, without_zone
from exporter.pki import openssl
from exporter.pki.issuers import Edition, lacks_intermediate, read_anchors, read_edition, read_pem
from exporter.pki.parsed import UNREADABLE, Certificate, parse
from exporter.pki.purpose import USAGE_UNREADABLE, for_servers


@dataclass(frozen=True, slots=True)
class TrustVerdict:
    """Whether a chain is trusted, and why not; None if it cannot be parsed what the certificates may be used for.

    Attributes:
        failures: all independent reasons; empty if it is trusted.
        complete: no issuer is missing.
        path: the verified certificates from the leaf to the anchor; empty if verification failed.
        detail: OpenSSL's message.
    """

    trusted: bool | None
    failures: tuple[TrustFailure, ...] = ()
    complete: bool = True
    path: tuple[Certificate, ...] = ()
    detail: str = ""


_NO_ISSUER = {2, 20, 21}
_INVALID_EXTENSION = 41
_FAILURES = {
    9: TrustFailure.NOT_YET_VALID,
    10: TrustFailure.EXPIRED,
    18: TrustFailure.SELF_SIGNED,
    19: TrustFailure.UNKNOWN_ISSUER,
    23: TrustFailure.REVOKED,
    **dict.fromkeys((24, 25, 26, 32, 34, 37, 38, 39, 41, 47, 48, 66, 67, 68, *range(79, 95)), TrustFailure.PROFILE),
}
"""OpenSSL, x509_vfy.h: X509_V_ERR_*. 19 is a self-signed root in the chain that is not in the store. `profile` means
extensions that forbid the use (79: an issuer that is not a CA), and weak keys and signatures."""


_BLOCK = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----.*?^-----END \1-----", re.DOTALL | re.MULTILINE)
_PLAIN = {b"CERTIFICATE", b"X509 CERTIFICATE"}


@lru_cache(maxsize=64)
def _anchors(path: str, _edition: Edition) -> tuple[crypto.X509, ...] | None:
    """The certificates of a PEM bundle, parsed by OpenSSL, which accepts old roots that stricter parsers refuse.

    None if the file is empty, or holds something that only OpenSSL interprets correctly, such as a certificate with its
    own trust settings (`TRUSTED CERTIFICATE`). The file is read again when it changes.
    """
    blocks = list(_BLOCK.finditer(read_file(path)))
    if not blocks or any(block[1] not in _PLAIN for block in blocks):
        return None
    try:
        return tuple(crypto.load_certificate(crypto.FILETYPE_PEM, block[0]) for block in blocks)
    except crypto.Error:
        return None


@lru_cache(maxsize=4)
def _store(path: str, edition: Edition, now: datetime) -> crypto.X509Store:
    """A store that verifies at the time `now`.

    Each time needs its own store: if several times are set on one store, OpenSSL keeps the first
    (X509_VERIFY_PARAM_inherit, x509_vpm.c). Reading the anchors takes time (8 ms for Debian's bundle), so they are
    cached. Making a store of them takes 0.3 ms. The chains of one scan use one store.

    Raises:
        ValueError: the file holds something else than certificates.
    """
    store, anchors = crypto.X509Store(), _anchors(path, edition)
    try:
        if anchors is None:
            store.load_locations(path)
        for anchor in anchors or ():
            store.add_cert(anchor)
    except crypto.Error as error:
        if not _load_each(store, path):
            raise ValueError(f"{path} holds no certificates") from error
    store.set_time(now.replace(tzinfo=None))
    return store


def _load_each(store: crypto.X509Store, path: str) -> int:
    """Load the certificates of a bundle one by one, since OpenSSL loads none if one is broken; returns how many."""
    loaded = 0
    for der in read_pem(path):
        with suppress(crypto.Error):
            store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
            loaded += 1
    return loaded


_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def _system_bundle() -> str:
    """The file that the system's own clients trust: OpenSSL's default, or the place where distributions keep it.

    Raises:
        OSError: there is none.
    """
    for candidate in (ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES):
        if candidate and Path(candidate).is_file():
            return candidate
    raise OSError("no system trust store was found; install ca-certificates or set ca_file")


def verify(
    chain: Sequence[Certificate], linked: Sequence[Certificate], ca_file: str | None, now: datetime
) -> TrustVerdict:
    """Verify a chain for a TLS server, against `ca_file` or the system's store, at the time `now` (UTC).

    OpenSSL stops at the first failure. Further independent failures are looked for in `linked`, the certificates that
    form a path from the leaf upwards.

    Raises:
        OSError: the trust store cannot be read.
        UnreadableError: OpenSSL does not accept one of the certificates, so a handshake cannot deliver this chain.
        ValueError: the trust store holds something else than certificates.
    """
    leaf, *others = (openssl.load(certificate.der) for certificate in chain)
    path = ca_file or _system_bundle()
    edition = read_edition(path)
    try:
        verified = crypto.X509StoreContext(_store(path, edition, now), leaf, others).get_verified_chain()
    except crypto.X509StoreContextError as error:
        code, detail = error.errors[0], str(error)
    else:
        code, detail = 0, ""
        linked = _readable(verified) or linked
    failures = dict.fromkeys(out_of_time(linked, now) if code else ())
    if code in _NO_ISSUER and any(one.unreadable for one in linked) and _has_anchor(linked, path, edition):
        # OpenSSL does not take an invalid certificate for an issued one, so it reports a missing issuer.
        code, detail = _INVALID_EXTENSION, "the certificate has an extension that OpenSSL does not accept"
    if code in _NO_ISSUER:
        forgotten = lacks_intermediate(linked, read_anchors(path, edition))
        failures[TrustFailure.INCOMPLETE_CHAIN if forgotten else TrustFailure.UNKNOWN_ISSUER] = None
    elif code:
        failures[_FAILURES.get(code, TrustFailure.OTHER)] = None
    fits = for_servers(linked)
    if fits is False:
        failures[TrustFailure.PROFILE] = None
        detail = detail or "the certificate is not meant for TLS servers"
    if failures:
        return TrustVerdict(False, tuple(failures), code not in _NO_ISSUER, detail=detail)
    return TrustVerdict(fits, path=tuple(linked), detail="" if fits else USAGE_UNREADABLE)


def _has_anchor(linked: Sequence[Certificate], path: str, edition: Edition) -> bool:
    return linked[-1].read.issuer in read_anchors(path, edition)


def _readable(path: Sequence[crypto.X509]) -> tuple[Certificate, ...]:
    """The path as far up as it can be parsed: some old anchors are readable for OpenSSL only."""
    found = []
    for certificate in path:
        try:
            found.append(parse(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)))
        except UNREADABLE:
            break
    return tuple(found)


def out_of_time(path: Sequence[Certificate], now: datetime) -> Iterator[TrustFailure]:
    """The failures that follow from the dates of these certificates; needs no trust store."""
    if any(certificate.read.not_valid_after_utc < now for certificate in path):
        yield TrustFailure.EXPIRED
    if any(now < certificate.read.not_valid_before_utc for certificate in path):
        yield TrustFailure.NOT_YET_VALID


def matches(leaf: Certificate, name: str) -> bool | None:
    """Whether the certificate is valid for the name or address (RFC 9525: subject alternative names only).

    An entry that is not a usable pattern (an address among the DNS names, a lone `*`) matches nothing and does not
    affect the others. The result is None if no readable entry matches, and the extension is not completely readable or
    is present twice: clients disagree on what that means.
    """
    names = leaf.readable(x509.SubjectAlternativeName)
    if names is not None and _is_among(names, name):
        return True
    return None if ExtensionOID.SUBJECT_ALTERNATIVE_NAME in leaf.lost else False


def _is_among(names: x509.SubjectAlternativeName, name: str) -> bool:
    if is_ip(name):
        return ip_address(without_zone(name)) in names.get_values_for_type(x509.IPAddress)
    return any(_matches_one(pattern, name) for pattern in names.get_values_for_type(x509.DNSName))


def _matches_one(pattern: str, name: str) -> bool:
    if pattern != pattern.strip():
        return False  # service-identity would ignore the blanks; clients do not
    label, _, rest = name.partition(".")
    if pattern.startswith("*.") and label.startswith("xn--"):
        # A wildcard that is the complete label matches any label (RFC 9525, 6.3), in browsers and OpenSSL too;
        # service-identity excludes A-labels.
        name = f"x.{rest}"
    try:
        verify_service_identity([DNSPattern.from_bytes(pattern.encode("ascii"))], [DNS_ID(name)], [])
    except (VerificationError, CertificateError, UnicodeEncodeError):
        return False
    return True
