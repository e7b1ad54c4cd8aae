"""Whether the current CAA records allow the CA that issued the current certificate (RFC 8659).

A CA checks CAA records when it issues, and never again. So a mismatch says that this CA will not issue the next
certificate, or that records and CA were changed separately. It does not prove that a certificate was issued against the
records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from typing_extensions import TypedDict

from exporter.case import Case
from exporter.derived.base import Derivation
from exporter.facts.certificate import CertificateFacts, Deployment
from exporter.facts.dns import CaaSet, DnsFacts
from exporter.facts.form import Key
from exporter.facts.shape import Shape
from exporter.model import Family, Sample, TrustFailure, Unit
from exporter.pki.authorities import KnownAuthority, authority_of
from exporter.pki.caa import Issuance, issuance


class CaaState(StrEnum):
    """What the records say about the issuer."""

    NOT_AUTHORISED = "not_authorised"
    LOOKUP_FAILED = "lookup_failed"
    UNKNOWN_ISSUER = "unknown_issuer"
    AUTHORISED = "authorised"
    NO_CAA = "no_caa"


WORST_FIRST = tuple(CaaState)
"""Order of states when there are several certificates or names: the first one counts.

What is certainly wrong comes first, then what is not known, then the rest.
"""

NAMELESS = frozenset(TrustFailure) - {TrustFailure.NAME_MISMATCH, TrustFailure.REVOKED}
"""With these failures it was not verified that the issuer is who its name says; anybody can write a name.

OpenSSL verifies from the anchor downwards and stops at the first error. After an expired certificate it does not check
signatures.
"""


@dataclass(frozen=True, slots=True)
class CaaVerdict:
    """The verdict for one name of one certificate, by the CAA records that apply to it.

    Attributes:
        name: a name in the certificate; a wildcard begins with `*.`.
        issuer: the CA's name in our table; None when the table does not have it, or it was not verified.
        why: the rest of a sentence about the certificate.
    """

    state: CaaState
    name: str
    certificate: str
    issuer: str | None
    why: str


@dataclass(frozen=True, slots=True)
class CaaIssuer:
    """The verdicts on all certificates of a service that contain its host's name, at least one."""

    verdicts: tuple[CaaVerdict, ...]

    @property
    def worst(self) -> CaaVerdict:
        """The verdict that counts."""
        return min(self.verdicts, key=lambda verdict: WORST_FIRST.index(verdict.state))

    @property
    def authorized(self) -> bool | None:
        """Whether every issuer may issue; None when an issuer or the records are not known."""
        match self.worst.state:
            case CaaState.NOT_AUTHORISED:
                return False
            case CaaState.LOOKUP_FAILED | CaaState.UNKNOWN_ISSUER:
                return None
            case CaaState.AUTHORISED | CaaState.NO_CAA:  # without records every CA may issue (RFC 8659, 3)
                return True if all(verdict.issuer for verdict in self.verdicts) else None


def _covering(deployment: Deployment, host: str) -> Iterator[str]:
    """The names in a certificate that match the host."""
    wildcard = f"*.{host.partition('.')[2]}"
    for name in deployment.subject_alternative_names:
        plain = name.removeprefix("DNS:").lower()
        if name.startswith("DNS:") and plain in {host, wildcard}:
            yield plain


def _relevant(facts: DnsFacts | None, host: str, name: str) -> CaaSet | None:
    """The record set that a CA checks before it issues for this name; None when it is not known.

    Names in certificates are complete. Records of a name that a search list made of the host do not apply to them.
    """
    if facts is None or facts.name is not None:
        return None
    of_host = CaaSet(facts.caa, facts.caa_domain)
    if not name.startswith("*.") or facts.caa_domain is None or facts.caa_domain.lower() != host:
        return of_host
    return facts.wildcard


def _authority(case: Case, deployment: Deployment) -> KnownAuthority | None:
    """The public CA that issued the certificate; None where that is not known.

    A private authority can have any name, so with `ca_file` no name is believed.
    """
    private = case.target.ca_file is not None
    if private or deployment.trusted is None or NAMELESS & set(deployment.failures):
        return None
    return authority_of(deployment.leaf.issuer)


def _verdict(case: Case, deployment: Deployment, name: str) -> CaaVerdict:
    authority = _authority(case, deployment)
    found = _relevant(case.facts.get(DnsFacts), case.target.host.lower(), name)
    state, why = _judge(found, authority, wildcard=name.startswith("*."))
    return CaaVerdict(state, name, deployment.title, authority.name if authority else None, why)


def _judge(found: CaaSet | None, authority: KnownAuthority | None, *, wildcard: bool) -> tuple[CaaState, str]:
    if found is None:
        return CaaState.LOOKUP_FAILED, "the CAA records that count for it could not be looked up"
    if not found.records:
        return CaaState.NO_CAA, "there are no CAA records, so any CA may issue it"
    if authority is None:
        return CaaState.UNKNOWN_ISSUER, "it is not known which domain its issuer uses in CAA records"
    allowed = issuance(found.records, wildcard=wildcard)
    who = f"{authority.name} ({authority.domains[0]})"
    if not allowed.allows(authority.domains):
        return CaaState.NOT_AUTHORISED, f"the CAA records at {found.domain} do not allow {who}, {_instead(allowed)}"
    if allowed.doubtful:
        tags = ", ".join(allowed.doubtful)
        return (
            CaaState.UNKNOWN_ISSUER,
            f"{tags} is critical, and it is not known whether it stops {who} from issuing",
        )
    return CaaState.AUTHORISED, f"the CAA records at {found.domain} allow {who}"


def _instead(allowed: Issuance) -> str:
    if allowed.critical:
        return f"nor anybody: {', '.join(allowed.critical)} is critical and not known"
    named = dict.fromkeys(grant.issuer for grant in allowed.grants if grant.issuer)
    return f"but {', '.join(named)}" if named else "nor anybody"


def _derive(case: Case) -> CaaIssuer | None:
    certificates = case.facts.get(CertificateFacts)
    if certificates is None or case.target.host_is_ip:
        return None
    host = case.target.host.lower()
    verdicts = [_verdict(case, one, name) for one in certificates.deployments for name in _covering(one, host)]
    return CaaIssuer(tuple(dict.fromkeys(verdicts))) if verdicts else None


AUTHORIZED = Family(
    "tls_posture_caa_issuer_authorized",
    "Whether the CAA records of now allow the CA that issued the certificate; absent where it is not known by which "
    "domain that CA goes (as of the last scan)",
    Unit.FLAG,
    "when the CAA domain of the CA is not known, a lookup failed, or no certificate carries the name of the host",
)


def _samples(facts: CaaIssuer) -> Iterator[Sample]:
    if facts.authorized is not None:
        yield Sample(AUTHORIZED, facts.authorized)


class CaaNameForm(TypedDict):
    """One name of one certificate, by the CAA records that apply to it."""

    name: Annotated[str, Key("name in the certificate that stands for the host")]
    certificate: Annotated[str, Key("kind of its key, and beginning of its fingerprint")]
    issuer: Annotated[
        str | None, Key("the CA that issued it; null when its CAA domain is not known, or it was not verified")
    ]
    state: Annotated[CaaState, Key("what the records say of that CA")]


class CaaIssuerForm(TypedDict):
    """Whether CAA records allow the CAs that issued the certificates."""

    state: Annotated[CaaState, Key("the worst of the names below")]
    names: Annotated[list[CaaNameForm], Key("each name of each certificate that stands for the host")]


class CaaIssuerKeys(TypedDict):
    """What follows from CAA records and certificates."""

    # It follows from records of the name, and from chains of which some are seen in passing.
    caa_issuer: Annotated[CaaIssuerForm, Key("whether the CAA records allow the CAs that issued", compared=False)]


def _document(facts: CaaIssuer) -> CaaIssuerKeys:
    names: list[CaaNameForm] = [
        {"name": one.name, "certificate": one.certificate, "issuer": one.issuer, "state": one.state}
        for one in facts.verdicts
    ]
    return {"caa_issuer": {"state": facts.worst.state, "names": names}}


DERIVATION = Derivation(
    derive=_derive,
    shape=Shape(
        CaaIssuer,
        CaaIssuerKeys,
        _document,
        (AUTHORIZED,),
        samples=_samples,
        title="CAA and the issuer of the certificate",
    ),
)
