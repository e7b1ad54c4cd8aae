"""Findings for people: by step or by policy, what fails first."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from os.path import commonprefix

from exporter.model import Finding, Remedy, Report, Severity, Verdict
from exporter.policies.steps import CHECKLIST, STEPS, steps

ACCEPTED = "accepted"
WORST_FIRST = ("fail", ACCEPTED, "unknown", "pass", "not_applicable")
"""Names of marks: the values of verdicts, and that of a failure that is accepted."""
GOOD = frozenset({"pass", "not_applicable"})
NOT_BAD = GOOD | {"unknown"}
_SEVERITIES = tuple(Severity)

Since = Mapping[tuple[str, str], datetime]
"""Policy and check -> since when the verdict is as it is."""


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """One finding.

    Attributes:
        anchor: id of its element; unique on the page.
        title: the check, with its severity if the policy has several demands for it.
        mark: its verdict, or `accepted`.
        change: what to change, in sentences that apply to every server.
        remedies: what to change on each server, without these sentences.
        since: since when the check has this verdict; None where that is not known.
    """

    finding: Finding
    anchor: str
    title: str
    mark: str
    change: str
    remedies: tuple[Remedy, ...]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings that are shown together: a step of the checklist, or a policy.

    Attributes:
        title: the step; empty for a policy.
        mark: the worst of them.
        open: the others, the worst first.
        closed: what is folded: what passes or does not apply, and what is not known where nothing is.
    """

    title: str
    mark: str
    open: tuple[ShownFinding, ...]
    closed: tuple[ShownFinding, ...]


@dataclass(frozen=True, slots=True)
class ShownPolicy:
    """What one policy says of one address.

    Attributes:
        met: None where nothing fails but something is not known, or where nothing applies.
        mark: the worst mark of its findings.
        counts: mark -> number of findings, the worst first; only marks that occur.
    """

    name: str
    met: bool | None
    mark: str
    counts: Mapping[str, int]
    groups: tuple[FindingGroup, ...]


def mark_of(finding: Finding) -> str:
    """The name of the mark."""
    return ACCEPTED if finding.verdict is Verdict.FAIL and finding.accepted is not None else finding.verdict.value


def worst(marks: Iterable[str]) -> str:
    """The worst mark. What does not apply is ignored, unless there is nothing else."""
    return min(marks, key=WORST_FIRST.index, default="not_applicable")


def shown_policies(report: Report, prefix: str, since: Since, closed: Collection[str]) -> tuple[ShownPolicy, ...]:
    """The findings of each policy, in the target's order.

    Args:
        report: of one address.
        prefix: makes anchors of this address unique.
        since: since when verdicts are as they are.
        closed: the marks of findings that are folded.
    """
    used: set[str] = set()
    return tuple(_policy(report, policy, prefix, since, used, closed) for policy in report.policies)


def _policy(  # noqa: PLR0913, PLR0917 - as above
    report: Report, policy: str, prefix: str, since: Since, used: set[str], closed: Collection[str]
) -> ShownPolicy:
    findings = [finding for finding in report.findings if finding.policy == policy]
    several = {check for check, count in Counter(one.check for one in findings).items() if count > 1}
    shown = [_finding(one, several, prefix, since, used) for one in findings]
    marks = Counter(one.mark for one in shown)
    counts = {mark: marks[mark] for mark in WORST_FIRST if marks[mark]}
    groups = _steps(shown, closed) if policy == CHECKLIST else (_group("", shown, closed),)
    return ShownPolicy(policy, report.compliant_with(policy), worst(counts), counts, tuple(groups))


def _steps(shown: Sequence[ShownFinding], closed: Collection[str]) -> Iterator[FindingGroup]:
    """The steps in order, then checks that belong to none."""
    for number, checks in steps().items():
        of_step = [one for one in shown if one.finding.check in checks]
        if of_step:
            yield _group(f"Step {number}: {STEPS[number]}", of_step, closed)
    known = {check for checks in steps().values() for check in checks}
    others = [one for one in shown if one.finding.check not in known]
    if others:
        yield _group("Other checks", others, closed)


def _group(title: str, shown: Sequence[ShownFinding], closed: Collection[str]) -> FindingGroup:
    ordered = sorted(shown, key=_rank)
    return FindingGroup(
        title,
        worst(one.mark for one in shown),
        tuple(one for one in ordered if one.mark not in closed),
        tuple(one for one in ordered if one.mark in closed),
    )


def _rank(one: ShownFinding) -> tuple[int, int]:
    return WORST_FIRST.index(one.mark), _SEVERITIES.index(one.finding.severity)


def _finding(finding: Finding, several: set[str], prefix: str, since: Since, used: set[str]) -> ShownFinding:
    title = f"{finding.check} ({finding.severity})" if finding.check in several else finding.check
    change = shared_sentences([remedy.note for remedy in finding.remedy])
    remedies = tuple(replace(one, note=one.note.removeprefix(change).strip()) for one in finding.remedy)
    anchor = _anchor(finding, prefix, used)
    return ShownFinding(
        finding, anchor, title, mark_of(finding), change.strip(), remedies, since.get((finding.policy, finding.check))
    )


def _anchor(finding: Finding, prefix: str, used: set[str]) -> str:
    """`check-CHECK` for the first finding of a check; others also name the policy and the severity."""
    short = f"{prefix}check-{finding.check}"
    names = (short, f"{short}-{finding.policy}", f"{short}-{finding.policy}-{finding.severity}")
    anchor = next(name for name in names if name not in used)
    used.add(anchor)
    return anchor


def shared_sentences(notes: Sequence[str]) -> str:
    """The sentences at the start that all notes share; empty for a single note."""
    if len(notes) < 2:
        return ""
    alike = commonprefix([f"{note} " for note in notes])  # noqa: RUF071 - characters are meant
    return alike[: alike.rfind(". ") + 1]
