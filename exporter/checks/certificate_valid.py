"""Check `certificate_valid`: clients accept every certificate of the server, at the time of judgement."""

from collections.abc import Container, Iterator

from exporter.case import Case
from exporter.facts.certificate import BEGUN_SINCE, ENDED_SINCE, CertificateFacts, Deployment
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy, TrustFailure
from exporter.pki.purpose import USAGE_UNREADABLE
from exporter.remedies.certificates import failing, missing_issuer, replacement
from exporter.remedies.servers import listed, quoted


class CertificateValidDemand(Demand):
    """Each chain leads to a trusted root, has the name of the service, is within its validity, and is not revoked."""


def _judge(case: Case, _demand: CertificateValidDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    facts = facts.at(case.now)
    evidence: dict[str, tuple[str, ...]] = {}
    for deployment in facts.deployments:
        reasons = dict.fromkeys((*evidence.get(deployment.title, ()), *deployment.failures))
        if reasons:
            evidence[deployment.title] = tuple(reasons)
    if evidence:
        reasons = dict.fromkeys(reason for those in evidence.values() for reason in those)
        return failed(f"the certificate is not valid: {', '.join(reasons)}", evidence)
    if facts.trusted is None:
        return unknown(_why_unknown(facts))
    if facts.hostname_match is None:
        return unknown("the names in a certificate cannot be read")
    if not facts.deployments_complete:
        return unknown("what was seen is valid, but there may be other certificates")
    until = min(deployment.valid_until for deployment in facts.deployments)
    return passed(f"valid until {until:%Y-%m-%d}")


def _why_unknown(facts: CertificateFacts) -> str:
    """Why the verdict is unknown: a date that has passed, an unreadable certificate, or else the trust store."""
    details = {deployment.trust_detail for deployment in facts.deployments if deployment.trusted is None}
    why = next((detail for detail in (ENDED_SINCE, BEGUN_SINCE, USAGE_UNREADABLE) if detail in details), None)
    return f"whether the certificate is valid is not known: {why}" if why else "the trust store could not be read"


def _remedy(case: Case, _demand: CertificateValidDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What to do about each reason for the failure."""
    reasons = {text for texts in outcome.evidence.values() for text in texts}
    notes = [note for one in failing(case, outcome.evidence) for note in _advice(case, one, reasons)]
    return replacement(case, notes, files=TrustFailure.INCOMPLETE_CHAIN in reasons)


def _advice(case: Case, one: Deployment, reasons: Container[str]) -> Iterator[str]:
    name, issuer = case.target.verified_name, quoted(one.linked[-1].issuer if one.path else one.leaf.issuer)
    names = listed([quoted(other) for other in one.subject_alternative_names[:8]]) or "no name at all"
    texts = {
        TrustFailure.EXPIRED: f"Renew the certificate {one.title}: it, or an issuer of it, ended on "
        f"{one.valid_until:%Y-%m-%d}. Let renewal be automatic (ACME), and the server load the new one.",
        TrustFailure.NOT_YET_VALID: f"The certificate {one.title} counts from {one.valid_from:%Y-%m-%d}: until then "
        "serve the one before it.",
        TrustFailure.SELF_SIGNED: f"Get a certificate for {name} from a CA that clients trust, or let clients (and "
        "here ca_file) trust this one.",
        TrustFailure.UNKNOWN_ISSUER: f"Clients do not know {issuer}: get a certificate for {name} from a CA that they "
        "trust, or let them (and here ca_file) trust that one.",
        TrustFailure.INCOMPLETE_CHAIN: missing_issuer(one),
        TrustFailure.NAME_MISMATCH: f"Get a certificate with {name} among its names; {one.title} has {names}.",
        TrustFailure.PROFILE: "Get a certificate whose key, signature and extensions are fit for a TLS server "
        f"({one.trust_detail or 'OpenSSL gives no reason'}).",
        TrustFailure.REVOKED: "Get a certificate with a new key: this one is revoked, maybe as its key is not safe.",
        TrustFailure.OTHER: f"Fix the error of the verification: {one.trust_detail or 'it gives no reason'}.",
    }
    yield from (text for failure, text in texts.items() if failure in reasons)


CHECK = Check(
    name="certificate_valid",
    why=(
        "Clients refuse a certificate that has expired, has another name, or does not lead to a root that "
        "they trust: programs fail, and people get used to ignoring warnings."
    ),
    demand=CertificateValidDemand,
    verdict=_judge,
    asks=lambda _demand: "a certificate that clients take",
    remedy=_remedy,
)
