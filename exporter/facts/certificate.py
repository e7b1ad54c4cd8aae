"""What is known of a service's certificates: plain data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from exporter.model import ClientAuthentication, TrustFailure
from exporter.ternary import all_of

INTRINSIC = "intrinsic"
"""Name of the hash where the signature algorithm has its own (RFC 8422, 5.1.3: Ed25519 and Ed448)."""


class OcspStatus(StrEnum):
    """What a stapled OCSP response is worth: label values of `tls_posture_certificate_ocsp_stapled_status`."""

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
        serial: hexadecimal, as all bytes here.
        spki_sha256: of the SubjectPublicKeyInfo, the same for all certificates with this key; None where the key
            cannot be read.
        key_algorithm: RSA, EC, DSA, Ed25519, Ed448, or the object identifier of another one. Where the certificate has
            one that cannot be read it is `unknown`, as are subject, issuer, serial and signature_algorithm.
        key_size_bits: None where the algorithm has no size of its own, or it cannot be read.
        curve: of an EC key (`P-256`, ...).
        signature_algorithm: OpenSSL's name, or the object identifier where it has none.
        signature_hash: `sha256`, ..., or `intrinsic`; None when it is not known.
        is_ca: by its basic constraints; None when they cannot be read.
        self_signed: signed with its own key.
        key_kind: of the key, finer than its algorithm: `RSA-PSS` is a key that signs with PSS alone (`PublicKey`).
        unreadable: parts that cannot be read, or only in part, each with the reason (`certificatePolicies: ...`); what
            depends on them is not known.
        fingerprint_sha512: TLSA records may go by it (RFC 6698, 2.1.3), as by the next; None where it was not taken.
        spki_sha512: None as well where the key cannot be read.
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
        """From the start of its validity to the end."""
        return (self.not_after - self.not_before).total_seconds()


ENDED_SINCE = "it has ended since it was last seen"
BEGUN_SINCE = "its time has begun since it was last seen"
_WARNED_AT = ((timedelta(days=21), 0.25), (timedelta(days=7), 0.1))
"""With less left than both, the alerts warn (prometheus/tls-posture.rules.yaml, certificate_left): before they do, the
server is looked at again, since it may have renewed."""
_LASTING = frozenset({OcspStatus.REVOKED, OcspStatus.EXPIRED, OcspStatus.INVALID})
"""What no later time takes back."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One chain that a server has, and what it is worth.

    Attributes:
        chain: as served, the leaf first.
        subject_alternative_names: of the leaf, `DNS:...` and `IP:...`.
        must_staple: the leaf has TLS feature status_request (RFC 7633); None when that cannot be read.
        sct_count: signed certificate timestamps in the leaf itself (RFC 6962, 3.3); other ways are not looked at.
        path: places in `chain` of the certificates from the leaf upwards: those that verification went by, or that
            hang together where it failed.
        ordered, surplus, root_served: see `exporter.pki.chain.Shape`.
        complete: no issuer is missing between the leaf and an anchor, or a self-signed certificate that is none; None
            when the trust store could not be read.
        valid_from: when the last of the path becomes valid, the anchor included where it is known.
        valid_until: when the first of the path ends, likewise.
        hostname_match: the leaf carries the name of the service; None where its names cannot be read.
        trusted: None when the trust store could not be read, or what the certificates may be used for.
        failures: why it is not to be trusted, all that is known.
        trust_detail: OpenSSL's sentence, or what is wrong with the trust store.
        ocsp_stapled: None when nothing was stapled, it was not looked for, or there is nothing to check it with.
        names_ocsp: the leaf names an OCSP server (RFC 5280, 4.2.2.1); None when that cannot be read.
        ocsp_until: up to when that can be said of the response; None when time alone changes nothing.
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
        """The served certificates that clients go by."""
        return tuple(self.chain[place] for place in self.path)

    def ended_since(self, now: datetime) -> bool:
        """Whether a certificate of the path has ended, and was last seen before that."""
        return self.valid_until < now and TrustFailure.EXPIRED not in self.failures

    def at(self, now: datetime) -> "Deployment":
        """What is still known of it at this time: servers renew in time, so a date that is over tells nothing of them.

        It is known that a chain has expired when it was seen after its end.
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
        """When `at` changes what it gives, and when little is left of the leaf."""
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
        """Earliest end on the verified path, the root included: from then on OpenSSL refuses it. None where it does."""
        return self.valid_until if self.trusted else None

    @property
    def title(self) -> str:
        """What it is called among the others: kind of its key and beginning of its fingerprint."""
        return f"{self.leaf.key_algorithm} {self.leaf.fingerprint_sha256[:8]}"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """All chains that were seen of a service.

    Attributes:
        deployments: distinct chains, at least one; the first is what a modern client gets.
        deployments_complete: there are no others, as far as kinds of keys go.
        client_authentication: None when it is not known.
        greeting: what the server said first inside TLS; shown as what it tells of its software. None where it waits to
            be asked, or said nothing in time.
    """

    deployments: tuple[Deployment, ...]
    deployments_complete: bool = False
    client_authentication: ClientAuthentication | None = None
    greeting: str | None = None

    @property
    def first(self) -> Deployment:
        """What a modern client gets."""
        return self.deployments[0]

    @property
    def trusted(self) -> bool | None:
        """Whether all verify; None when no chain fails, and of one it is not known."""
        return all_of(deployment.trusted for deployment in self.deployments)

    @property
    def hostname_match(self) -> bool | None:
        """Whether each leaf carries the name of the service; None likewise."""
        return all_of(deployment.hostname_match for deployment in self.deployments)

    @property
    def failures(self) -> tuple[TrustFailure, ...]:
        """What any of them fails for, each reason once."""
        return tuple(dict.fromkeys(failure for deployment in self.deployments for failure in deployment.failures))

    @property
    def chain_not_after(self) -> datetime:
        """Earliest end of all certificates served."""
        return min(one.not_after for deployment in self.deployments for one in deployment.chain)

    @property
    def path_not_after(self) -> datetime | None:
        """Earliest end on all verified paths, their roots included; None when no chain verifies."""
        return min((one.path_not_after for one in self.deployments if one.path_not_after is not None), default=None)

    def at(self, now: datetime) -> "CertificateFacts":
        """What is still known of the chains at this time, see `Deployment.at`."""
        return replace(self, deployments=tuple(deployment.at(now) for deployment in self.deployments))

    def turns(self) -> Iterator[datetime]:
        """When that changes."""
        for deployment in self.deployments:
            yield from deployment.turns()
