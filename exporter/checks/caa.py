"""Check `caa`: CAA records say who may issue certificates for the host (RFC 8659)."""

from typing import Literal

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.probes.dns import DnsFacts

_RESTRICTING = "issue"
"""A set without it lets every CA issue for the host (RFC 8659, 4.2); issuewild is for wildcards alone (4.3)."""


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
    records = tuple(f'{record.flags} {record.tag} "{record.value}"' for record in facts.caa)
    evidence = {str(facts.caa_domain): records}
    if not any(record.tag == _RESTRICTING for record in facts.caa):
        return failed("the CAA records restrict no certification authority for this name", evidence)
    return passed(f"{len(records)} CAA record{'s' if len(records) > 1 else ''} at {facts.caa_domain}")


CHECK = Check(name="caa", demand=CaaDemand, judge=_judge)
