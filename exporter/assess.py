"""Judgement of one target: the facts that hold, under its policies, at one moment. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from exporter.agreement import disagreements
from exporter.case import NO_NEIGHBOURS, Case, Neighbours
from exporter.checks.registry import CHECKS
from exporter.derived.registry import DERIVATIONS
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.signature import changed, signature
from exporter.judging.check import Check, Demand
from exporter.judging.items import today
from exporter.model import (
    CLOCK_TOLERANCE,
    Addresses,
    Facts,
    Finding,
    Reason,
    Report,
    ScanResult,
    Target,
    Verdict,
    holds,
)
from exporter.policies import Policy
from exporter.probes.registry import PROBES
from exporter.software.files import shipped_table
from exporter.software.support import SupportTable


def judge(case: Case, policy: Policy) -> tuple[Finding, ...]:
    """A finding for each demand that the policy makes."""
    return tuple(
        _finding(check, case, demand, policy.name) for check in CHECKS for demand in policy.demands.get(check.name, ())
    )


def _finding(check: Check[Any], case: Case, demand: Demand, policy: str) -> Finding:
    outcome = check.judge(case, demand)
    return Finding(
        check.name,
        outcome.verdict,
        demand.severity,
        outcome.summary,
        outcome.evidence,
        policy,
        check.asks(demand),
        tuple(dict.fromkeys((demand.source, *outcome.sources))),
        check.advise(case, demand, outcome) if outcome.verdict is Verdict.FAIL else (),
    )


def held(facts: Facts, target: Target, now: datetime) -> Facts:
    """The facts of probes that the target has, as long as they hold, and what dates in them have not put in doubt."""
    held = Facts()
    for probe in PROBES:
        seen_at = facts.seen_at(probe.kind)
        if seen_at is not None and probe.applies(target) and holds(seen_at, now, target.max_age + probe.longer(target)):
            part = probe.later(facts.get(probe.kind), now)
            held = held if part is None else held.with_part(part, seen_at)
    return held


def next_turn(reports: Sequence[Report], policies: Sequence[Policy], since: datetime) -> datetime | None:
    """The first moment after `since` at which a date in these reports puts something in doubt; None without one."""
    return min((turn for report in reports for turn in _turns(report.facts, policies) if turn > since), default=None)


def _turns(facts: Facts, policies: Sequence[Policy]) -> Iterator[datetime]:
    for probe in PROBES:
        part = facts.get(probe.kind)
        if part is not None:
            yield from probe.turns(part)
    for policy in policies:
        for check in CHECKS:
            for demand in policy.demands.get(check.name, ()):
                yield from check.turns(facts, demand)


def assess(  # noqa: PLR0913 - all that a judgement hangs on
    result: ScanResult,
    policies: Sequence[Policy],
    now: datetime,
    previous: Report | None = None,
    neighbours: Neighbours = NO_NEIGHBOURS,
    *,
    table: SupportTable | None = None,
) -> Report:
    """The report after a scan.

    Facts that this scan could not tell, or that were not due, are taken from the previous report, as long as they hold:
    for the target's `max_age`, and longer where they are not due with every scan. The table says until when software is
    maintained; without one it is the one that comes with the program.
    """
    facts = _facts_of(result, previous.facts) if previous else result.facts
    last_success = result.ended_at if result.success else previous.last_success_at if previous else None
    return _report(result, facts, policies, now, last_success, neighbours, table)


def _facts_of(result: ScanResult, before: Facts) -> Facts:
    """What the scan found, over what was known before.

    Hellos that ran out of time show a part. The whole of an earlier scan stays where this part does not go against it.
    """
    facts = result.facts
    cut = any(one.probe == PROBES[0].name and one.reason is Reason.DEADLINE_EXCEEDED for one in result.failures)
    part, whole = facts.get(HandshakeFacts), before.get(HandshakeFacts)
    if cut and part is not None and whole is not None and _goes_with(part, whole, result):
        facts = facts.without([HandshakeFacts])
    return facts.over(before)


def _goes_with(part: HandshakeFacts, whole: HandshakeFacts, result: ScanResult) -> bool:
    """Whether nothing in the part speaks against the whole, and the whole has no fewer protocols known."""
    known = [sum(accepted is not None for accepted in one.protocols.values()) for one in (part, whole)]
    new = any(
        not set(names) <= set(whole.cipher_suites.get(protocol, ()))
        for protocol, names in part.cipher_suites.items()
        if protocol not in whole.incomplete
    )
    before, now = (signature(Facts().with_part(one, result.started_at), result.target) for one in (whole, part))
    return known[0] <= known[1] and not new and not changed(before, now)


def assess_all(  # noqa: PLR0913 - all that a judgement hangs on
    results: Sequence[ScanResult],
    policies: Sequence[Policy],
    now: datetime,
    previous: Sequence[Report] = (),
    neighbours: Neighbours = NO_NEIGHBOURS,
    *,
    table: SupportTable | None = None,
) -> tuple[Report, ...]:
    """The reports after a scan of each address of one target: what is said of an address stands with that address.

    An address that was not among them any more has no report. When it could not be found out which there are, the ones
    known before stay, as not reached, until nothing that was seen there holds any longer.
    """
    before = {report.address: report for report in previous}
    known = [address for address in before if address is not None]
    if known and all(result.address is None and result.target.addresses is Addresses.ALL for result in results):
        unreached = [replace(result, address=address) for address in known for result in results]
        reports = [
            assess(result, policies, now, before[result.address], neighbours, table=table) for result in unreached
        ]
        if any(_seen_since(report.facts, now - report.target.max_age) for report in reports):
            return _together(reports)
    return _together(
        assess(result, policies, now, before.get(result.address), neighbours, table=table) for result in results
    )


def reassess_all(  # noqa: PLR0913 - all that a judgement hangs on
    reports: Sequence[Report],
    target: Target,
    policies: Sequence[Policy],
    now: datetime,
    neighbours: Neighbours = NO_NEIGHBOURS,
    *,
    table: SupportTable | None = None,
) -> tuple[Report, ...]:
    """The reports of one target at a later time, each as `reassess`."""
    return _together(reassess(report, target, policies, now, neighbours, table=table) for report in reports)


def _seen_since(facts: Facts, since: datetime) -> bool:
    return any((at := facts.seen_at(probe.kind)) is not None and at >= since for probe in PROBES)


def _together(reports: Iterable[Report]) -> tuple[Report, ...]:
    several = tuple(reports)
    found = disagreements(several)
    return tuple(replace(report, disagreements=found) for report in several)


def reassess(  # noqa: PLR0913 - all that a judgement hangs on
    report: Report,
    target: Target,
    policies: Sequence[Policy],
    now: datetime,
    neighbours: Neighbours = NO_NEIGHBOURS,
    *,
    table: SupportTable | None = None,
) -> Report:
    """The same report at a later time, for the target as it is configured now.

    Facts that do not hold any longer go, and the rest is judged anew.
    """
    result = replace(report.result, target=target)
    return _report(result, report.facts, policies, now, report.last_success_at, neighbours, table)


def _report(  # noqa: PLR0913, PLR0917 - all that a report is made of
    result: ScanResult,
    facts: Facts,
    policies: Sequence[Policy],
    now: datetime,
    last_success: datetime | None,
    neighbours: Neighbours,
    table: SupportTable | None,
) -> Report:
    case = Case(result.target, held(facts, result.target, now), now, neighbours, table or shipped_table())
    for derivation in DERIVATIONS:
        part = derivation.derive(case)
        if part is not None:
            # As old as the scan, and not as the judgement: a report that says nothing new is equal to the one before.
            case = replace(case, facts=case.facts.with_part(part, result.ended_at))
    names = tuple(policy.name for policy in policies)
    findings = tuple(finding for policy in policies for finding in judge(case, policy))
    if last_success is not None and last_success > now + CLOCK_TOLERANCE:
        last_success = None  # the clock was set back since: nobody knows how long ago it was
    return Report(result, case.facts, names, findings, last_success, today(case))
