"""Check `mta_sts_policy`: the mail domain has an MTA-STS policy that covers this server (RFC 8461, 3.2 and 4.1)."""

from typing import Literal

from pydantic import Field

from exporter.case import Case
from exporter.checks.mta_sts import SMTP
from exporter.facts.dns import StsPolicy, StsPolicyFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import DnsQuestion, Remedy
from exporter.remedies.servers import everywhere

_POLICY_SECONDS = 604800
"""A week (RFC 8461, 10.2: weeks or more)."""


class MtaStsPolicyDemand(Demand):
    """Such a policy must exist.

    Attributes:
        modes: the accepted modes.
    """

    modes: list[Literal["enforce", "testing"]] = Field(min_length=1)


def _judge(case: Case, demand: MtaStsPolicyDemand) -> Outcome:
    domain = case.target.mail_domain
    if domain is None:
        if case.target.protocol in SMTP:
            return unknown("the mail domain of the server is not configured (mail_domain)")
        return not_applicable("MTA-STS is for mail domains")
    facts = case.facts.get(StsPolicyFacts)
    if facts is None or facts.domain != domain:
        return unknown("the policy of the mail domain could not be fetched")
    if facts.policy is None:
        return failed(f"{domain} has no valid MTA-STS policy: {facts.why}")
    return _look_at(case, demand, facts, facts.policy)


def _look_at(case: Case, demand: MtaStsPolicyDemand, facts: StsPolicyFacts, policy: StsPolicy) -> Outcome:
    host, evidence = case.target.host, {"mx": policy.mx}
    if policy.mode not in demand.modes:
        return failed(f"the MTA-STS policy of {facts.domain} is in mode {policy.mode}")
    if case.target.host_is_ip:
        return unknown("the name of this mail server is not known", evidence)
    if not policy.covers(host):
        return failed(f"the MTA-STS policy of {facts.domain} does not cover {host}", evidence)
    if not facts.plain_text:
        return unknown(f"the MTA-STS policy of {facts.domain} is not text/plain, and senders need not accept it")
    return passed(f"the MTA-STS policy of {facts.domain} covers {host}, mode {policy.mode}")


def _remedy(case: Case, demand: MtaStsPolicyDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The policy file for the web server of the mail domain, from what is known of the file and of this server."""
    domain, facts = case.target.mail_domain, case.facts.get(StsPolicyFacts)
    policy = facts.policy if facts else None
    covered = policy.mx if policy else ()
    names = covered if policy and policy.covers(case.target.host) else (*covered, case.target.host)
    seconds = policy.max_age_seconds if policy else _POLICY_SECONDS
    mode = policy.mode if policy and policy.mode in demand.modes else demand.modes[0]
    lines = ("version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in names), f"max_age: {seconds}")
    note = (
        f"{outcome.summary}. The file is https://mta-sts.{domain}/.well-known/mta-sts.txt, as text/plain, with a "
        f"certificate for that name; the id in the TXT record of _mta-sts.{domain} changes with it."
    )
    return everywhere(note, *lines)


CHECK = Check(
    name="mta_sts_policy",
    why=(
        "Senders follow the policy that the DNS record announces. In mode enforce, they do not deliver mail "
        "to a server that the policy does not name."
    ),
    demand=MtaStsPolicyDemand,
    verdict=_judge,
    asks=lambda demand: (
        f"an MTA-STS policy of the mail domain that covers the server, in mode {' or '.join(demand.modes)}"
    ),
    remedy=_remedy,
    questions=frozenset({DnsQuestion.MTA_STS_POLICY}),
)
