"""Check `caa`: CAA records say who may issue certificates for the host (RFC 8659)."""

from typing import Literal

from exporter.case import Case
from exporter.facts.dns import DnsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.pki.caa import issuance


class CaaDemand(Demand):
    """Records that restrict issuance must be there."""

    required: Literal[True]


def _judge(case: Case, _demand: CaaDemand) -> Outcome:
    if case.target.host_is_ip:
        return not_applicable("CAA is for domain names")
    facts = case.facts.get(DnsFacts)
    if facts is None:
        return unknown("the CAA records could not be looked up")
    if not facts.caa:
        return failed("there are no CAA records")
    evidence = {str(facts.caa_domain): tuple(map(str, facts.caa))}
    if not issuance(facts.caa).restricted:
        return failed("the CAA records restrict no certification authority for this name", evidence)
    return passed(f"{len(facts.caa)} CAA record{'s' if len(facts.caa) > 1 else ''} at {facts.caa_domain}")


CHECK = Check(
    name="caa", demand=CaaDemand, verdict=_judge, asks=lambda _demand: "CAA records that restrict who may issue"
)
