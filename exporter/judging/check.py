"""The definition of a check. A new check is a file with a `CHECK` and an entry in `exporter.checks.registry`.

A check also has a remedy: what to change when it fails.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import Field

from exporter.case import Case
from exporter.judging.items import Dated, today
from exporter.model import DnsQuestion, Facts, Family, Remedy, Sample, Severity, Verdict
from exporter.moments import AnyDay
from exporter.remedies.servers import everywhere


class Demand(Dated):
    """What a policy asks of one check; its section in the policy file.

    Attributes:
        severity: how much a failure matters.
        source: where the demand is written, for people.
    """

    severity: Severity
    source: str = Field(min_length=1)


D = TypeVar("D", bound=Demand)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reason in one sentence and its evidence.

    Attributes:
        sources: sources of the parts of the demand that fail, where these parts name a source of their own.
    """

    verdict: Verdict
    summary: str
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    sources: tuple[str, ...] = ()


def _no_samples(_facts: Facts, _demands: object, _policy: str, _day: AnyDay) -> Iterable[Sample]:
    return ()


def _no_turns(_facts: Facts, _demand: object) -> Iterable[datetime]:
    return ()


@dataclass(frozen=True, slots=True)
class Check(Generic[D]):
    """One check.

    Attributes:
        name: also the label value, the key in policies and the page in the handbook.
        why: what can happen where a server fails, for people.
        demand: shape of its section in a policy.
        verdict: facts and a demand that is in force to an outcome; raises nothing.
        asks: the demand as a phrase: "TLSv1.2, TLSv1.3 only".
        remedy: what to change, from the facts, the demand and a failed outcome: lines for servers and zone files, and
            notes; raises nothing. Where it gives nothing, `advise` repeats the evidence.
        families: metric families that need the policy, in addition to `tls_posture_check_passed`.
        full: those families that only `metrics.detail: full` shows.
        samples: facts, all demands of a policy, its name and the day (UTC) to samples of these families.
        questions: DNS look-ups that only this check needs.
        turns: facts and a demand to moments from which on a new scan must find out whether the server fails; in any
            order, past moments included.
    """

    name: str
    why: str
    demand: type[D]
    verdict: Callable[[Case, D], Outcome]
    asks: Callable[[D], str]
    remedy: Callable[[Case, D, Outcome], tuple[Remedy, ...]]
    families: tuple[Family, ...] = ()
    full: frozenset[Family] = frozenset()
    samples: Callable[[Facts, Sequence[D], str, AnyDay], Iterable[Sample]] = _no_samples
    questions: frozenset[DnsQuestion] = frozenset()
    turns: Callable[[Facts, D], Iterable[datetime]] = _no_turns

    def judge(self, case: Case, demand: D) -> Outcome:
        """The outcome. A demand that is not in force gives `not_applicable`."""
        if not demand.counts(today(case)):
            return not_applicable(f"in force{demand.days}")
        return self.verdict(case, demand)

    def advise(self, case: Case, demand: D, outcome: Outcome) -> tuple[Remedy, ...]:
        """What to change so that this check passes: a remedy for each server software that it may run, at least one.

        Args:
            case: the facts, with what is derived from them.
            demand: what the policy asks.
            outcome: the outcome of the check: a failure.
        """
        made = tuple(one for one in self.remedy(case, demand, outcome) if one.lines or one.note)
        return made or everywhere(f"Set it as asked for; seen was: {outcome.summary}.")


def passed(summary: str) -> Outcome:
    """The facts meet the demand."""
    return Outcome(Verdict.PASS, summary)


def failed(
    summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None, sources: tuple[str, ...] = ()
) -> Outcome:
    """The facts do not meet the demand."""
    return Outcome(Verdict.FAIL, summary, evidence or {}, sources)


def unknown(summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None) -> Outcome:
    """It is not known whether the facts meet the demand."""
    return Outcome(Verdict.UNKNOWN, summary, evidence or {})


def not_applicable(summary: str) -> Outcome:
    """The question does not apply to this target."""
    return Outcome(Verdict.NOT_APPLICABLE, summary)
