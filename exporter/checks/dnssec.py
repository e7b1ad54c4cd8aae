"""Check `dnssec`: the DNS records of the host are signed, and a validating resolver found the signatures valid."""

from typing import Literal

from exporter.case import Case
from exporter.facts.dns import DnsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Remedy
from exporter.remedies.servers import everywhere


class DnssecDemand(Demand):
    """The answer for the host must be validated (RFC 4035, 3.2.3)."""

    required: Literal[True]


def _judge(case: Case, _demand: DnssecDemand) -> Outcome:
    host = case.target.host
    if case.target.host_is_ip:
        return not_applicable("DNSSEC is for domain names")
    facts = case.facts.get(DnsFacts)
    if facts is None:
        return unknown("the host's records could not be looked up; wrong signatures look like that too")
    match facts.dnssec:
        case True:
            return passed(f"{host} is signed by DNSSEC")
        case False:
            return failed(f"{host}, or a name that it is an alias of, is not signed by DNSSEC")
        case None:
            return unknown("no resolver is configured that is said to validate (resolver: validating)")


def _remedy(case: Case, _demand: DnssecDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """What the operator of the zone must do."""
    host = case.target.host
    return everywhere(
        f"Sign the zone of {host} and give its DS record to the registry by way of the registrar; where {host} is an "
        "alias (CNAME), the zone that it leads to must be signed as well."
    )


CHECK = Check(
    name="dnssec",
    why=(
        "Without signatures, someone who can change answers of the DNS decides where clients connect, and may "
        "get a certificate for the name."
    ),
    demand=DnssecDemand,
    verdict=_judge,
    asks=lambda _demand: "records of the host that are signed by DNSSEC",
    remedy=_remedy,
)
