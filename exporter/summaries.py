"""What lists of targets show and are filtered by, ready without judging anything again.

A complete report takes milliseconds to make. So the publisher keeps what follows of each target when it is judged.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from exporter.certificate_summaries import CertificateSummary, certificates_of
from exporter.facts.certificate import CertificateFacts
from exporter.grade import Grade, Letter
from exporter.model import Finding, Reason, Report, Severity, Target, Verdict
from exporter.ranking import unreached
from exporter.selectors import labels_of

_BEST_FIRST = tuple(Letter)
_NO_GRADE: frozenset[Letter | None] = frozenset({None})
_WORST_FIRST = tuple(Severity)
MOST_WORDS = 200
"""Characters of a summary that are kept for lists."""


class TargetState(StrEnum):
    """What is said of a target in one word, the worst first: its `ranking.Condition` without severities.

    Values:
        FAIL: a check fails, and this is not accepted.
        UNREACHABLE: the last scan made no TLS handshake at any address. Verdicts may still count, by older facts.
        UNKNOWN: nothing else fails, and something is unknown, or nothing applies.
        NEVER_SCANNED: no scan has ended yet.
        ACCEPTED: the operator accepts everything that fails.
        PASS: all policies are met.
    """

    FAIL = "fail"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    NEVER_SCANNED = "never_scanned"
    ACCEPTED = "accepted"
    PASS = "pass"  # noqa: S105 - a verdict


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


class FindingInWords(NamedTuple):
    """The finding of a target that a list shows.

    Attributes:
        summary: at most `MOST_WORDS` characters and an ellipsis.
        accepted: the operator accepts this failure today.
    """

    policy: str
    check: str
    severity: Severity
    summary: str
    accepted: bool = False


class FailedProbe(NamedTuple):
    """A probe that could not find out."""

    probe: str
    reason: Reason


# Most targets of a fleet have the same verdicts, words and failures as others, so that all of them share one.
_verdict_kept = lru_cache(maxsize=4096)(VerdictOf)
_words_kept = lru_cache(maxsize=4096)(FindingInWords)


@lru_cache(maxsize=4096)
def _verdicts_kept(verdicts: tuple[VerdictOf, ...]) -> tuple[VerdictOf, ...]:
    return verdicts


@lru_cache(maxsize=4096)
def _failures_kept(failures: tuple[tuple[str, Reason], ...]) -> tuple[FailedProbe, ...]:
    return tuple(FailedProbe(*one) for one in failures)


@lru_cache(maxsize=4096)
def _compliant_kept(compliant: tuple[tuple[str, bool | None], ...]) -> Mapping[str, bool | None]:
    return MappingProxyType(dict(compliant))


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
        certificate_ends_at: when the first certificate ends that clients use; None where none is known.
        failures: of the last scan.
        unreached: why the last scan made no handshake; None if it made one, or if the cause is on this machine.
    """

    address: str | None
    success: bool
    grade: Letter | None
    scanned_at: datetime
    last_success_at: datetime | None
    certificates: tuple[CertificateSummary, ...] = ()
    certificate_ends_at: datetime | None = None
    failures: tuple[FailedProbe, ...] = ()
    unreached: Reason | None = None


@dataclass(frozen=True, slots=True)
class LatestVerdicts:
    """The latest reports of a target in short.

    Attributes:
        addresses: at least one.
        compliant: policy -> whether it is met at every address; None where nothing fails but something is unknown.
        verdicts: of every address, each once.
        worst: the worst failure: one that is accepted only if all are; None without one.
        unknown: the most severe finding that is unknown; None without one.
    """

    addresses: tuple[AddressSummary, ...]
    compliant: Mapping[str, bool | None]
    verdicts: tuple[VerdictOf, ...]
    worst: FindingInWords | None = None
    unknown: FindingInWords | None = None


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
    def grades(self) -> frozenset[Letter | None]:
        """Of all addresses; None is a grade that is not known."""
        return frozenset(one.grade for one in self.addresses) or _NO_GRADE

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
    def certificate_ends_at(self) -> datetime | None:
        """When the first certificate of any address ends; None where none is known."""
        known = [one.certificate_ends_at for one in self.addresses if one.certificate_ends_at is not None]
        return min(known, default=None)

    @property
    def worst(self) -> FindingInWords | None:
        """The worst failure, if it is of a policy that the target still has."""
        return self._current(self.judged.worst if self.judged else None)

    @property
    def unknown(self) -> FindingInWords | None:
        """The most severe unknown finding, if it is of a policy that the target still has."""
        return self._current(self.judged.unknown if self.judged else None)

    def _current(self, finding: FindingInWords | None) -> FindingInWords | None:
        return finding if finding is not None and finding.policy in self.policies else None

    def state(self, policies: Collection[str] = ()) -> TargetState:
        """What is said of the target by these of its policies; by all of them without any."""
        judged = self.judged
        if judged is None:
            return TargetState.NEVER_SCANNED
        wanted = [policy for policy in self.policies if policy in policies] if policies else self.policies
        met = {judged.compliant.get(policy) for policy in wanted}
        if False in met and _is_failing(judged, wanted):
            return TargetState.FAIL
        if all(one.unreached is not None for one in judged.addresses):
            return TargetState.UNREACHABLE
        if met == {True}:
            return TargetState.PASS
        return TargetState.UNKNOWN if None in met or not met or _is_open(judged, wanted) else TargetState.ACCEPTED

    @property
    def labels(self) -> dict[str, str]:
        """What selectors compare."""
        return labels_of(self.target)


def _is_failing(judged: LatestVerdicts, policies: Collection[str]) -> bool:
    """Whether a check of these policies fails, and this is not accepted."""
    worst = judged.worst
    if worst is not None and not worst.accepted and worst.policy in policies:
        return True
    return any(one.verdict is Verdict.FAIL and not one.accepted and one.policy in policies for one in judged.verdicts)


def _is_open(judged: LatestVerdicts, policies: Collection[str]) -> bool:
    """Whether a check of these policies is unknown."""
    return any(one.verdict is Verdict.UNKNOWN and one.policy in policies for one in judged.verdicts)


def judged_of(reports: Sequence[Report]) -> LatestVerdicts:
    """What is kept of the reports of one target, of which there is at least one."""
    found = [finding for report in reports for finding in report.findings]
    met = [(policy, _together([one.compliant_with(policy) for one in reports])) for policy in reports[0].policies]
    return LatestVerdicts(
        tuple(map(_address_summary, reports)),
        _compliant_kept(tuple(met)),
        _verdicts_kept(tuple(dict.fromkeys(map(_verdict_of, found)))),
        _worst(found, Verdict.FAIL),
        _worst(found, Verdict.UNKNOWN),
    )


def shared(judged: LatestVerdicts) -> LatestVerdicts:
    """The same, with verdicts and words that other targets have, too."""
    verdicts = tuple(_verdict_kept(*one) for one in judged.verdicts)
    return LatestVerdicts(
        judged.addresses,
        _compliant_kept(tuple(judged.compliant.items())),
        _verdicts_kept(verdicts),
        judged.worst and _words_kept(*judged.worst),
        judged.unknown and _words_kept(*judged.unknown),
    )


def with_addresses(judged: LatestVerdicts, addresses: Sequence[AddressSummary]) -> LatestVerdicts:
    """The same with these addresses, which share parts with those of other targets."""
    kept = tuple(
        replace(one, failures=_failures_kept(tuple(map(tuple, one.failures)))) if one.failures else one
        for one in addresses
    )
    return LatestVerdicts(kept, judged.compliant, judged.verdicts, judged.worst, judged.unknown)


def _verdict_of(finding: Finding) -> VerdictOf:
    return _verdict_kept(finding.policy, finding.check, finding.verdict, finding.severity, finding.accepted is not None)


def _worst(findings: Sequence[Finding], verdict: Verdict) -> FindingInWords | None:
    of_verdict = [one for one in findings if one.verdict is verdict]
    if not of_verdict:
        return None
    worst = min(of_verdict, key=lambda one: (one.accepted is not None, _WORST_FIRST.index(one.severity)))
    words = worst.summary if len(worst.summary) <= MOST_WORDS else f"{worst.summary[:MOST_WORDS]}…"
    return _words_kept(worst.policy, worst.check, worst.severity, words, worst.accepted is not None)


def _address_summary(report: Report) -> AddressSummary:
    grade, result = report.facts.get(Grade), report.result
    failures = _failures_kept(tuple((one.probe, one.reason) for one in result.failures))
    return AddressSummary(
        report.address,
        result.success,
        grade.letter if grade else None,
        result.ended_at,
        report.last_success_at,
        certificates_of(report.facts),
        _first_end(report.facts.get(CertificateFacts)),
        failures,
        unreached(result),
    )


def _first_end(certificates: CertificateFacts | None) -> datetime | None:
    deployments = certificates.deployments if certificates else ()
    return min((one.not_after for chain in deployments for one in chain.linked or chain.chain), default=None)


def _together(met: Sequence[bool | None]) -> bool | None:
    if False in met:
        return False
    return None if None in met else True
