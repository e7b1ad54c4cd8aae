"""Samples of reports, and their text. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from exporter.checks.registry import CHECKS
from exporter.derived.registry import SHOWN
from exporter.metrics.families import (
    ADDRESS_FAMILIES,
    ADDRESSES,
    ADDRESSES_DISAGREE,
    BYTES,
    CHECK_ACCEPTED,
    CHECK_ACCEPTED_UNTIL,
    CHECK_PASSED,
    CHECK_UNKNOWN,
    COMPLIANT,
    CONNECTIONS,
    DURATION,
    INTERVAL,
    JUDGEMENT_FAMILIES,
    LAST_SCAN,
    LAST_SUCCESS,
    PROBE_FAILURE,
    PROBE_LAST_SUCCESS,
    PROBE_SUCCESS,
    SCAN_FAMILIES,
    SCAN_SUCCESS,
    TARGET_INFO,
)
from exporter.metrics.groups import Lines
from exporter.model import Family, Report, Sample, Target, Verdict
from exporter.policies import Policy
from exporter.probes.registry import PROBES
from exporter.text import escaped

FAMILIES: tuple[Family, ...] = (
    *SCAN_FAMILIES,
    *ADDRESS_FAMILIES,
    *(family for part in SHOWN for family in part.families),
    *(family for check in CHECKS for family in check.families),
    *JUDGEMENT_FAMILIES,
)
"""Every family about targets, in the order it is shown."""

FULL_DETAIL = frozenset(
    (
        PROBE_LAST_SUCCESS,
        BYTES,
        *(family for part in SHOWN for family in part.full),
        *(family for check in CHECKS for family in check.full),
    )
)


def target_samples(target: Target, policies: Sequence[Policy]) -> Iterator[Sample]:
    """Samples of a target before its first scan."""
    identity = {
        "host": target.host,
        "port": str(target.port),
        "protocol": target.protocol,
        "starttls": target.starttls or "",
        "server_name": target.server_name or "",
        "policy": ",".join(policy.name for policy in policies),
        "zone": target.zone,
    }
    yield Sample(TARGET_INFO, 1, identity)
    yield Sample(INTERVAL, target.scan_interval.total_seconds())


def report_samples(report: Report, policies: Sequence[Policy]) -> Iterator[Sample]:
    """All samples of a scanned target, without unknown facts."""
    result = report.result
    yield from target_samples(report.target, policies)
    yield Sample(SCAN_SUCCESS, result.success)
    for probe, answered in result.probes.items():
        yield Sample(PROBE_SUCCESS, answered, {"probe": probe})
    for failure in result.failures:
        yield Sample(PROBE_FAILURE, 1, {"probe": failure.probe, "reason": failure.reason})
    for one in PROBES:
        seen_at = report.facts.seen_at(one.kind)
        if seen_at is not None:
            yield Sample(PROBE_LAST_SUCCESS, seen_at.timestamp(), {"probe": one.name})
    yield Sample(LAST_SCAN, result.ended_at.timestamp())
    if report.last_success_at:
        yield Sample(LAST_SUCCESS, report.last_success_at.timestamp())
    yield Sample(DURATION, result.duration_seconds)
    yield Sample(CONNECTIONS, result.connections)
    yield Sample(BYTES, result.bytes_sent, {"direction": "sent"})
    yield Sample(BYTES, result.bytes_received, {"direction": "received"})
    for part in SHOWN:
        facts = report.facts.get(part.kind)
        if facts is not None:
            yield from part.samples(facts)
    for policy in policies:
        yield from _of_checks(report, policy)
    yield from _judgement(report)


def _of_checks(report: Report, policy: Policy) -> Iterator[Sample]:
    for check in CHECKS:
        demands = policy.demands.get(check.name)
        if demands:
            yield from check.samples(report.facts, demands, policy.name, report.judged_on)


def _address_samples(report: Report) -> Iterator[Sample]:
    """Samples about all addresses of a target, which any of its reports has."""
    if report.result.addresses_found is not None:
        yield Sample(ADDRESSES, report.result.addresses_found)
    if report.disagreements is not None:
        yield Sample(ADDRESSES_DISAGREE, bool(report.disagreements))


def _judgement(report: Report) -> Iterator[Sample]:
    for finding in report.findings:
        labels = {"policy": finding.policy, "check": finding.check, "severity": finding.severity}
        match finding.verdict:
            case Verdict.PASS | Verdict.FAIL:
                yield Sample(CHECK_PASSED, finding.verdict is Verdict.PASS, labels)
                if finding.accepted is not None:
                    yield Sample(CHECK_ACCEPTED, 1, labels)
                    yield Sample(CHECK_ACCEPTED_UNTIL, finding.accepted.ends_at.timestamp(), labels)
            case Verdict.UNKNOWN:
                yield Sample(CHECK_UNKNOWN, 1, labels)
            case Verdict.NOT_APPLICABLE:
                pass
    for policy in report.policies:
        compliant = report.compliant_with(policy)
        if compliant is not None:
            yield Sample(COMPLIANT, compliant, {"policy": policy})


def number(value: float) -> str:
    """A value as text that Prometheus reads without loss."""
    if math.isinf(value) or math.isnan(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _quoted(text: str) -> str:
    """A label value: first made visible, then with the escapes of the exposition formats, which readers undo."""
    return escaped(text).replace("\\", r"\\").replace('"', r"\"")


@lru_cache(maxsize=4096)  # names and values of most labels are the same for all targets
def _label(name: str, value: str) -> str:
    return f'{name}="{_quoted(str(value))}"'


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join([_label(name, value) for name, value in labels.items()])


def render_reports(reports: Sequence[Report], policies: Sequence[Policy], *, full: bool) -> Lines:
    """The reports of one target as text, with the address as a label where there are several."""
    parts = [render_target(one.target, report_samples(one, policies), one.address, full=full) for one in reports]
    parts.append(render_target(reports[0].target, _address_samples(reports[0]), full=full))
    families = {family: None for part in parts for family in part}
    return {family: "".join([part.get(family, "") for part in parts]) for family in families}


def render_target(target: Target, samples: Iterable[Sample], address: str | None = None, *, full: bool) -> Lines:
    """The target's samples as text, with its name, the address and its own labels."""
    place = {} if address is None else {"address": address}
    base = _labels({"target": target.name, **place, **target.labels})
    lines: dict[Family, list[str]] = {}
    for family, value, labels in samples:
        if full or family not in FULL_DETAIL:
            own = f",{_labels(labels)}" if labels else ""
            lines.setdefault(family, []).append(f"{family.name}{{{base}{own}}} {number(value)}\n")
    return {family: "".join(of_family) for family, of_family in lines.items()}
