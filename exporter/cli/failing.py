"""The exit code of scans: which checks count, and what makes it 1."""

from collections.abc import Sequence

from exporter.cli import exits
from exporter.model import Report, Severity, Verdict

UNKNOWN_TOO = "unknown"
FAIL_ON = (*Severity, UNKNOWN_TOO)
"""Values of `--fail-on`: a severity, or that all checks count and unknown is like failed."""


def exit_code(reports: Sequence[Report], fail_on: str = Severity.INFO) -> int:
    """1 when a check that counts fails, else 3 when one is unknown or a target could not be scanned, else 0.

    Checks with the severity `fail_on` or a worse one count. With `unknown`, all count, and the code is 1 instead of 3.
    Failures that are accepted do not count.
    """
    severities = tuple(Severity)
    counted = severities if fail_on == UNKNOWN_TOO else severities[: severities.index(Severity(fail_on)) + 1]
    if any(finding.is_open and finding.severity in counted for report in reports for finding in report.findings):
        return exits.NOT_COMPLIANT
    if all(_is_known(report, counted) for report in reports):
        return exits.OK
    return exits.NOT_COMPLIANT if fail_on == UNKNOWN_TOO else exits.UNKNOWN


def _is_known(report: Report, counted: Sequence[Severity]) -> bool:
    """Whether the scan was complete, no check that counts is unknown, and each policy has a check that applies."""
    applies = [finding for finding in report.findings if finding.verdict is not Verdict.NOT_APPLICABLE]
    unknown = any(finding.verdict is Verdict.UNKNOWN and finding.severity in counted for finding in applies)
    return report.result.success and not unknown and {finding.policy for finding in applies} >= set(report.policies)
