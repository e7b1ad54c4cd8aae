"""Check `certificate_expiry`: every certificate that clients use had time left for renewal when it was last seen."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import Field

from exporter.case import Case
from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Facts, Remedy
from exporter.moments import Now
from exporter.remedies.certificates import failing, replacement
from exporter.remedies.servers import quoted

_DAY_SECONDS = 86_400


class CertificateExpiryDemand(Demand):
    """The smaller of the two limits counts.

    Days suit certificates of a year; the share of the lifetime suits certificates of six days.
    """

    min_days: float = Field(ge=0, strict=True)
    min_lifetime_share: float = Field(ge=0, le=1, strict=True)


def _judge(case: Case, demand: CertificateExpiryDemand) -> Outcome:
    facts, seen_at = case.facts.get(CertificateFacts), case.facts.seen_at(CertificateFacts)
    if facts is None or seen_at is None:
        return unknown("the certificate could not be looked at")
    evidence: dict[str, tuple[str, ...]] = {}
    for deployment in facts.deployments:
        if deployment.ended_since(case.now):
            continue
        late = [one for one in deployment.linked if one.not_after - seen_at < _least(one, demand)]
        found = (f"{_where(one, deployment.leaf)} {_left(one.not_after, case.now)}" for one in late)
        if late:
            evidence[deployment.title] = tuple(dict.fromkeys((*evidence.get(deployment.title, ()), *found)))
    first = min(one.not_after for deployment in facts.deployments for one in deployment.linked)
    summary = f"the first to end {_left(first, case.now)}"
    if evidence:
        return failed(summary, evidence)
    if any(turn < case.now for turn in _turns(case.facts, demand)):
        return unknown(f"{summary}, and may have been renewed since it was last seen")
    if not facts.deployments_complete:
        return unknown(f"{summary}, but there may be other certificates")
    return passed(summary)


def _turns(facts: Facts, demand: CertificateExpiryDemand) -> Iterator[datetime]:
    """The moment at which each certificate that clients use has too little time left; servers renew before it."""
    seen = facts.get(CertificateFacts)
    for deployment in seen.deployments if seen else ():
        yield from (one.not_after - _least(one, demand) for one in deployment.linked)


def _least(certificate: ServedCertificate, demand: CertificateExpiryDemand) -> timedelta:
    lifetime = max(0, certificate.lifetime_seconds)  # some end before they begin
    return timedelta(seconds=min(demand.min_days * _DAY_SECONDS, lifetime * demand.min_lifetime_share))


def _where(certificate: ServedCertificate, leaf: ServedCertificate) -> str:
    return "the leaf" if certificate is leaf else f"the issuer {certificate.fingerprint_sha256[:8]}"


def _left(end: datetime, now: Now) -> str:
    """The time left in days, or in hours when it is short."""
    day = end.date().isoformat()
    return f"ended {_amount(end, now)} ago ({day})" if end < now else f"has {_amount(end, now)} left ({day})"


def _amount(end: datetime, now: Now) -> str:
    days = now.units_apart(end, timedelta(days=1))
    if days >= 2:
        return f"{days} days"
    hours = now.units_apart(end, timedelta(hours=1))
    return f"{hours} hour{'' if hours == 1 else 's'}"


def _remedy(case: Case, _demand: CertificateExpiryDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """When each certificate ends that the evidence names."""
    notes = []
    for one in failing(case, outcome.evidence):
        first = min(one.linked or one.chain, key=lambda certificate: certificate.not_after)
        what = f"certificate {one.title}" if first is one.leaf else f"certificate of the issuer {quoted(first.subject)}"
        late = "ended" if first.not_after < case.now else "ends"
        notes.append(f"Renew now: the {what} {late} on {first.not_after:%Y-%m-%d}.")
    renewal = "Let renewal be automatic (ACME) and begin with a third of the lifetime left; the server has to load it."
    return replacement(case, [*notes, renewal])


CHECK = Check(
    name="certificate_expiry",
    why=(
        "When a certificate expires, the service is down for its clients. Little time left means that a "
        "renewal has not worked."
    ),
    demand=CertificateExpiryDemand,
    verdict=_judge,
    asks=lambda demand: (
        f"{demand.min_days:g} days left, or {demand.min_lifetime_share:.0%} of the lifetime if that is less"
    ),
    remedy=_remedy,
    turns=_turns,
)
