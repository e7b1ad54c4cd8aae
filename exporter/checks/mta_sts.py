"""Check `mta_sts`: the mail domain announces MTA-STS (RFC 8461) and asks for TLS reports (RFC 8460) in the DNS.

The check `mta_sts_policy` judges the policy that the record announces.
"""

from typing import Literal

from pydantic import Field

from exporter.case import Case
from exporter.facts.dns import MtaStsFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import DnsQuestion, Remedy
from exporter.remedies.servers import everywhere

SMTP = frozenset({"smtp", "smtps"})
"""Protocols of servers that other mail servers deliver to."""


class MtaStsDemand(Demand):
    """These TXT records must exist and be well-formed.

    Attributes:
        records: `mta_sts`, `tls_rpt` or both.
    """

    records: list[Literal["mta_sts", "tls_rpt"]] = Field(min_length=1)


def _judge(case: Case, demand: MtaStsDemand) -> Outcome:
    domain = case.target.mail_domain
    if domain is None:
        if case.target.protocol in SMTP:
            return unknown("the mail domain of the server is not configured (mail_domain)")
        return not_applicable("MTA-STS is for mail domains")
    facts = case.facts.get(MtaStsFacts)
    if facts is None or facts.domain != domain:
        return unknown("the records of the mail domain could not be looked up")
    there = {"mta_sts": facts.mta_sts, "tls_rpt": facts.tls_rpt}
    missing = [name for name in demand.records if there[name] is None]
    if missing:
        return failed(f"{domain} has no valid record for {', '.join(missing)}")
    return passed(f"{domain} has {', '.join(demand.records)}")


def _remedy(case: Case, demand: MtaStsDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The TXT records that are missing."""
    domain = case.target.mail_domain
    if domain is None:
        return everywhere("Configure the mail domain of the server (mail_domain).")
    facts = case.facts.get(MtaStsFacts)
    lines, notes = [], ["At each name there must be exactly one record of its kind: a broken one is to be replaced."]
    if "mta_sts" in demand.records and (facts is None or facts.mta_sts is None):
        day = case.now.day_text("%Y%m%d")
        lines.append(f'_mta-sts.{domain}. TXT "v=STSv1; id={day}"')
        notes.append(f"The policy lies at https://mta-sts.{domain}/.well-known/mta-sts.txt; the id changes with it.")
    if "tls_rpt" in demand.records and (facts is None or facts.tls_rpt is None):
        lines.append(f'_smtp._tls.{domain}. TXT "v=TLSRPTv1; rua=mailto:tls-reports@{domain}"')
        notes.append(f"Reports go to tls-reports@{domain}, or to the address that you put there.")
    return everywhere(" ".join(notes), *lines)


CHECK = Check(
    name="mta_sts",
    why=(
        "Without MTA-STS or DANE, someone on the way can remove STARTTLS, and mail between servers goes as "
        "plain text. TLS reports say which deliveries failed."
    ),
    demand=MtaStsDemand,
    verdict=_judge,
    asks=lambda demand: f"records of the mail domain for {' and '.join(demand.records)}",
    remedy=_remedy,
    questions=frozenset({DnsQuestion.MTA_STS}),
)
