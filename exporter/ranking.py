"""Which targets are worst: the condition of each, the order of several, and why one could not be reached. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from exporter.model import Failure, Reason, Report, ScanResult, Severity, Verdict

_HANDSHAKE = "handshake"
"""The probe without which nothing is known of a server."""


class Condition(StrEnum):
    """What is known of a target, in one word; the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    ACCEPTED = "accepted"
    COMPLIES = "complies"


_WORST_FIRST = tuple(Condition)
FAILING = (Condition.CRITICAL, Condition.WARNING, Condition.INFO)
"""A check fails that nobody accepts; named by the worst severity among those checks."""


class JudgedCheck(Protocol):
    """What counts of a finding; also that of a summary."""

    @property
    def policy(self) -> str:
        """Name of the policy."""

    @property
    def check(self) -> str:
        """Name of the check."""

    @property
    def verdict(self) -> Verdict:
        """Its result."""

    @property
    def severity(self) -> Severity:
        """How much a failure matters."""

    @property
    def accepted(self) -> object:
        """Anything that is true if the operator accepts this failure today."""


def condition_of(policies: Iterable[str], judged: Iterable[JudgedCheck], *, reached: bool) -> Condition:
    """The condition by all these verdicts, which are of the given policies.

    It is unknown if nothing fails and not everything is known. A policy of which no check applies is not known to be
    met. Failures that are accepted do not count, and never make a target comply.
    """
    counted = [one for one in judged if one.verdict is not Verdict.NOT_APPLICABLE]
    failed = {one.severity for one in counted if one.verdict is Verdict.FAIL and not one.accepted}
    for severity, condition in zip(Severity, FAILING, strict=True):
        if severity in failed:
            return condition
    if not reached:
        return Condition.UNREACHABLE
    verdicts = {one.verdict for one in counted}
    if Verdict.UNKNOWN in verdicts or set(policies) - {one.policy for one in counted}:
        return Condition.UNKNOWN
    return Condition.ACCEPTED if Verdict.FAIL in verdicts else Condition.COMPLIES


def unreached(result: ScanResult) -> Reason | None:
    """Why the scan made no TLS handshake; None if it made one, or if the cause is on this machine."""
    if result.success or result.probes.get(_HANDSHAKE, False):
        return None
    reason = next((one.reason for one in result.failures if one.probe == _HANDSHAKE), None)
    return None if reason in {Reason.INTERNAL, Reason.NO_WORKER} else reason


def is_reached(report: Report) -> bool:
    """Whether the last scan reached the server, as far as is known.

    What an earlier scan found does not count: nobody knows what the server does now.
    """
    return unreached(report.result) is None


def condition(reports: Sequence[Report]) -> Condition:
    """The condition of one target, from its reports.

    It is unreachable if no address was reached. If some were reached, the others are unknown.
    """
    reached = any(map(is_reached, reports))
    return min((condition_of(one.policies, one.findings, reached=reached) for one in reports), key=_WORST_FIRST.index)


def failed_checks(reports: Iterable[Report]) -> dict[Severity, list[str]]:
    """Severity -> checks that fail at any address by any policy and are not accepted, each once; the worst first."""
    failed: dict[Severity, dict[str, None]] = {severity: {} for severity in Severity}
    for report in reports:
        for finding in report.findings:
            if finding.is_open:
                failed[finding.severity][finding.check] = None
    return {severity: list(checks) for severity, checks in failed.items() if checks}


def ranked(targets: Iterable[Sequence[Report]]) -> list[Sequence[Report]]:
    """The targets, worst first: by condition, then by the number of failed checks of each severity, then by name.

    Each has one report for each address, at least one.
    """
    return sorted(targets, key=_place)


def _place(reports: Sequence[Report]) -> tuple[int, tuple[int, ...], str]:
    failed = failed_checks(reports)
    numbers = tuple(-len(failed.get(severity, ())) for severity in Severity)
    return _WORST_FIRST.index(condition(reports)), numbers, reports[0].target.name


def conditions(targets: Iterable[Sequence[Report]]) -> Counter[Condition]:
    """How many targets have each condition."""
    return Counter(map(condition, targets))


CAUSES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.DNS_NXDOMAIN: "the name has no address",
        Reason.DNS_ERROR: "the name cannot be resolved",
        Reason.CONNECT_REFUSED: "the connection is refused",
        Reason.CONNECT_TIMEOUT: "connecting times out",
        Reason.CONNECT_ERROR: "no connection",
        Reason.STARTTLS_REFUSED: "the server refuses STARTTLS",
        Reason.STARTTLS_ERROR: "the dialogue before TLS fails",
        Reason.STARTTLS_TIMEOUT: "the server does not answer in the dialogue before TLS",
        Reason.NOT_TLS: "the server does not speak TLS",
        Reason.HANDSHAKE_TIMEOUT: "the server does not answer TLS handshakes",
        Reason.HANDSHAKE_ERROR: "no TLS handshake succeeds",
        Reason.CLIENT_CERTIFICATE_REQUIRED: "the server requires a client certificate",
        Reason.HTTP_TIMEOUT: "the server does not answer HTTP requests",
        Reason.HTTP_ERROR: "the server does not speak HTTP",
        Reason.DEADLINE_EXCEEDED: "the time limit of the scan is over",
        Reason.WORKER_CRASHED: "a worker process ended",
        Reason.LIBRARY_UNAVAILABLE: "a library cannot be loaded",
        Reason.BLOCKED: "the server blocks scans",
        Reason.NO_WORKER: "no worker of its zone scans it",
        Reason.INTERNAL: "an error of the exporter",
    }
)
"""Each reason in words."""
_SAYS_ALL = frozenset(
    {Reason.DNS_NXDOMAIN, Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT, Reason.NOT_TLS, Reason.HANDSHAKE_TIMEOUT}
)
"""Reasons whose words say everything that most people need."""


def cause(failure: Failure) -> str:
    """The failure in a few words; the detail is included where the reason alone says too little. Not escaped."""
    words = CAUSES[failure.reason]
    return words if failure.reason in _SAYS_ALL else f"{words}: {failure.detail}"


def causes(reports: Iterable[Report]) -> list[str]:
    """Why addresses of a target were not reached, each cause once."""
    first = (one.result.failures[0] for one in reports if not is_reached(one) and one.result.failures)
    return list(dict.fromkeys(map(cause, first)))
