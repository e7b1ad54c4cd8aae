"""Check `hsts`: the first response carries an HSTS policy that browsers keep for long enough (RFC 6797)."""

from pydantic import Field

from exporter.case import Case
from exporter.derived.transport import is_taken
from exporter.facts.http import HttpFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Remedy
from exporter.remedies.http import NEEDS_CERTIFICATE, header_change, hsts_value
from exporter.remedies.servers import remedies


class HstsDemand(Demand):
    """Minimum max-age, in seconds."""

    min_max_age_seconds: int = Field(ge=1, strict=True)


def what_was_answered(case: Case) -> HttpFacts | Outcome:
    """The responses of a target that HSTS applies to, or the outcome where there is nothing to judge."""
    if case.target.protocol != "https":
        return not_applicable(f"HSTS is for https; this is {case.target.protocol}")
    if case.target.host_is_ip:
        return not_applicable("browsers keep no HSTS policy for IP addresses (RFC 6797, 8.1.1)")
    facts = case.facts.get(HttpFacts)
    if facts is None:
        return unknown("there was no response to look at")
    return facts


def ignored(case: Case) -> Outcome | None:
    """The outcome of a good policy that browsers ignore, or may ignore: they keep no policy after a TLS error."""
    match is_taken(case):
        case False:
            return failed("browsers refuse the certificate, and so keep no HSTS policy (RFC 6797, 8.1)")
        case None:
            return unknown("not known whether browsers accept the certificate, and so keep the HSTS policy")
        case True:
            return None


def _judge(case: Case, demand: HstsDemand) -> Outcome:
    facts = what_was_answered(case)
    if isinstance(facts, Outcome):
        return facts
    evidence = {"strict_transport_security": facts.hsts_fields}
    if facts.hsts is None:
        summary = "the HSTS header is not valid" if facts.hsts_fields else "there is no HSTS header"
        return failed(summary, evidence if facts.hsts_fields else None)
    if facts.hsts.max_age_seconds < demand.min_max_age_seconds:
        seen = facts.hsts.max_age_seconds
        return failed(f"max-age is {seen}, less than {demand.min_max_age_seconds}", evidence)
    return ignored(case) or passed(f"max-age is {facts.hsts.max_age_seconds}")


def _remedy(case: Case, demand: HstsDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The header with the demanded max-age; a certificate where the header is good."""
    if not outcome.evidence and (facts := case.facts.get(HttpFacts)) and facts.hsts_fields:
        return remedies(case, NEEDS_CERTIFICATE)
    return remedies(case, header_change(hsts_value(case, demand.min_max_age_seconds)))


CHECK = Check(
    name="hsts",
    why=(
        "Without HSTS, a browser may ask over plain HTTP first. Someone on the way can answer, and keep the "
        "visitor away from TLS."
    ),
    demand=HstsDemand,
    verdict=_judge,
    asks=lambda demand: f"an HSTS header with a max-age of {demand.min_max_age_seconds} seconds or more",
    remedy=_remedy,
)
