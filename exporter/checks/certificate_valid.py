"""Check `certificate_valid`: clients take every certificate that the server has, at the time of judgement."""

from exporter.case import Case
from exporter.facts.certificate import BEGUN_SINCE, ENDED_SINCE, CertificateFacts
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.pki.purpose import USAGE_UNREADABLE


class CertificateValidDemand(Demand):
    """Each chain leads to a trusted root, carries the name of the service, is in its time, and is not revoked."""


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
    """What time has done since, or what cannot be read of a certificate, or else the trust store."""
    details = {deployment.trust_detail for deployment in facts.deployments if deployment.trusted is None}
    why = next((detail for detail in (ENDED_SINCE, BEGUN_SINCE, USAGE_UNREADABLE) if detail in details), None)
    return f"whether the certificate is valid is not known: {why}" if why else "the trust store could not be read"


CHECK = Check(
    name="certificate_valid",
    demand=CertificateValidDemand,
    verdict=_judge,
    asks=lambda _demand: "a certificate that clients take",
)
