"""What is known of a service's certificates: plain data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from exporter.model import ClientAuthentication, TrustFailure
from exporter.moments import Time
from exporter.ternary import all_of

INTRINSIC = "intrinsic"
"""Value of the hash for signature algorithms with a hash of their own (RFC 8422, 5.1.3: Ed25519 and Ed448)."""


class OcspStatus(StrEnum):
    """The state of a stapled OCSP response: label values of `tls_posture_certificate_ocsp_stapled_status`."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """One certificate of a chain. Times are UTC.

    Attributes:
        serial: hexadecimal, like all bytes here.
        spki_sha256: of the SubjectPublicKeyInfo, equal for all certificates with this key; None where the key cannot be
            read.
        key_algorithm: RSA, EC, DSA, Ed25519, Ed448, or the object identifier of another algorithm. `unknown` where it
            cannot be read; the same applies to subject, issuer, serial and signature_algorithm.
        key_size_bits: None where the algorithm has no variable size, or the size cannot be read.
        curve: of an EC key (`P-256`, ...).
        signature_algorithm: OpenSSL's name, or the object identifier where it has none.
        signature_hash: `sha256`, ..., or `intrinsic`; None when it is not known.
        is_ca: by the basic constraints; None when they cannot be read.
        self_signed: signed with its own key.
        key_kind: kind of the key, finer than its algorithm: `RSA-PSS` is a key that signs with PSS only (`PublicKey`).
        unreadable: parts that cannot be read completely, each with the reason (`certificatePolicies: ...`); what
            depends on them is not known.
        fingerprint_sha512: for TLSA records (RFC 6698, 2.1.3); None where it was not computed.
        spki_sha512: of the SubjectPublicKeyInfo, for TLSA records; None where it was not computed or the key cannot be
            read.
    """

    subject: str
    issuer: str
    serial: str
    fingerprint_sha256: str
    spki_sha256: str | None
    key_algorithm: str
    key_size_bits: int | None
    curve: str | None
    signature_algorithm: str
    signature_hash: str | None
    not_before: datetime
    not_after: datetime
    is_ca: bool | None
    self_signed: bool
    fingerprint_sha512: str | None = None
    spki_sha512: str | None = None
    key_kind: str | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def lifetime_seconds(self) -> float:
        """Seconds from the start of the validity to its end."""
        return (self.not_after - self.not_before).total_seconds()


ENDED_SINCE = "it has ended since it was last seen"
BEGUN_SINCE = "its time has begun since it was last seen"
_WARNED_AT = ((timedelta(days=21), 0.25), (timedelta(days=7), 0.1))
"""Limits at which alerts warn: less time left than both (prometheus/tls-posture.rules.yaml, certificate_left).

The server is scanned again before they warn, because it may have renewed.
"""
_LASTING = frozenset({OcspStatus.REVOKED, OcspStatus.EXPIRED, OcspStatus.INVALID})
"""States that do not change with time."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One certificate chain of a server, and the result of its verification.

    Attributes:
        chain: as served, the leaf first.
        subject_alternative_names: names in the leaf, `DNS:...` and `IP:...`.
        must_staple: the leaf has the TLS feature status_request (RFC 7633); None when that cannot be read.
        sct_count: signed certificate timestamps in the leaf itself (RFC 6962, 3.3); other sources are not checked.
        path: indexes in `chain` of the certificates from the leaf upwards: those that verification used, or those that
            are linked where it failed.
        ordered, surplus, root_served: see `exporter.pki.chain.Shape`.
        complete: no issuer is missing between the leaf and an anchor, or between the leaf and an untrusted self-signed
            certificate; None when the trust store could not be read.
        valid_from: when the last certificate of the path becomes valid, including the anchor where it is known.
        valid_until: when the first certificate of the path ends, including the anchor where it is known.
        hostname_match: the leaf has the name of the service; None where its names cannot be read.
        trusted: None when the trust store, or what the certificates may be used for, could not be read.
        failures: all known reasons why the chain is not trusted.
        trust_detail: OpenSSL's message, or what is wrong with the trust store.
        ocsp_stapled: None when nothing was stapled, stapling was not requested, or the response cannot be checked.
        names_ocsp: the leaf names an OCSP server (RFC 5280, 4.2.2.1); None when that cannot be read.
        ocsp_until: until when `ocsp_stapled` is true of the response; None when time alone changes nothing.
    """

    chain: tuple[ServedCertificate, ...]
    subject_alternative_names: tuple[str, ...]
    must_staple: bool | None
    sct_count: int | None
    path: tuple[int, ...]
    ordered: bool
    surplus: tuple[int, ...]
    root_served: bool
    complete: bool | None
    valid_from: datetime
    valid_until: datetime
    hostname_match: bool | None
    trusted: bool | None
    failures: tuple[TrustFailure, ...]
    trust_detail: str
    ocsp_stapled: OcspStatus | None = None
    names_ocsp: bool | None = None
    ocsp_until: datetime | None = None

    @property
    def leaf(self) -> ServedCertificate:
        """The server's own certificate."""
        return self.chain[0]

    @property
    def linked(self) -> tuple[ServedCertificate, ...]:
        """The served certificates that clients use: those on the path."""
        return tuple(self.chain[place] for place in self.path)

    def ended_since(self, now: Time) -> bool:
        """Whether a certificate of the path has ended, and was last seen before its end."""
        return self.valid_until < now and TrustFailure.EXPIRED not in self.failures

    def at(self, now: Time) -> "Deployment":
        """What is still known of the chain at this time.

        Servers renew in time, so a date that has passed says nothing about the certificate that is there now. An
        expired chain is known only when it was seen after its end.
        """
        known = self
        if self.ocsp_until is not None and self.ocsp_until < now and self.ocsp_stapled not in _LASTING:
            known = replace(known, ocsp_stapled=None, ocsp_until=None)
        ended = self.ended_since(now)
        begun = self.valid_from <= now and TrustFailure.NOT_YET_VALID in self.failures
        if not (ended or begun):
            return known
        failures = tuple(one for one in self.failures if one is not TrustFailure.NOT_YET_VALID or not begun)
        trusted = None if set(failures) <= {TrustFailure.NAME_MISMATCH} else self.trusted
        return replace(known, trusted=trusted, failures=failures, trust_detail=ENDED_SINCE if ended else BEGUN_SINCE)

    def turns(self) -> Iterator[datetime]:
        """The moments at which `at` changes its result, and at which the leaf has little time left."""
        if TrustFailure.EXPIRED not in self.failures:
            yield self.valid_until
            lifetime = timedelta(seconds=max(0, self.leaf.lifetime_seconds))
            yield from (self.leaf.not_after - min(left, share * lifetime) for left, share in _WARNED_AT)
        if TrustFailure.NOT_YET_VALID in self.failures:
            yield self.valid_from
        if self.ocsp_until is not None:
            yield self.ocsp_until

    @property
    def path_not_after(self) -> datetime | None:
        """Earliest end on the verified path, including the root.

        From then on OpenSSL refuses the chain. None where it refuses it already.
        """
        return self.valid_until if self.trusted else None

    @property
    def title(self) -> str:
        """Name of the chain among the others: kind of the leaf's key and start of its fingerprint."""
        return f"{self.leaf.key_algorithm} {self.leaf.fingerprint_sha256[:8]}"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """All certificate chains of a service that were seen.

    Attributes:
        deployments: distinct chains, at least one; the first is what a modern client gets.
        deployments_complete: there are no others with other kinds of keys.
        client_authentication: None when it is not known.
        greeting: what the server said first inside TLS; shown as the software that it names. None where the server
            waits for the client, or said nothing in time.
    """

    deployments: tuple[Deployment, ...]
    deployments_complete: bool = False
    client_authentication: ClientAuthentication | None = None
    greeting: str | None = None

    @property
    def first(self) -> Deployment:
        """The chain that a modern client gets."""
        return self.deployments[0]

    @property
    def trusted(self) -> bool | None:
        """Whether all chains verify; None when no chain is known to fail, and one is not known."""
        return all_of(deployment.trusted for deployment in self.deployments)

    @property
    def hostname_match(self) -> bool | None:
        """Whether each leaf has the name of the service; None as for `trusted`."""
        return all_of(deployment.hostname_match for deployment in self.deployments)

    @property
    def failures(self) -> tuple[TrustFailure, ...]:
        """The reasons for which chains fail, each once."""
        return tuple(dict.fromkeys(failure for deployment in self.deployments for failure in deployment.failures))

    @property
    def chain_not_after(self) -> datetime:
        """Earliest end of all certificates served."""
        return min(one.not_after for deployment in self.deployments for one in deployment.chain)

    @property
    def path_not_after(self) -> datetime | None:
        """Earliest end on all verified paths, including their roots; None when no chain verifies."""
        return min((one.path_not_after for one in self.deployments if one.path_not_after is not None), default=None)

    def at(self, now: Time) -> "CertificateFacts":
        """What is still known of the chains at this time, see `Deployment.at`."""
        return replace(self, deployments=tuple(deployment.at(now) for deployment in self.deployments))

    def turns(self) -> Iterator[datetime]:
        """The moments at which that changes."""
        for deployment in self.deployments:
            yield from deployment.turns()
