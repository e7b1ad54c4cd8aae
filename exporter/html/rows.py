"""One row of the table of targets, in words. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.grade import Letter
from exporter.html.words import REASONS, STATES
from exporter.model import Severity, Target, Verdict
from exporter.policies.steps import CHECKLIST, steps
from exporter.summaries import FindingInWords, Summary, TargetState, VerdictOf

_MOST_PROBES = 2
"""Failed probes that a row names; the target's page has all."""
_HANDSHAKE = "handshake"


@dataclass(frozen=True, slots=True)
class RowMark:
    """A mark (see `parts.mark`), and what it says."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class RowFinding:
    """A finding in words; `kind` is a mark: `fail`, `accepted` or `unknown`."""

    kind: str
    policy: str
    check: str
    severity: Severity
    words: str


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One target.

    Attributes:
        where: the service, where the name does not say it.
        labels: name, value, and the link to all targets that have it.
        steps: of the checklist; empty if the target is not judged by it.
        policies: name and mark of each policy; empty if there are steps.
        findings: the worst first.
        why: why something is not known.
        ended: the certificate has ended.
    """

    name: str
    where: str
    labels: tuple[tuple[str, str, str], ...]
    state: TargetState
    state_text: str
    grade: Letter | None
    steps: tuple[RowMark, ...]
    policies: tuple[tuple[str, RowMark], ...]
    findings: tuple[RowFinding, ...]
    why: tuple[str, ...]
    certificate_ends_at: datetime | None
    ended: bool
    scanned_at: datetime | None
    next_at: datetime | None


def row_of(
    summary: Summary,
    policies: Collection[str],
    now: datetime,
    next_at: datetime | None,
    labels: tuple[tuple[str, str, str], ...],
) -> FleetRow:
    """The row; the state is by these policies, or by all of the target without any."""
    state, ends_at = summary.state(policies), summary.certificate_ends_at
    has_steps = CHECKLIST in summary.policies
    return FleetRow(
        summary.target.name,
        _where(summary.target),
        labels,
        state,
        STATES[state],
        summary.grade,
        tuple(_steps(summary)) if has_steps else (),
        () if has_steps else tuple(_policies(summary)),
        tuple(_findings(summary)),
        tuple(_why(summary)),
        ends_at,
        ends_at is not None and ends_at < now,
        summary.scanned_at,
        next_at,
    )


def _where(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    service = f"{target.protocol}{' with STARTTLS' if target.starttls else ''}"
    plain = f"{host}:{target.port}"
    return service if plain == target.name else f"{service} at {plain}"


def _steps(summary: Summary) -> Iterator[RowMark]:
    verdicts = summary.judged.verdicts if summary.judged else ()
    for number, checks in steps().items():
        mark = mark_of([one for one in verdicts if one.policy == CHECKLIST and one.check in checks])
        yield RowMark(mark, f"step {number} {_SAID[mark]}")


_SAID = {
    "pass": "passes",
    "fail": "fails",
    "accepted": "fails, accepted",
    "unknown": "is unknown",
    "not_applicable": "is not applicable",
}


def mark_of(verdicts: Sequence[VerdictOf]) -> str:
    """The mark of several verdicts together: the worst. Without any, it is unknown."""
    failed = [one.accepted for one in verdicts if one.verdict is Verdict.FAIL]
    if failed:
        return "accepted" if all(failed) else "fail"
    found = {one.verdict for one in verdicts}
    if not found or Verdict.UNKNOWN in found:
        return "unknown"
    return "pass" if Verdict.PASS in found else "not_applicable"


def _policies(summary: Summary) -> Iterator[tuple[str, RowMark]]:
    verdicts = summary.judged.verdicts if summary.judged else ()
    for policy, compliant in summary.compliant.items():
        mark = mark_of([one for one in verdicts if one.policy == policy]) if compliant is not None else "unknown"
        yield policy, RowMark(mark, f"{policy} {_SAID[mark]}")


def _findings(summary: Summary) -> Iterator[RowFinding]:
    worst, unknown = summary.worst, summary.unknown
    if worst is not None:
        yield _finding("accepted" if worst.accepted else "fail", worst)
    # What is not known of an unreachable target follows from that.
    is_reached = any(one.unreached is None for one in summary.addresses)
    if unknown is not None and is_reached and (worst is None or worst.accepted):
        yield _finding("unknown", unknown)


def _finding(kind: str, finding: FindingInWords) -> RowFinding:
    return RowFinding(kind, finding.policy, finding.check, finding.severity, finding.summary)


def _why(summary: Summary) -> Iterator[str]:
    addresses = summary.addresses
    unreached = [one for one in addresses if one.unreached is not None]
    reasons = dict.fromkeys(REASONS[one.unreached] for one in unreached if one.unreached is not None)
    if unreached:
        many = f"{len(unreached)} of {len(addresses)} addresses, " if len(addresses) > 1 else ""
        yield f"unreachable: {many}{', '.join(reasons)}"
    failed = dict.fromkeys(
        (failure.probe, failure.reason)
        for one in addresses
        for failure in one.failures
        if one.unreached is None or failure.probe != _HANDSHAKE
    )
    for probe, reason in [*failed][:_MOST_PROBES]:
        yield f"probe {probe}: {REASONS[reason]}"
    if len(failed) > _MOST_PROBES:
        yield f"{len(failed) - _MOST_PROBES} more probes failed"
