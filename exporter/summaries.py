"""What lists of targets show and are filtered by, ready without judging anything again.

A complete report takes milliseconds to make. So the publisher keeps what follows of each target when it is judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from exporter.certificate_summaries import CertificateSummary, certificates_of
from exporter.grade import Grade, Letter
from exporter.model import Finding, Report, Severity, Target, Verdict
from exporter.selectors import labels_of

_BEST_FIRST = tuple(Letter)


class VerdictOf(NamedTuple):
    """One verdict.

    Attributes:
        accepted: the operator accepts this failure today.
    """

    policy: str
    check: str
    verdict: Verdict
    severity: Severity
    accepted: bool = False


_shared = lru_cache(maxsize=4096)(VerdictOf)
"""The same verdicts are found of thousands of targets."""


@dataclass(frozen=True, slots=True)
class AddressSummary:
    """What is known of one address of a target.

    Attributes:
        address: None for a target that is scanned at one address only.
        success: of the last scan.
        grade: None where it is not known.
        scanned_at: end of the last scan.
        last_success_at: end of the last successful scan; None if there was none.
        certificates: the server's own, one for each kind of key; empty where none is known.
    """

    address: str | None
    success: bool
    grade: Letter | None
    scanned_at: datetime
    last_success_at: datetime | None
    certificates: tuple[CertificateSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class LatestVerdicts:
    """The latest reports of a target in short.

    Attributes:
        addresses: at least one.
        compliant: policy -> whether it is met at every address; None where nothing fails but something is unknown.
        verdicts: of every address, each once.
    """

    addresses: tuple[AddressSummary, ...]
    compliant: Mapping[str, bool | None]
    verdicts: tuple[VerdictOf, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One target in short.

    Attributes:
        policies: their names, in the order of the target.
        judged: None before the first scan.
    """

    target: Target
    policies: tuple[str, ...]
    judged: LatestVerdicts | None

    @property
    def addresses(self) -> tuple[AddressSummary, ...]:
        """Those that were scanned; empty before the first scan."""
        return self.judged.addresses if self.judged else ()

    @property
    def compliant(self) -> dict[str, bool | None]:
        """Policy -> whether it is met; None also before the first scan."""
        known = self.judged.compliant if self.judged else {}
        return {policy: known.get(policy) for policy in self.policies}

    @property
    def failed(self) -> dict[str, list[str]]:
        """Policy -> its checks that fail at any address, sorted; only policies with one."""
        failed: dict[str, dict[str, None]] = {}
        for one in sorted(self.judged.verdicts if self.judged else ()):
            if one.verdict is Verdict.FAIL and one.policy in self.policies:
                failed.setdefault(one.policy, {})[one.check] = None
        return {policy: list(checks) for policy, checks in failed.items()}

    @property
    def accepted(self) -> dict[str, list[str]]:
        """The part of `failed` that the operator accepts: checks of which every failure is accepted."""
        open_failures = {
            (one.policy, one.check)
            for one in (self.judged.verdicts if self.judged else ())
            if one.verdict is Verdict.FAIL and not one.accepted
        }
        accepted = {
            policy: [check for check in checks if (policy, check) not in open_failures]
            for policy, checks in self.failed.items()
        }
        return {policy: checks for policy, checks in accepted.items() if checks}

    @property
    def success(self) -> bool | None:
        """Whether the last scan was successful at every address; None before the first scan."""
        return all(one.success for one in self.addresses) if self.addresses else None

    @property
    def grade(self) -> Letter | None:
        """The worst of all addresses; None where the grade of one is not known."""
        letters = [one.grade for one in self.addresses]
        known = [letter for letter in letters if letter is not None]
        return max(known, key=_BEST_FIRST.index) if known and len(known) == len(letters) else None

    @property
    def scanned_at(self) -> datetime | None:
        """End of the last scan; None before the first one."""
        return max((one.scanned_at for one in self.addresses), default=None)

    @property
    def last_success_at(self) -> datetime | None:
        """Since when an address was not scanned with success; None where one never was."""
        times = [one.last_success_at for one in self.addresses]
        known = [at for at in times if at is not None]
        return min(known) if known and len(known) == len(times) else None

    @property
    def labels(self) -> dict[str, str]:
        """What selectors compare."""
        return labels_of(self.target)


def judged_of(reports: Sequence[Report]) -> LatestVerdicts:
    """What is kept of the reports of one target, of which there is at least one."""
    found = (finding for report in reports for finding in report.findings)
    return LatestVerdicts(
        tuple(map(_address_summary, reports)),
        {policy: _together([report.compliant_with(policy) for report in reports]) for policy in reports[0].policies},
        tuple(dict.fromkeys(map(_verdict_of, found))),
    )


def _verdict_of(finding: Finding) -> VerdictOf:
    return _shared(finding.policy, finding.check, finding.verdict, finding.severity, finding.accepted is not None)


def _address_summary(report: Report) -> AddressSummary:
    grade = report.facts.get(Grade)
    result = report.result
    return AddressSummary(
        report.address,
        result.success,
        grade.letter if grade else None,
        result.ended_at,
        report.last_success_at,
        certificates_of(report.facts),
    )


def _together(met: Sequence[bool | None]) -> bool | None:
    if False in met:
        return False
    return None if None in met else True
