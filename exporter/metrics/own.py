"""The exporter's own metrics, kept by prometheus_client."""

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from exporter import __version__
from exporter.clients.files import shipped_clients
from exporter.model import Family, Label, Unit
from exporter.software.files import shipped_table

SERVER_EOL = "server-eol"
"""The table of releases and their ends of support, as a value of the label `data`."""
CLIENTS = "clients"
"""The table of clients, as a value of the label `data`."""

NEVER = "never"
BUILD_INFO = Family(
    "tls_posture_exporter_build_info",
    "Version of the exporter",
    Unit.ONE,
    NEVER,
    labels=(
        Label("version", "version of the exporter", example="0.1.0"),
        Label("revision", "always empty"),
        Label("python", "version of Python", example="3.11.2"),
    ),
)
RELOAD_SUCCESSFUL = Family(
    "tls_posture_exporter_config_last_reload_successful", "Whether the last reload worked", Unit.FLAG, NEVER
)
RELOAD_TIMESTAMP = Family(
    "tls_posture_exporter_config_last_reload_success_timestamp_seconds",
    "Time of the last reload that worked",
    Unit.TIME,
    NEVER,
    example=1796083200,
)
DATA_TIMESTAMP = Family(
    "tls_posture_exporter_data_timestamp_seconds",
    "As of when the data is that is judged by: the oldest part in use",
    Unit.TIME,
    NEVER,
    labels=(Label("data", "which data: releases of software and their ends, or TLS clients", (SERVER_EOL, CLIENTS)),),
    example=1795910400,
)
TARGETS = Family("tls_posture_exporter_targets", "Number of targets", Unit.COUNT, NEVER, example=20)
SCANS = Family(
    "tls_posture_exporter_scans_total",
    "Scans by outcome",
    Unit.COUNT,
    NEVER,
    labels=(Label("outcome", "whether the scan was successful", ("success", "failure")),),
    example=140,
    kind="counter",
)
SCAN_DURATION = Family(
    "tls_posture_exporter_scan_duration_seconds",
    "Wall time of scans",
    Unit.SECONDS,
    NEVER,
    example=2.5,
    kind="histogram",
)
WORKER_RESTARTS = Family(
    "tls_posture_exporter_worker_restarts_total",
    "Workers that crashed, or were killed since they were late; each cost the probe it was busy with",
    Unit.COUNT,
    NEVER,
    example=0,
    kind="counter",
)
RUNNING = Family("tls_posture_exporter_scans_running", "Scans that are running", Unit.COUNT, NEVER, example=4)
WAITING = Family(
    "tls_posture_exporter_scans_waiting", "Scans that are due and wait for a place", Unit.COUNT, NEVER, example=0
)
LAG = Family(
    "tls_posture_exporter_scan_lag_seconds", "How late the last due scan started", Unit.SECONDS, NEVER, example=0.2
)
LOG_LINES_DROPPED = Family(
    "tls_posture_exporter_log_lines_dropped_total",
    "Log lines that could not be written, or came faster than they are read",
    Unit.COUNT,
    NEVER,
    example=0,
    kind="counter",
)
OWN_FAMILIES = (
    *(BUILD_INFO, RELOAD_SUCCESSFUL, RELOAD_TIMESTAMP, DATA_TIMESTAMP, TARGETS, SCANS, SCAN_DURATION),
    *(WORKER_RESTARTS, RUNNING, WAITING, LAG, LOG_LINES_DROPPED),
)
"""The exporter's metrics about itself, in the order shown; prometheus_client adds `process_` and `python_`."""

DURATION_BUCKETS_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class OwnMetrics:
    """The exporter's metrics about itself, in a registry of their own, kept by prometheus_client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauge(BUILD_INFO).labels(__version__, "", platform.python_version()).set(1)
        self.reload_successful = self._gauge(RELOAD_SUCCESSFUL)
        self.reload_timestamp = self._gauge(RELOAD_TIMESTAMP)
        self.data_timestamp = self._gauge(DATA_TIMESTAMP)
        self.data_timestamp.labels(SERVER_EOL).set(shipped_table().as_of.timestamp())
        self.data_timestamp.labels(CLIENTS).set(shipped_clients().as_of.timestamp())
        self.targets = self._gauge(TARGETS)
        self.scans = self._counter(SCANS)
        for outcome in SCANS.labels[0].values:
            self.scans.labels(outcome)
        self.scan_duration = Histogram(
            SCAN_DURATION.name, SCAN_DURATION.help, buckets=DURATION_BUCKETS_SECONDS, registry=self.registry
        )
        self.worker_restarts = self._counter(WORKER_RESTARTS)
        self.running = self._gauge(RUNNING)
        self.waiting = self._gauge(WAITING)
        self.lag = self._gauge(LAG)
        self._log_lines_dropped, self._dropped_lines = self._counter(LOG_LINES_DROPPED), 0

    def count_dropped_lines(self, total: int) -> None:
        """Set how many log lines were dropped since the start."""
        self._log_lines_dropped.inc(max(0, total - self._dropped_lines))
        self._dropped_lines = total

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.name, family.help, [label.name for label in family.labels], registry=self.registry)

    def _counter(self, family: Family) -> Counter:
        return Counter(family.name, family.help, [label.name for label in family.labels], registry=self.registry)
