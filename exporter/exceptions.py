"""Which failures an operator accepts, and until when. Pure: the day is passed in.

An accepted failure is still a failure. Its finding says in addition that it is accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.config.exceptions import ExceptionSettings
from exporter.model import Acceptance, Finding, Severity, Target, Verdict
from exporter.moments import AnyDay
from exporter.selectors import Selector, labels_of


@dataclass(frozen=True, slots=True)
class AcceptedFailures:
    """One exception of the configuration.

    Attributes:
        selectors: any of them selects the target.
        checks: names of the checks whose failures are accepted.
        policies: names of the policies; None for all.
        severities: of the failed demands; None for all.
        acceptance: until when, why, and by whom.
    """

    selectors: tuple[Selector, ...]
    checks: frozenset[str]
    policies: frozenset[str] | None
    severities: frozenset[Severity] | None
    acceptance: Acceptance

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about a target with these labels."""
        return any(selector.matches(labels) for selector in self.selectors)

    def names(self, finding: Finding) -> bool:
        """Whether it is about this check of this policy."""
        return self.asks(finding.policy, finding.check, finding.severity)

    def asks(self, policy: str, check: str, severity: Severity) -> bool:
        """Whether it is about such a demand."""
        return (
            check in self.checks
            and (self.policies is None or policy in self.policies)
            and (self.severities is None or severity in self.severities)
        )

    def has_ended(self, day: AnyDay) -> bool:
        """Whether its last day is before this day."""
        return self.acceptance.until < day


class Exceptions:
    """All exceptions of a configuration."""

    def __init__(self, several: Sequence[AcceptedFailures] = ()) -> None:
        """Create it; where two accept the same failure, the one that ends later counts."""
        self._latest_first = sorted(several, key=lambda one: one.acceptance.until, reverse=True)

    def applied(self, target: Target, findings: Sequence[Finding], day: AnyDay) -> tuple[Finding, ...]:
        """The findings of the target, with what is accepted of them on this day (UTC)."""
        failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
        if not self._latest_first or not failed:
            return tuple(findings)
        labels = labels_of(target)
        # Names first: they are cheap, and selectors can be regular expressions. The day last: it is noted, and ends of
        # exceptions that are not about the target do not matter.
        about = [
            one
            for one in self._latest_first
            if any(map(one.names, failed)) and one.selects(labels) and not one.has_ended(day)
        ]
        return tuple(_accepted(finding, about) for finding in findings) if about else tuple(findings)


def _accepted(finding: Finding, exceptions: Sequence[AcceptedFailures]) -> Finding:
    """The finding, accepted by the first of these exceptions that names it."""
    if finding.verdict is not Verdict.FAIL:
        return finding
    found = next((one.acceptance for one in exceptions if one.names(finding)), None)
    return finding if found is None else replace(finding, accepted=found)


NO_EXCEPTIONS = Exceptions()


def accepted_failures(settings: ExceptionSettings) -> AcceptedFailures:
    """One exception as it is in the configuration."""
    return AcceptedFailures(
        tuple(settings.match),
        frozenset(settings.check),
        None if settings.policy is None else frozenset(settings.policy),
        None if settings.severity is None else frozenset(settings.severity),
        Acceptance(settings.until, settings.reason, settings.accepted_by),
    )


def read_exceptions(settings: Sequence[ExceptionSettings]) -> Exceptions:
    """The exceptions of a configuration."""
    return Exceptions([accepted_failures(one) for one in settings])
