"""Check `certificate_lifetime`: no certificate of the server is valid for longer than the policy allows."""

import math

from pydantic import Field

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.certificates import failing, replacement

_DAY_SECONDS = 86_400


class CertificateLifetimeDemand(Demand):
    """Maximum days from notBefore to notAfter of the leaf certificate; the last second is not counted."""

    max_days: float = Field(ge=1, strict=True)


def _judge(case: Case, demand: CertificateLifetimeDemand) -> Outcome:
    facts = case.facts.get(CertificateFacts)
    if facts is None:
        return unknown("the certificate could not be looked at")
    most = demand.max_days * _DAY_SECONDS
    long = {one.title: (f"{_days(one.leaf):g} days",) for one in facts.deployments if one.leaf.lifetime_seconds > most}
    summary = f"is made for {max(_days(one.leaf) for one in facts.deployments):g} days"
    if long:
        return failed(f"{summary}, more than {demand.max_days:g}", long)
    return passed(summary) if facts.deployments_complete else unknown(f"{summary}, but there may be other certificates")


def _days(leaf: ServedCertificate) -> float:
    """Days of validity, rounded up, so that a lifetime above the limit also looks like one."""
    return math.ceil(leaf.lifetime_seconds / _DAY_SECONDS * 100) / 100


def _remedy(case: Case, demand: CertificateLifetimeDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """A shorter validity period."""
    notes = [
        f"Replace {one.title}, which is valid for {one.leaf.lifetime_seconds / _DAY_SECONDS:.0f} days, by one for "
        f"{demand.max_days:g} days at most."
        for one in failing(case, outcome.evidence)
    ]
    advice = "With automatic renewal (ACME) the shortest period that the CA offers costs nothing."
    return replacement(case, [*notes, advice])


CHECK = Check(
    name="certificate_lifetime",
    why=(
        "A stolen key is of use until its certificate ends, because few clients check revocation. Public CAs "
        "may issue for at most 200 days since March 2026, and for 47 days from March 2029 (CA/Browser Forum, "
        "ballot SC-081v3)."
    ),
    demand=CertificateLifetimeDemand,
    verdict=_judge,
    asks=lambda demand: f"a certificate made for {demand.max_days:g} days at most",
    remedy=_remedy,
)
