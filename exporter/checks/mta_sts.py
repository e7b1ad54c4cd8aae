"""Check `mta_sts`: the mail domain announces MTA-STS (RFC 8461) and asks for TLS reports (RFC 8460) in the DNS.

What the policy of MTA-STS demands, the check `mta_sts_policy` looks at.
"""

from typing import Literal

from pydantic import Field

from exporter.case import Case
from exporter.facts.dns import MtaStsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import DnsQuestion

SMTP = frozenset({"smtp", "smtps"})
"""Protocols of mail servers that others deliver to."""


class MtaStsDemand(Demand):
    """These TXT records must be there, and well-formed.

    Attributes:
        records: `mta_sts`, `tls_rpt` or both.
    """

    records: list[Literal["mta_sts", "tls_rpt"]] = Field(min_length=1)


def _judge(case: Case, demand: MtaStsDemand) -> Outcome:
    domain = case.target.mail_domain
    if domain is None:
        if case.target.protocol in SMTP:
            return unknown("it is not said which mail domain the server is of (mail_domain)")
        return not_applicable("MTA-STS is for mail domains")
    facts = case.facts.get(MtaStsFacts)
    if facts is None or facts.domain != domain:
        return unknown("the records of the mail domain could not be looked up")
    there = {"mta_sts": facts.mta_sts, "tls_rpt": facts.tls_rpt}
    missing = [name for name in demand.records if there[name] is None]
    if missing:
        return failed(f"{domain} has no record of use for {', '.join(missing)}")
    return passed(f"{domain} has {', '.join(demand.records)}")


CHECK = Check(
    name="mta_sts",
    demand=MtaStsDemand,
    verdict=_judge,
    asks=lambda demand: f"records of the mail domain for {' and '.join(demand.records)}",
    questions=frozenset({DnsQuestion.MTA_STS}),
)
