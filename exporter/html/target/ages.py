"""Why facts are not known, and how old those are that are known."""

from dataclasses import dataclass
from datetime import datetime

from exporter.model import DnsQuestion, Failure, Reason, Report, Target
from exporter.probes.base import Probe
from exporter.probes.registry import PROBES

_FIRST = PROBES[0].name
_ASKED_FOR = {
    "tlsa": DnsQuestion.TLSA,
    "mta_sts": DnsQuestion.MTA_STS,
    "mta_sts_policy": DnsQuestion.MTA_STS_POLICY,
}
"""Probes that only run if a policy asks for their facts."""


@dataclass(frozen=True, slots=True)
class FactAge:
    """The facts of one probe.

    Attributes:
        seen_at: None where nothing is known, or nothing is known any more.
        failure: why the last scan did not find out.
        why: why nothing is known; empty where something is.
    """

    probe: str
    seen_at: datetime | None
    failure: Failure | None
    why: str


def fact_ages(report: Report) -> tuple[FactAge, ...]:
    """All probes, in their order."""
    return tuple(_age(report, probe) for probe in PROBES)


def first_failure(report: Report) -> Failure | None:
    """Why the server could not be asked at all in the last scan; None if it was."""
    return next((one for one in report.result.failures if one.probe == _FIRST), None)


def headline(failure: Failure | None) -> str:
    """What happened in the last scan, in one sentence without a detail."""
    match failure.reason if failure else None:
        case None:
            return "The last scan was not complete."
        case Reason.NOT_TLS:
            return "The server answers, but not with TLS."
        case Reason.DNS_NXDOMAIN | Reason.DNS_ERROR:
            return "The name of the host cannot be resolved."
        case Reason.CONNECT_REFUSED | Reason.CONNECT_TIMEOUT | Reason.CONNECT_ERROR:
            return "The server cannot be reached."
        case Reason.DEADLINE_EXCEEDED:
            return "The last scan ended before all was known."
        case _:
            return "The last scan could not ask the server by TLS."


def _age(report: Report, probe: Probe[object]) -> FactAge:
    seen_at = report.facts.seen_at(probe.kind)
    failure = next((one for one in report.result.failures if one.probe == probe.name), None)
    return FactAge(probe.name, seen_at, failure, "" if seen_at is not None else _why(report, probe, failure))


def _why(report: Report, probe: Probe[object], failure: Failure | None) -> str:
    first = first_failure(report)
    if not probe.applies(report.target):
        return _why_not(probe.name, report.target)
    if failure is not None:
        return _said(failure)
    if probe.name not in report.result.probes:
        return _said(first) if first is not None else "the last scan did not look for it"
    return "what was seen last is too old, or a date in it has passed"


def _said(failure: Failure) -> str:
    return f"{failure.reason}: {failure.detail}" if failure.detail else str(failure.reason)


def _why_not(probe: str, target: Target) -> str:
    """Why the probe does not run for the target."""
    if probe in _ASKED_FOR and _ASKED_FOR[probe] not in target.questions:
        return "not looked for, because no policy of the target asks for it"
    if probe in {"mta_sts", "mta_sts_policy"}:
        return "not looked for, because the mail domain of the target is not configured (mail_domain)"
    if probe in {"dns", "tlsa"}:
        return "the host is an IP address, for which there are no such records"
    if probe == "http":
        return "the target is not a web server (protocol https)"
    return "attacks are not tried on this target (vulnerability_interval)"
