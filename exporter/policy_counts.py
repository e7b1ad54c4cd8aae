"""How the targets of each policy do: counts, and who fails what."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model import Verdict
from exporter.summaries import Summary, VerdictOf

MOST_NAMED = 10


class Standing(StrEnum):
    """How a target does."""

    MET = "met"
    FAILED = "failed"
    UNKNOWN = "unknown"


def standing(met: bool | None) -> Standing:
    """How a target does by whether it meets its policy."""
    return Standing.UNKNOWN if met is None else Standing.MET if met else Standing.FAILED


class CheckState(StrEnum):
    """The verdict of one check for one target: the worst of its addresses, and of the demands."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


_WORST_FIRST = (CheckState.FAIL, CheckState.ACCEPTED, CheckState.UNKNOWN, CheckState.PASS, CheckState.NOT_APPLICABLE)
"""A pass hides demands that do not apply, and nothing else."""
_FAIL, _ACCEPTED, _UNKNOWN, _PASS, _NOT_APPLICABLE = range(len(_WORST_FIRST))


def _rank(one: VerdictOf) -> int:
    """Its place in `_WORST_FIRST`. A number, because hashing enumerations takes most of the time of a count."""
    verdict = one.verdict
    if verdict is Verdict.PASS:
        return _PASS
    if verdict is Verdict.FAIL:
        return _ACCEPTED if one.accepted else _FAIL
    return _UNKNOWN if verdict is Verdict.UNKNOWN else _NOT_APPLICABLE


@dataclass(slots=True)
class CheckCounts:
    """One check of a policy.

    Attributes:
        failing: the first `MOST_NAMED` targets by name that fail.
    """

    failing: list[str] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=lambda: [0] * len(_WORST_FIRST))

    def add(self, name: str, rank: int) -> None:
        """Count a target."""
        self._numbers[rank] += 1
        if rank == _FAIL and len(self.failing) < MOST_NAMED:
            self.failing.append(name)

    @property
    def states(self) -> dict[CheckState, int]:
        """Number of targets, where there are any."""
        return {state: number for state, number in zip(_WORST_FIRST, self._numbers, strict=True) if number}


@dataclass(slots=True)
class PolicyCounts:
    """One policy.

    Attributes:
        targets: number of targets by how they do.
        failing: the first `MOST_NAMED` targets by name that fail.
        checks: by name; without those that no target has a verdict of.
    """

    targets: Counter[Standing] = field(default_factory=Counter)
    failing: list[str] = field(default_factory=list)
    checks: dict[str, CheckCounts] = field(default_factory=dict)


async def count_policies(summaries: AsyncIterable[Summary]) -> dict[str, Counter[Standing]]:
    """Policy -> number of its targets by how they do. Policies without targets are left out."""
    counts: dict[str, Counter[Standing]] = {}
    async for summary in summaries:
        for policy, met in summary.compliant.items():
            counts.setdefault(policy, Counter())[standing(met)] += 1
    return counts


async def count_policy(summaries: AsyncIterable[Summary], policy: str) -> PolicyCounts:
    """The counts of one policy."""
    counts = PolicyCounts()
    async for summary in summaries:
        if policy not in summary.policies:
            continue
        found = standing(summary.compliant[policy])
        counts.targets[found] += 1
        if found is Standing.FAILED and len(counts.failing) < MOST_NAMED:
            counts.failing.append(summary.target.name)
        verdicts = summary.judged.verdicts if summary.judged else ()
        for check, rank in _worst(verdicts, policy).items():
            if check not in counts.checks:
                counts.checks[check] = CheckCounts()
            counts.checks[check].add(summary.target.name, rank)
    return counts


def _worst(verdicts: Iterable[VerdictOf], policy: str) -> dict[str, int]:
    """Check -> the rank of its worst verdict."""
    worst: dict[str, int] = {}
    for one in verdicts:
        if one.policy == policy:
            rank = _rank(one)
            if rank < worst.get(one.check, len(_WORST_FIRST)):
                worst[one.check] = rank
    return worst
