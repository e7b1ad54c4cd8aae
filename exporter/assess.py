"""Judgement of one target: the facts that hold, under its policy, at one moment. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from exporter.agreement import disagreements
from exporter.checks.base import Case
from exporter.checks.registry import CHECKS
from exporter.model import Addresses, Facts, Finding, Report, ScanResult, Target
from exporter.policies import Policy
from exporter.probes.registry import PROBES


def judge(case: Case, policy: Policy) -> tuple[Finding, ...]:
    """A finding for each check that the policy asks for."""
    findings = []
    for check in CHECKS:
        demand = policy.demands.get(check.name)
        if demand is None:
            continue
        outcome = check.judge(case, demand)
        findings.append(Finding(check.name, outcome.verdict, demand.severity, outcome.summary, outcome.evidence))
    return tuple(findings)


def assess(result: ScanResult, policy: Policy, now: datetime, previous: Report | None = None) -> Report:
    """The report after a scan.

    Facts that this scan could not tell are taken from the previous report, as long as they are no older than the
    target's `max_age`. A successful scan stands alone, save for what its optional probes could not tell.
    """
    older = previous.facts if previous else Facts()
    facts = result.facts.over(older, now - result.target.max_age)
    last_success = result.ended_at if result.success else previous.last_success_at if previous else None
    return _report(result, facts, policy, now, last_success)


def assess_all(
    results: Sequence[ScanResult], policy: Policy, now: datetime, previous: Sequence[Report] = ()
) -> tuple[Report, ...]:
    """The reports after a scan of each address of one target: what is said of an address stands with that address.

    An address that was not among them any more has no report. When it could not be found out which there are, the ones
    known before stay, as not reached, until nothing that was seen there holds any longer.
    """
    before = {report.address: report for report in previous}
    known = [address for address in before if address is not None]
    if known and all(result.address is None and result.target.addresses is Addresses.ALL for result in results):
        unreached = [replace(result, address=address) for address in known for result in results]
        reports = [assess(result, policy, now, before[result.address]) for result in unreached]
        if any(len(report.facts) for report in reports):
            return _together(reports)
    return _together(assess(result, policy, now, before.get(result.address)) for result in results)


def reassess_all(reports: Sequence[Report], target: Target, policy: Policy, now: datetime) -> tuple[Report, ...]:
    """The reports of one target at a later time, each as `reassess`."""
    return _together(reassess(report, target, policy, now) for report in reports)


def _together(reports: Iterable[Report]) -> tuple[Report, ...]:
    several = tuple(reports)
    found = disagreements(several)
    return tuple(replace(report, disagreements=found) for report in several)


def reassess(report: Report, target: Target, policy: Policy, now: datetime) -> Report:
    """The same report at a later time, for the target as it is configured now.

    Facts past `max_age` go, and the rest is judged anew.
    """
    facts = Facts().over(report.facts, now - target.max_age)
    return _report(replace(report.result, target=target), facts, policy, now, report.last_success_at)


def _report(result: ScanResult, facts: Facts, policy: Policy, now: datetime, last_success: datetime | None) -> Report:
    # What a probe saw before the target's protocol changed would never be seen again, and still be shown.
    facts = facts.without(probe.kind for probe in PROBES if not probe.applies(result.target))
    findings = judge(Case(result.target, facts, now), policy)
    return Report(result, facts, policy.name, findings, last_success)
