"""Why facts are not known, and how old those are that are known."""

from dataclasses import dataclass
from datetime import datetime

from exporter.model import Failure, Reason, Report
from exporter.probes.base import Probe
from exporter.probes.registry import PROBES

_FIRST = PROBES[0].name
_NOT_LOOKED_FOR = {
    "http": "the target is not a web server (protocol https)",
    "dns": "the host is an IP address, for which there are no CAA records",
    "tlsa": "no policy of the target asks for it, or the host is an IP address",
    "mta_sts": "no policy of the target asks for it, or its mail domain is not configured (mail_domain)",
    "mta_sts_policy": "no policy of the target asks for it, or its mail domain is not configured (mail_domain)",
    "vulnerabilities": "attacks are not tried on this target (vulnerability_interval)",
}
"""Name of a probe -> why it does not run."""


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
        return _NOT_LOOKED_FOR.get(probe.name, "it is not looked for at this target")
    if failure is not None:
        return _said(failure)
    if probe.name not in report.result.probes:
        return _said(first) if first is not None else "the last scan did not look for it"
    return "what was seen last is too old, or a date in it has passed"


def _said(failure: Failure) -> str:
    return f"{failure.reason}: {failure.detail}" if failure.detail else str(failure.reason)
