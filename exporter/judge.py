"""Judges targets: their valid facts, by each policy, at one moment. Pure, except for reading policies."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from exporter.agreement import disagreements
from exporter.case import NO_NEIGHBOURS, Case, Neighbours
from exporter.checks.registry import CHECKS
from exporter.derived.registry import DERIVATIONS
from exporter.exceptions import NO_EXCEPTIONS, Exceptions
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.signature import changed, signature
from exporter.judging.check import Check, Demand
from exporter.judging.items import today
from exporter.model import (
    CLOCK_TOLERANCE,
    Addresses,
    DnsQuestion,
    Facts,
    Finding,
    Reason,
    Report,
    ScanResult,
    Seen,
    Target,
    Verdict,
    holds,
)
from exporter.moments import Now, Time, noting
from exporter.policies import Policy, load_policy
from exporter.probes.base import Probe
from exporter.probes.registry import PROBES
from exporter.software.files import load_table, shipped_table
from exporter.software.support import SupportTable


def alone(_name: str) -> Neighbours:
    """Neighbours of a target without any."""
    return NO_NEIGHBOURS


@dataclass(frozen=True, slots=True)
class Judge:
    """Makes reports. Has everything that they depend on, except the scan and the time. Pure.

    Attributes:
        policies: the loaded policies, by the name or path that targets use.
        table: the end of support of software releases.
        neighbours: name of a target -> what is known of others now and affects it.
        exceptions: which failures are accepted.
    """

    policies: Mapping[str, Policy]
    table: SupportTable = field(default_factory=shipped_table)
    neighbours: Callable[[str], Neighbours] = alone
    exceptions: Exceptions = NO_EXCEPTIONS

    def policies_of(self, target: Target) -> tuple[Policy, ...]:
        """The policies of the target."""
        return tuple(self.policies[policy] for policy in target.policies)

    def with_questions(self, target: Target) -> Target:
        """The target with exactly the DNS questions that its policies need."""
        return _asking(target, _questions(self.policies_of(target)))

    def each_with_questions(self, targets: Iterable[Target]) -> Iterator[Target]:
        """The same for each of these targets, of which thousands have the same policies."""
        questions: dict[tuple[str, ...], frozenset[DnsQuestion]] = {}
        for target in targets:
            asked = questions.get(target.policies)
            if asked is None:
                asked = questions[target.policies] = _questions(self.policies_of(target))
            yield _asking(target, asked)

    def with_all_questions(self, target: Target) -> Target:
        """The target with the DNS questions of all policies of this judge."""
        return _asking(target, _questions(self.policies.values()))

    def after_scan(
        self, results: Sequence[ScanResult], now: datetime, previous: Sequence[Seen] = ()
    ) -> tuple[Report, ...]:
        """The reports after a scan of each address of one target, see `seen_after`."""
        return self.reports(seen_after(results, now, previous), results[0].target, now)

    def reports(self, seen: Sequence[Seen], target: Target, now: Time) -> tuple[Report, ...]:
        """The reports at this time on what was seen, for the target as it is configured now.

        Expired facts are left out. A `Now` notes when the reports can change by time alone.
        """
        return together(self.each_report(seen, target, now))

    def each_report(self, seen: Sequence[Seen], target: Target, now: Time) -> Iterator[Report]:
        """The reports one by one, each made when it is asked for; `together` compares them."""
        for one in seen:
            yield self._report(replace(one.result, target=target), one.facts, one.last_success_at, noting(now))

    def next_turn(self, seen: Sequence[Seen], target: Target, since: datetime) -> datetime | None:
        """The first moment after `since` at which a date that was seen makes something unknown; None without one."""
        policies = self.policies_of(target)
        return min((turn for one in seen for turn in _turns(one.facts, policies) if turn > since), default=None)

    def _report(self, result: ScanResult, facts: Facts, last_success: datetime | None, now: Now) -> Report:
        target = result.target
        case = Case(target, held(facts, target, now), now, self.neighbours(target.name), self.table)
        for derivation in DERIVATIONS:
            part = derivation.derive(case)
            if part is not None:
                # As old as the scan, not as the judgement: a report without changes is equal to the one before.
                case = replace(case, facts=case.facts.with_part(part, result.ended_at))
        policies = self.policies_of(target)
        found = [finding for policy in policies for finding in findings_of(case, policy)]
        findings = self.exceptions.applied(target, found, today(case))
        if last_success is not None and last_success > now + CLOCK_TOLERANCE:
            last_success = None  # the clock was set back since, so the time that has passed is unknown
        return Report(
            result, case.facts, last_success, tuple(policy.name for policy in policies), findings, today(case)
        )


def _questions(policies: Iterable[Policy]) -> frozenset[DnsQuestion]:
    demanded = frozenset[str]().union(*(policy.demands for policy in policies))
    return frozenset[DnsQuestion]().union(*(check.questions for check in CHECKS if check.name in demanded))


def _asking(target: Target, questions: frozenset[DnsQuestion]) -> Target:
    return target if target.questions == questions else replace(target, questions=questions)


def seen_after(results: Sequence[ScanResult], now: datetime, previous: Sequence[Seen] = ()) -> tuple[Seen, ...]:
    """What is known after a scan of each address of one target.

    Facts that this scan could not find out, or that were not due, are taken from what was known before of the same
    address while they are valid. They are valid for the target's `max_age`, and longer where they are not due with
    every scan.

    An address that this scan did not find is left out. When the scan could not find out which addresses there are, the
    known addresses stay, as not reached, until all facts about them have expired.
    """
    before = {one.address: one for one in previous}
    known = [address for address in before if address is not None]
    if known and all(result.address is None and result.target.addresses is Addresses.ALL for result in results):
        unreached = [replace(result, address=address) for address in known for result in results]
        seen = tuple(_seen_after(result, now, before[result.address]) for result in unreached)
        if any(_seen_since(one.facts, now - one.target.max_age) for one in seen):
            return seen
    return tuple(_seen_after(result, now, before.get(result.address)) for result in results)


def _seen_after(result: ScanResult, now: datetime, previous: Seen | None) -> Seen:
    if previous is None:
        return Seen(result, result.facts, result.ended_at if result.success else None)
    valid = previous.facts.without(
        probe.kind for probe in PROBES if not _valid(probe, previous.facts, result.target, now)
    )
    last_success = result.ended_at if result.success else previous.last_success_at
    return Seen(result, _facts_of(result, valid), last_success)


def load_judge(
    targets: Iterable[Target],
    eol_files: Sequence[str],
    neighbours: Callable[[str], Neighbours] = alone,
    others: Iterable[str] = (),
    exceptions: Exceptions = NO_EXCEPTIONS,
) -> Judge:
    """The judge of these targets, with their policies and others, and the table of releases extended by these files.

    Raises:
        ConfigError: a policy or a file cannot be used.
    """
    named = {*others, *(policy for target in targets for policy in target.policies)}
    return Judge({policy: load_policy(policy) for policy in named}, load_table(eol_files), neighbours, exceptions)


def findings_of(case: Case, policy: Policy) -> tuple[Finding, ...]:
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


def held(facts: Facts, target: Target, now: Time) -> Facts:
    """The valid facts of the target's probes, without what dates in them have put in doubt."""
    held = Facts()
    for probe in PROBES:
        part = probe.later(facts.get(probe.kind), now) if _valid(probe, facts, target, now) else None
        seen_at = facts.seen_at(probe.kind)
        held = held if part is None or seen_at is None else held.with_part(part, seen_at)
    return held


def _valid(probe: Probe[Any], facts: Facts, target: Target, now: Time) -> bool:
    """Whether the facts of this probe still count."""
    seen_at = facts.seen_at(probe.kind)
    return seen_at is not None and probe.applies(target) and holds(seen_at, now, target.max_age + probe.longer(target))


def _turns(facts: Facts, policies: Sequence[Policy]) -> Iterator[datetime]:
    for probe in PROBES:
        part = facts.get(probe.kind)
        if part is not None:
            yield from probe.turns(part)
    for policy in policies:
        for check in CHECKS:
            for demand in policy.demands.get(check.name, ()):
                yield from check.turns(facts, demand)


def _facts_of(result: ScanResult, before: Facts) -> Facts:
    """The facts of the scan, completed by earlier ones.

    If time ran out, the scan's hellos show only a part. The complete facts of an earlier scan stay where this part does
    not contradict them.
    """
    facts = result.facts
    cut = any(one.probe == PROBES[0].name and one.reason is Reason.DEADLINE_EXCEEDED for one in result.failures)
    part, whole = facts.get(HandshakeFacts), before.get(HandshakeFacts)
    if cut and part is not None and whole is not None and _goes_with(part, whole, result):
        facts = facts.without([HandshakeFacts])
    return facts.over(before)


def _goes_with(part: HandshakeFacts, whole: HandshakeFacts, result: ScanResult) -> bool:
    """Whether the part does not contradict the complete facts, and knows no more protocols."""
    known = [sum(accepted is not None for accepted in one.protocols.values()) for one in (part, whole)]
    new = any(
        not set(names) <= set(whole.cipher_suites.get(protocol, ()))
        for protocol, names in part.cipher_suites.items()
        if protocol not in whole.cipher_suites_incomplete
    )
    before, now = (signature(Facts().with_part(one, result.started_at), result.target) for one in (whole, part))
    return known[0] <= known[1] and not new and not changed(before, now)


def _seen_since(facts: Facts, since: datetime) -> bool:
    return any((at := facts.seen_at(probe.kind)) is not None and at >= since for probe in PROBES)


def together(reports: Iterable[Report]) -> tuple[Report, ...]:
    """The reports of all addresses of one target, with what they disagree on."""
    several = tuple(reports)
    found = disagreements(several)
    return tuple(replace(report, disagreements=found) for report in several)
