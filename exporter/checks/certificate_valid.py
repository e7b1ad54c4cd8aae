"""Check `certificate_valid`: clients take every certificate that the server has, at the time of judgement."""

from collections.abc import Iterator
from datetime import datetime

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, passed, unknown
from exporter.probes.certificate import CertificateFacts, Deployment
from exporter.probes.trust import TrustFailure


class CertificateValidDemand(Demand):
    """Each chain leads to a trusted root, carries the name of the service, is in its time, and is not revoked."""


def _judge(case: Case, _demand: CertificateValidDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    evidence: dict[str, tuple[str, ...]] = {}
    for deployment in facts.deployments:
        reasons = dict.fromkeys((*evidence.get(deployment.title, ()), *_reasons(deployment, case.now)))
        if reasons:
            evidence[deployment.title] = tuple(reasons)
    if evidence:
        reasons = dict.fromkeys(reason for those in evidence.values() for reason in those)
        return failed(f"the certificate is not valid: {', '.join(reasons)}", evidence)
    if facts.trusted is None:
        return unknown("the trust store could not be read")
    if not facts.deployments_complete:
        return unknown("what was seen is valid, but there may be other certificates")
    until = min(deployment.valid_until for deployment in facts.deployments)
    return passed(f"valid until {until:%Y-%m-%d}")


def _reasons(deployment: Deployment, now: datetime) -> Iterator[str]:
    """What was wrong when it was seen, and what time has done since."""
    yield from deployment.failures
    if deployment.valid_until < now:
        yield TrustFailure.EXPIRED
    if now < deployment.valid_from:
        yield TrustFailure.NOT_YET_VALID


CHECK = Check(
    name="certificate_valid",
    demand=CertificateValidDemand,
    verdict=_judge,
    asks=lambda _demand: "a certificate that clients take",
)
