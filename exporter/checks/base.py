"""What a check is. A new one is a file with a `CHECK` of this kind, and an entry in `exporter.checks.registry`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from exporter.case import Case
from exporter.model import DnsQuestion, Facts, Family, Sample, Severity, Verdict


class Demand(BaseModel):
    """What a policy asks of one check; its section in the policy file.

    Attributes:
        severity: how much a failure matters.
        source: where the demand is written, for people.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Severity
    source: str


D = TypeVar("D", bound=Demand)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with its reason in one sentence and what it rests on."""

    verdict: Verdict
    summary: str
    evidence: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


def _no_samples(_facts: Facts, _demand: object, _policy: str) -> Iterable[Sample]:
    return ()


@dataclass(frozen=True, slots=True)
class Check(Generic[D]):
    """One check.

    Attributes:
        name: also its label value, its key in policies and its anchor in the documentation.
        demand: shape of its section in a policy.
        judge: gives the outcome; raises nothing.
        families: metric families that need the policy, beside `tls_posture_check_passed`.
        full: those of them that only `metrics.detail: full` shows.
        samples: facts, demand and policy name to samples of these families.
        questions: what has to be looked up for it in the DNS, which nobody else wants to know.
    """

    name: str
    demand: type[D]
    judge: Callable[[Case, D], Outcome]
    families: tuple[Family, ...] = ()
    full: frozenset[Family] = frozenset()
    samples: Callable[[Facts, D, str], Iterable[Sample]] = _no_samples
    questions: frozenset[DnsQuestion] = frozenset()


def passed(summary: str) -> Outcome:
    """It meets the demand."""
    return Outcome(Verdict.PASS, summary)


def failed(summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None) -> Outcome:
    """It does not."""
    return Outcome(Verdict.FAIL, summary, evidence or {})


def unknown(summary: str, evidence: Mapping[str, tuple[str, ...]] | None = None) -> Outcome:
    """It could not be told."""
    return Outcome(Verdict.UNKNOWN, summary, evidence or {})


def not_applicable(summary: str) -> Outcome:
    """The question does not arise for this target."""
    return Outcome(Verdict.NOT_APPLICABLE, summary)
