"""What documents for people begin with: each target in one line, and how many of each condition there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.facts.certificate import CertificateFacts
from exporter.grade import Grade, Letter
from exporter.model import Finding, Report, Severity, Verdict
from exporter.ranking import Condition, cause, causes, condition, failed_checks
from exporter.reports.base import ReportSet

WORDS: Mapping[Condition, str] = {
    Condition.CRITICAL: "fails, critical",
    Condition.WARNING: "fails, warning",
    Condition.INFO: "fails, info",
    Condition.UNKNOWN: "unknown",
    Condition.UNREACHABLE: "unreachable",
    Condition.ACCEPTED: "fails, accepted",
    Condition.COMPLIES: "passes",
}
"""Each condition as it is shown."""
_BEST_FIRST = tuple(Letter)


@dataclass(frozen=True, slots=True)
class TargetLine:
    """One target in short.

    Attributes:
        reports: one for each address, at least one.
        failed: checks that fail at any address and are not accepted, the worst severity first.
        accepted, unknown: checks of which that is so at any address.
        grade: the worst of all addresses; None where one is not known.
        until: when the first certificate ends; None where no certificate is known.
        problem: why an address was not reached, or what a probe could not find out; empty if there is nothing.
    """

    name: str
    reports: Sequence[Report]
    condition: Condition
    failed: Mapping[Severity, Sequence[str]]
    accepted: Sequence[str]
    unknown: Sequence[str]
    grade: Letter | None
    until: datetime | None
    problem: str

    @property
    def word(self) -> str:
        """The condition as it is shown."""
        return WORDS[self.condition]

    @property
    def checks(self) -> list[str]:
        """All checks that fail and are not accepted, the worst severity first, each once."""
        return list(dict.fromkeys(check for checks in self.failed.values() for check in checks))


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """All targets in short.

    Attributes:
        lines: in the order of the reports.
        counts: condition -> number of targets, the worst first; only those that there are.
        failures: severity -> number of findings that fail and are not accepted.
    """

    lines: Sequence[TargetLine]
    counts: Mapping[Condition, int]
    failures: Mapping[Severity, int]


def overview(reports: ReportSet) -> ReportSummary:
    """The targets in short."""
    lines = list(map(_line, reports.reports))
    counted = Counter(line.condition for line in lines)
    failed = Counter(
        one.severity for of_target in reports.reports for report in of_target for one in report.findings if one.is_open
    )
    return ReportSummary(
        lines,
        {one: counted[one] for one in Condition if counted[one]},
        {severity: failed[severity] for severity in Severity},
    )


def _line(of_target: Sequence[Report]) -> TargetLine:
    findings = [finding for report in of_target for finding in report.findings]
    return TargetLine(
        of_target[0].target.name,
        of_target,
        condition(of_target),
        failed_checks(of_target),
        _checks([one for one in findings if one.accepted is not None]),
        _checks([one for one in findings if one.verdict is Verdict.UNKNOWN]),
        _grade(of_target),
        _until(of_target),
        "; ".join(causes(of_target)) or "; ".join(problems(of_target)),
    )


def _checks(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(one.check for one in findings))


def problems(of_target: Sequence[Report]) -> list[str]:
    """What probes could not find out in the last scan, each once."""
    said = (f"{one.probe}: {cause(one)}" for report in of_target for one in report.result.failures)
    return list(dict.fromkeys(said))


def _grade(of_target: Sequence[Report]) -> Letter | None:
    grades = [grade.letter if (grade := one.facts.get(Grade)) else None for one in of_target]
    known = [letter for letter in grades if letter is not None]
    return max(known, key=_BEST_FIRST.index) if len(known) == len(grades) else None


def _until(of_target: Sequence[Report]) -> datetime | None:
    certificates = (one.facts.get(CertificateFacts) for one in of_target)
    return min((one.valid_until for facts in certificates if facts for one in facts.deployments), default=None)


def titled(finding: Finding, of_policy: Sequence[Finding]) -> str:
    """The check, with its severity if its policy has several demands for it: unique among findings of one policy."""
    several = sum(one.check == finding.check and one.policy == finding.policy for one in of_policy) > 1
    return f"{finding.check} ({finding.severity})" if several else finding.check
