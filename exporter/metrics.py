"""Reports to exposition text, and the exporter's own metrics.

The lines of a target are rendered once, when its report changes; a scrape joins them by family. Nothing here touches
the network, and a scrape only concatenates strings.
"""

import math
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_CONTENT_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__
from exporter.checks.registry import CHECKS
from exporter.clients.files import shipped_clients
from exporter.derived.registry import SHOWN
from exporter.model import Family, Report, Sample, Target, Verdict
from exporter.policies import Policy
from exporter.probes.registry import PROBES
from exporter.software.files import shipped_table

TARGET_INFO = Family(
    "tls_posture_target_info",
    "Identity and configuration of the target; several policies are joined by commas (as of the last scan)",
)
SCAN_SUCCESS = Family(
    "tls_posture_scan_success",
    "Whether the last scan reached the server over TLS and every mandatory probe answered (as of the last scan)",
)
PROBE_SUCCESS = Family("tls_posture_probe_success", "Whether the probe could tell (as of the last scan)")
PROBE_FAILURE = Family(
    "tls_posture_probe_failure", "1 for the reason why the probe could not tell (as of the last scan)"
)
PROBE_LAST_SUCCESS = Family(
    "tls_posture_probe_last_success_timestamp_seconds",
    "When the probe last could tell: the age of its facts (as of the last scan)",
)
LAST_SCAN = Family(
    "tls_posture_last_scan_timestamp_seconds", "End of the last scan, successful or not (as of the last scan)"
)
LAST_SUCCESS = Family(
    "tls_posture_last_success_timestamp_seconds", "End of the last successful scan (as of the last scan)"
)
DURATION = Family("tls_posture_scan_duration_seconds", "Wall time of the last scan (as of the last scan)")
INTERVAL = Family("tls_posture_scan_interval_seconds", "Configured scan interval of the target (as of the last scan)")
CONNECTIONS = Family(
    "tls_posture_scan_connections", "TCP connections that the last scan opened to the target (as of the last scan)"
)
BYTES = Family(
    "tls_posture_scan_bytes",
    "TCP payload that the last scan exchanged with the target, or its proxy (as of the last scan)",
)
ADDRESSES = Family(
    "tls_posture_addresses",
    "Number of addresses that the host resolves to, with addresses: all; not all of very many are scanned "
    "(as of the last scan)",
)
ADDRESSES_DISAGREE = Family(
    "tls_posture_addresses_disagree",
    "1 when a fact known of several addresses of the target is not the same at each, 0 when all are; the report names "
    "them (as of the last scan)",
)
CHECK_PASSED = Family(
    "tls_posture_check_passed",
    "Whether the check passes; absent when it is unknown or does not apply (as of the last scan)",
)
COMPLIANT = Family(
    "tls_posture_compliant",
    "1 when every applicable check of the policy passes, 0 when one fails, absent when none fails but one is unknown "
    "(as of the last scan)",
)

_SCAN_FAMILIES = (
    *(TARGET_INFO, SCAN_SUCCESS, PROBE_SUCCESS, PROBE_FAILURE, PROBE_LAST_SUCCESS),
    *(LAST_SCAN, LAST_SUCCESS, DURATION, INTERVAL, CONNECTIONS, BYTES),
)
_JUDGEMENT_FAMILIES = (CHECK_PASSED, COMPLIANT)
ADDRESS_FAMILIES = (ADDRESSES, ADDRESSES_DISAGREE)
"""Of a target as a whole: the only ones without `address` where the others have it."""
FAMILIES: tuple[Family, ...] = (
    *_SCAN_FAMILIES,
    *ADDRESS_FAMILIES,
    *(family for part in SHOWN for family in part.families),
    *(family for check in CHECKS for family in check.families),
    *_JUDGEMENT_FAMILIES,
)
"""Every family about targets, in the order it is shown."""

SERVER_EOL = "server-eol"
"""The table of releases and their ends, as a value of the label `data`."""
CLIENTS = "clients"
"""The table of clients, likewise."""

FULL_DETAIL = frozenset(
    (
        PROBE_LAST_SUCCESS,
        BYTES,
        *(family for part in SHOWN for family in part.full),
        *(family for check in CHECKS for family in check.full),
    )
)


def target_samples(target: Target, policies: Sequence[Policy]) -> Iterator[Sample]:
    """What is known of a target before its first scan."""
    identity = {
        "host": target.host,
        "port": str(target.port),
        "protocol": target.protocol,
        "starttls": target.starttls or "",
        "server_name": target.server_name or "",
        "policy": ",".join(policy.name for policy in policies),
        "zone": "",
    }
    yield Sample(TARGET_INFO, 1, identity)
    yield Sample(INTERVAL, target.scan_interval.total_seconds())


def report_samples(report: Report, policies: Sequence[Policy]) -> Iterator[Sample]:
    """Every sample of a target that was scanned, unknown facts left out."""
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
    """What any report of a target says of all its addresses."""
    if report.result.addresses_found is not None:
        yield Sample(ADDRESSES, report.result.addresses_found)
    if report.disagreements is not None:
        yield Sample(ADDRESSES_DISAGREE, bool(report.disagreements))


def _judgement(report: Report) -> Iterator[Sample]:
    for finding in report.findings:
        if finding.verdict in {Verdict.PASS, Verdict.FAIL}:
            labels = {"policy": finding.policy, "check": finding.check, "severity": finding.severity}
            yield Sample(CHECK_PASSED, finding.verdict is Verdict.PASS, labels)
    for policy in report.policies:
        compliant = report.compliant_with(policy)
        if compliant is not None:
            yield Sample(COMPLIANT, compliant, {"policy": policy})


def _number(value: float) -> str:
    """A value as Prometheus reads it back without loss."""
    if math.isinf(value) or math.isnan(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _line(sample: Sample, base: Mapping[str, str]) -> str:
    labels = ",".join(f'{name}="{_escaped(str(value))}"' for name, value in {**base, **sample.labels}.items())
    return f"{sample.family.name}{{{labels}}} {_number(sample.value)}\n"


Lines = Mapping[Family, str]
"""The text of one target's samples, by family."""


def render_reports(reports: Sequence[Report], policies: Sequence[Policy], *, full: bool) -> Lines:
    """The reports of one target as text, those of an address with its label."""
    parts = [render_target(one.target, report_samples(one, policies), one.address, full=full) for one in reports]
    parts.append(render_target(reports[0].target, _address_samples(reports[0]), full=full))
    return {family: "".join(part.get(family, "") for part in parts) for part in parts for family in part}


def render_target(target: Target, samples: Iterable[Sample], address: str | None = None, *, full: bool) -> Lines:
    """The target's samples as text, its name, the address and its own labels added."""
    place = {} if address is None else {"address": address}
    base = {"target": target.name, **place, **target.labels}
    lines: dict[Family, str] = {}
    for sample in samples:
        if full or sample.family not in FULL_DETAIL:
            lines[sample.family] = lines.get(sample.family, "") + _line(sample, base)
    return lines


def _header(family: Family) -> str:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n"


_HEADERS = {family: _header(family) for family in FAMILIES}


class Exposition:
    """The page: lines of each target, and the exporter's own metrics in front.

    Attributes:
        own: the exporter's metrics.
    """

    def __init__(self, own: "OwnMetrics") -> None:
        self.own = own
        self._targets: dict[str, Lines] = {}

    def put(self, name: str, lines: Lines) -> None:
        """Show these lines for the target, in place of what was shown."""
        self._targets[name] = lines

    def remove(self, name: str) -> None:
        """Show nothing of the target any more."""
        self._targets.pop(name, None)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Body and content type: OpenMetrics where the `Accept` header asks for it, else the text format 0.0.4."""
        openmetrics = "application/openmetrics-text" in accept
        own = generate_openmetrics(self.own.registry) if openmetrics else generate_latest(self.own.registry)
        end = b"# EOF\n" if openmetrics else b""
        targets = target_text(self._targets.values()).encode(errors="replace")  # a lone surrogate must not end a scrape
        body = own.removesuffix(b"# EOF\n") + targets + end
        return body, OPENMETRICS_CONTENT_TYPE if openmetrics else CONTENT_TYPE_PLAIN_0_0_4


def target_text(targets: Iterable[Lines]) -> str:
    """The lines of all targets, joined by family under one header each; gauges read the same in both formats."""
    everything = list(targets)
    parts: list[str] = []
    for family in FAMILIES:
        lines = [lines[family] for lines in everything if family in lines]
        if lines:
            parts.append(_HEADERS[family])
            parts.extend(lines)
    return "".join(parts)


class OwnMetrics:
    """What the exporter tells of itself; in a registry of its own, kept by prometheus_client."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        prefix = "tls_posture_exporter"
        build = Gauge(
            f"{prefix}_build_info", "Version of the exporter", ["version", "revision", "python"], registry=registry
        )
        build.labels(__version__, "", platform.python_version()).set(1)
        self.reload_successful = Gauge(
            f"{prefix}_config_last_reload_successful", "Whether the last reload worked", registry=registry
        )
        self.reload_timestamp = Gauge(
            f"{prefix}_config_last_reload_success_timestamp_seconds",
            "Time of the last reload that worked",
            registry=registry,
        )
        self.data_timestamp = Gauge(
            f"{prefix}_data_timestamp_seconds",
            "As of when the data is that is judged by: the oldest part in use",
            ["data"],
            registry=registry,
        )
        self.data_timestamp.labels(SERVER_EOL).set(shipped_table().as_of.timestamp())
        self.data_timestamp.labels(CLIENTS).set(shipped_clients().as_of.timestamp())
        self.targets = Gauge(f"{prefix}_targets", "Number of targets", registry=registry)
        self.scans = Counter(f"{prefix}_scans", "Scans by outcome", ["outcome"], registry=registry)
        for outcome in ("success", "failure"):
            self.scans.labels(outcome)
        self.scan_duration = Histogram(
            f"{prefix}_scan_duration_seconds",
            "Wall time of scans",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
            registry=registry,
        )
        self.worker_restarts = Counter(
            f"{prefix}_worker_restarts",
            "Workers that crashed, or were killed since they were late; each cost the probe it was busy with",
            registry=registry,
        )
        self.running = Gauge(f"{prefix}_scans_running", "Scans that are running", registry=registry)
        self.waiting = Gauge(f"{prefix}_scans_waiting", "Scans that are due and wait for a place", registry=registry)
        self.lag = Gauge(f"{prefix}_scan_lag_seconds", "How late the last due scan started", registry=registry)
