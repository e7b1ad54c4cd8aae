"""What a check is. A new one is a file with a `CHECK` of this kind, and an entry in `exporter.checks.registry`.

A check also says what to change where it fails: its remedy.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import Field

from exporter.case import Case
from exporter.judging.items import Dated, today
from exporter.model import DnsQuestion, Facts, Family, Remedy, Sample, Severity, Verdict
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
    """A verdict with its reason in one sentence and what it rests on.

    Attributes:
        sources: where the parts of the demand are written that it fails by, where they say so themselves.
    """

    verdict: Verdict
    summary: str
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    sources: tuple[str, ...] = ()


def _no_samples(_facts: Facts, _demands: object, _policy: str, _day: date) -> Iterable[Sample]:
    return ()


def _no_turns(_facts: Facts, _demand: object) -> Iterable[datetime]:
    return ()


@dataclass(frozen=True, slots=True)
class Check(Generic[D]):
    """One check.

    Attributes:
        name: also its label value, its key in policies and its anchor in the documentation.
        demand: shape of its section in a policy.
        verdict: gives the outcome of a demand that is in force; raises nothing.
        asks: the demand as a phrase: "TLSv1.2, TLSv1.3 only".
        remedy: what to change, from the facts, the demand and the outcome, which is a failure: lines for servers and
            zone files, and what to mind; raises nothing. Where it gives none, `advise` says what was seen.
        families: metric families that need the policy, beside `tls_posture_check_passed`.
        full: those of them that only `metrics.detail: full` shows.
        samples: facts, all demands of a policy, its name and the day (UTC) to samples of these families.
        questions: what has to be looked up for it in the DNS, which nobody else wants to know.
        turns: moments, from facts and a demand, from which on the server may be known to fail it only when it is looked
            at again; in any order, those that are over included.
    """

    name: str
    demand: type[D]
    verdict: Callable[[Case, D], Outcome]
    asks: Callable[[D], str]
    remedy: Callable[[Case, D, Outcome], tuple[Remedy, ...]]
    families: tuple[Family, ...] = ()
    full: frozenset[Family] = frozenset()
    samples: Callable[[Facts, Sequence[D], str, date], Iterable[Sample]] = _no_samples
    questions: frozenset[DnsQuestion] = frozenset()
    turns: Callable[[Facts, D], Iterable[datetime]] = _no_turns

    def judge(self, case: Case, demand: D) -> Outcome:
        """The outcome; a demand that is not in force does not apply."""
        if not demand.counts(today(case)):
            return not_applicable(f"in force{demand.days}")
        return self.verdict(case, demand)

    def advise(self, case: Case, demand: D, outcome: Outcome) -> tuple[Remedy, ...]:
        """What to change so that this check passes, for each server that the target may be; at least one remedy.

        Args:
            case: the facts, with what is derived from them.
            demand: what the policy asks.
            outcome: what the check said of them: a failure.
        """
        made = tuple(one for one in self.remedy(case, demand, outcome) if one.lines or one.note)
        return made or everywhere(f"Set it as asked for; seen was: {outcome.summary}.")


def passed(summary: str) -> Outcome:
    """It meets the demand."""
    return Outcome(Verdict.PASS, summary)


def failed(
    summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None, sources: tuple[str, ...] = ()
) -> Outcome:
    """It does not."""
    return Outcome(Verdict.FAIL, summary, evidence or {}, sources)


def unknown(summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None) -> Outcome:
    """It could not be told."""
    return Outcome(Verdict.UNKNOWN, summary, evidence or {})


def not_applicable(summary: str) -> Outcome:
    """The question does not arise for this target."""
    return Outcome(Verdict.NOT_APPLICABLE, summary)
