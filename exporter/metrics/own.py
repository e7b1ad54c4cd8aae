"""The exporter's own metrics, kept by prometheus_client."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.backends.messages import RefusalCause
from exporter.clients.files import shipped_clients
from exporter.dispatch import Gauges
from exporter.lanes import Lane
from exporter.model import Family, Label, Unit
from exporter.shortage import SHORTAGES, Resource
from exporter.software.files import shipped_table
from exporter.store.database import StoreError
from exporter.targets.discovered import OUTCOMES
from exporter.targets.discovery import SourceState
from exporter.text import escaped
from exporter.threads import POOLS
from exporter.workers.protection import PROTECTIONS

SERVER_EOL = "server-eol"
"""The table of releases and their ends of support, as a value of the label `data`."""
CLIENTS = "clients"
"""The table of clients, as a value of the label `data`."""

STORE_ERROR_KINDS = tuple(StoreError)


class ProbeOutcome(StrEnum):
    """How a request for `/probe` ended."""

    STORED = "stored"
    SCANNED = "scanned"
    OLDER = "older"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"


NEVER = "never"
BUILD_INFO = Family(
    "tls_posture_exporter_build_info",
    "Version of the exporter",
    Unit.ONE,
    NEVER,
    labels=(
        Label("version", "version of the exporter", example="1.0.0"),
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
RELOADS = Family(
    "tls_posture_exporter_config_reloads_total",
    "Reloads by outcome",
    Unit.COUNT,
    NEVER,
    labels=(Label("outcome", "whether the reload worked", ("success", "failure")),),
    example=3,
    kind="counter",
)
DATA_TIMESTAMP = Family(
    "tls_posture_exporter_data_timestamp_seconds",
    "As of when the data is that is judged by: the oldest part in use",
    Unit.TIME,
    NEVER,
    labels=(Label("data", "which data: releases of software and their ends, or TLS clients", (SERVER_EOL, CLIENTS)),),
    example=1795910400,
)
TIME = Family(
    "tls_posture_exporter_clock_timestamp_seconds",
    "System clock of the exporter, by which all its times are",
    Unit.TIME,
    NEVER,
    example=1796083200,
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
SCAN_PROCESSES = Family(
    "tls_posture_exporter_scan_processes",
    "Processes that scan, as of `--scan.processes`; 0 if the main process does",
    Unit.COUNT,
    NEVER,
    example=0,
)
SCAN_PROCESS_RESTARTS = Family(
    "tls_posture_exporter_scan_process_restarts_total",
    "Processes for scans that ended, or were killed since they did not answer; each cost the scans that it ran",
    Unit.COUNT,
    NEVER,
    example=0,
    kind="counter",
)
WORKER_PROTECTION = Family(
    "tls_posture_exporter_worker_protection",
    "Whether the kernel enforces this protection in the worker that started last",
    Unit.FLAG,
    "no worker has started",
    labels=(Label("protection", "which protection of the kernel", PROTECTIONS),),
)
RUNNING = Family("tls_posture_exporter_scans_running", "Scans that are running", Unit.COUNT, NEVER, example=4)
WAITING = Family(
    "tls_posture_exporter_scans_waiting", "Scans that are due and wait for a place", Unit.COUNT, NEVER, example=0
)
LANES = (
    Label(
        "lane",
        "whether the last scan of the target was successful and quick; slow is also one that takes long now",
        tuple(Lane),
    ),
)
LANE_RUNNING = Family(
    "tls_posture_exporter_lane_scans_running",
    "Scans that are running, by lane",
    Unit.COUNT,
    NEVER,
    labels=LANES,
    example=4,
)
LANE_WAITING = Family(
    "tls_posture_exporter_lane_scans_waiting",
    "Scans that are due and wait for a place, by lane",
    Unit.COUNT,
    NEVER,
    labels=LANES,
    example=0,
)
BACKED_OFF = Family(
    "tls_posture_exporter_targets_backed_off",
    "Targets that failed three times in a row, and are scanned at every second interval",
    Unit.COUNT,
    NEVER,
    example=1,
)
ATTACKS_NOT_TRIED = Family(
    "tls_posture_exporter_attacks_not_tried_total",
    "Attacks that a scan did not try because no worker was free in its time; the next scan tries them",
    Unit.COUNT,
    NEVER,
    example=0,
    kind="counter",
)
LAG = Family(
    "tls_posture_exporter_scan_lag_seconds",
    "How late the last due scan started, without scans of the slow lane",
    Unit.SECONDS,
    NEVER,
    example=0.2,
)
STORE_ERRORS = Family(
    "tls_posture_exporter_store_errors_total",
    "Errors of the database of --storage.path; results stay in memory and are written later",
    Unit.COUNT,
    NEVER,
    labels=(
        Label(
            "error",
            "`read`; `write`; `damaged` or `newer` for a file that was set aside; `record` for a target that could not "
            "be restored",
            STORE_ERROR_KINDS,
        ),
    ),
    example=0,
    kind="counter",
)
STORE_PENDING = Family(
    "tls_posture_exporter_store_pending_targets",
    "Targets whose latest results are not yet in the database of --storage.path",
    Unit.COUNT,
    NEVER,
    example=0,
)
RESTORED = Family(
    "tls_posture_exporter_store_restored_targets",
    "Targets whose results were there at the start",
    Unit.COUNT,
    NEVER,
    example=20,
)
LOOP_LAG = Family(
    "tls_posture_exporter_loop_lag_seconds",
    "How late the event loop ran what was due, looked at twice a second",
    Unit.SECONDS,
    NEVER,
    example=0.001,
    kind="histogram",
)
OLDEST_FACT = Family(
    "tls_posture_exporter_oldest_fact_timestamp_seconds",
    "When the oldest fact was seen that is known of any target",
    Unit.TIME,
    "when nothing is known of any target",
    example=1796083200,
)
NEXT_DUE = Family(
    "tls_posture_exporter_next_due_timestamp_seconds",
    "When the next scan is due",
    Unit.TIME,
    "without targets",
    example=1796083200,
)
_POOL = Label("pool", "kind of the work", tuple(pool.name for pool in POOLS))
POOL_BUSY = Family(
    "tls_posture_exporter_pool_threads_busy",
    "Threads that are busy with a call; if the number does not fall, calls hang",
    Unit.COUNT,
    NEVER,
    labels=(_POOL,),
    example=1,
)
POOL_MOST = Family(
    "tls_posture_exporter_pool_threads_max",
    "Maximum number of threads",
    Unit.COUNT,
    NEVER,
    labels=(_POOL,),
    example=4,
)
POOL_QUEUE = Family(
    "tls_posture_exporter_pool_queue",
    "Calls that wait for a thread",
    Unit.COUNT,
    NEVER,
    labels=(_POOL,),
    example=0,
)
WEB_CONNECTIONS = Family(
    "tls_posture_exporter_web_connections", "Open connections of HTTP clients", Unit.COUNT, NEVER, example=3
)
WEB_CUT = Family(
    "tls_posture_exporter_web_connections_cut_total",
    "Connections of HTTP clients that were refused or cut off because of a limit",
    Unit.COUNT,
    NEVER,
    labels=(
        Label(
            "reason",
            "refused or evicted where there were too many, cut off where a request or a response took too long, or "
            "where a request was too large",
            ("refused", "evicted", "request_timeout", "response_timeout", "request_too_large"),
        ),
    ),
    example=0,
    kind="counter",
)
PROBES_TOTAL = Family(
    "tls_posture_exporter_probes_total",
    "Requests for /probe by outcome",
    Unit.COUNT,
    NEVER,
    labels=(
        Label(
            "outcome",
            "a report that is recent, of a scan now, or older because a scan was not possible in time; no report "
            "because the request was invalid, the target not permitted, or nothing known in time",
            tuple(ProbeOutcome),
        ),
    ),
    example=12,
    kind="counter",
)
PROBE_RUNNING = Family(
    "tls_posture_exporter_probe_scans_running",
    "Scans of services that are not configured, asked for by /probe, that are running",
    Unit.COUNT,
    NEVER,
    example=1,
)
PROBE_WAITING = Family(
    "tls_posture_exporter_probe_scans_waiting",
    "Scans of services that are not configured, asked for by /probe, that wait for a place",
    Unit.COUNT,
    NEVER,
    example=0,
)
WEB_INFO = Family(
    "tls_posture_exporter_web_info",
    "Where people reach the pages: for links to them, such as `external_url` + `/targets/NAME`",
    Unit.ONE,
    "before the web server has started",
    labels=(
        Label(
            "external_url",
            "--web.external-url, by default with the name of the machine; without a slash at its end",
            example="https://tls.example.com",
        ),
    ),
)
SHARD_INFO = Family(
    "tls_posture_exporter_shard_info",
    "Which shard of how many this exporter is: it has only the targets of this shard",
    Unit.ONE,
    "without --shard.total",
    labels=(
        Label("index", "--shard.index, from 0", example="0"),
        Label("total", "--shard.total, the number of shards", example="3"),
    ),
)
WEB_CONFIG_SUCCESSFUL = Family(
    "tls_posture_exporter_web_config_last_reload_successful",
    "Whether the files of --web.config.file could be used when they were last looked at; if not, those before stay",
    Unit.FLAG,
    "without --web.config.file",
)
WEB_DENIED = Family(
    "tls_posture_exporter_web_requests_denied_total",
    "Requests that the web configuration denied",
    Unit.COUNT,
    NEVER,
    labels=(
        Label(
            "reason",
            "unauthorized: no right password; rate_limited: by its rate_limit; too_many_passwords: too many passwords "
            "waited to be checked",
            ("unauthorized", "rate_limited", "too_many_passwords"),
        ),
    ),
    example=0,
    kind="counter",
)
LOCAL_ERRORS = Family(
    "tls_posture_exporter_local_resource_errors_total",
    "Errors because this machine had not enough of a resource; they say nothing about targets",
    Unit.COUNT,
    NEVER,
    labels=(Label("resource", "what was missing", tuple(Resource)),),
    example=0,
    kind="counter",
)
LOG_LINES_DROPPED = Family(
    "tls_posture_exporter_log_lines_dropped_total",
    "Log lines that could not be written, or came faster than they are read",
    Unit.COUNT,
    NEVER,
    example=0,
    kind="counter",
)
_SOURCE = Label("source", "its place in the configuration file", example="file_sd_configs.0")
DISCOVERY_SUCCESSFUL = Family(
    "tls_posture_exporter_discovery_successful",
    "Whether the last refresh of the source worked; if not, its last good list stays in use",
    Unit.FLAG,
    "before the first refresh has ended; without sources",
    labels=(_SOURCE,),
)
DISCOVERY_TIMESTAMP = Family(
    "tls_posture_exporter_discovery_success_timestamp_seconds",
    "When the source was last refreshed with success",
    Unit.TIME,
    "when no refresh has worked since the start",
    labels=(_SOURCE,),
    example=1796083200,
)
DISCOVERY_FILE_TIMESTAMP = Family(
    "tls_posture_exporter_discovery_file_mtime_timestamp_seconds",
    "When a file with a list of targets was written; if that is long ago, what writes it may have stopped",
    Unit.TIME,
    "while the file cannot be read or is not a list; without such files",
    labels=(_SOURCE, Label("filename", "its path", example="/etc/tls-posture-exporter/targets/web.yaml")),
    example=1796083200,
)
DISCOVERED = Family(
    "tls_posture_exporter_discovered_targets",
    "Targets in the list of the source that is in use, by what became of them",
    Unit.COUNT,
    "without a list",
    labels=(
        _SOURCE,
        Label(
            "outcome",
            "`used`; `merged` into one that was found before; `dropped` by relabelling; `rejected` because a label is "
            "not valid",
            OUTCOMES,
        ),
    ),
    example=20,
)
BROKER_CONNECTED = Family(
    "tls_posture_exporter_broker_connected",
    "Whether the exporter is connected to the broker; if not, scans wait, and what is known is shown",
    Unit.FLAG,
    "without `backend: celery`",
)
RESULTS_REFUSED = Family(
    "tls_posture_exporter_results_refused_total",
    "Messages from the broker that were not believed, and changed nothing",
    Unit.COUNT,
    NEVER,
    labels=(
        Label(
            "cause",
            "`malformed`: no message of a worker; `signature`: not signed with the key of its zone; `zone`: of an "
            "unknown zone, or about a target of another zone; `unknown`: about a scan that this exporter did not ask "
            "for; `repeated`: about a scan with a result; `late`: about a scan that nobody waits for any more; "
            "`invalid`: not what a scan of the target can find",
            tuple(RefusalCause),
        ),
    ),
    example=0,
    kind="counter",
)
OWN_FAMILIES = (
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    RELOADS,
    DATA_TIMESTAMP,
    TIME,
    TARGETS,
    SCANS,
    SCAN_DURATION,
    WORKER_RESTARTS,
    SCAN_PROCESSES,
    SCAN_PROCESS_RESTARTS,
    WORKER_PROTECTION,
    RUNNING,
    WAITING,
    LANE_RUNNING,
    LANE_WAITING,
    BACKED_OFF,
    ATTACKS_NOT_TRIED,
    LAG,
    STORE_ERRORS,
    STORE_PENDING,
    RESTORED,
    LOOP_LAG,
    OLDEST_FACT,
    NEXT_DUE,
    POOL_BUSY,
    POOL_MOST,
    POOL_QUEUE,
    WEB_CONNECTIONS,
    WEB_CUT,
    PROBES_TOTAL,
    PROBE_RUNNING,
    PROBE_WAITING,
    WEB_INFO,
    SHARD_INFO,
    WEB_CONFIG_SUCCESSFUL,
    WEB_DENIED,
    LOCAL_ERRORS,
    LOG_LINES_DROPPED,
    DISCOVERY_SUCCESSFUL,
    DISCOVERY_TIMESTAMP,
    DISCOVERY_FILE_TIMESTAMP,
    DISCOVERED,
    BROKER_CONNECTED,
    RESULTS_REFUSED,
)
"""The exporter's metrics about itself, in the order shown; prometheus_client adds `process_` and `python_`."""

LAG_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
DURATION_BUCKETS_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Maybe(Collector):
    """A gauge that is absent while its value is not known.

    Attributes:
        value: None is not known.
    """

    def __init__(self, family: Family, registry: CollectorRegistry) -> None:
        self._family = family
        self.value: float | None = None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        if self.value is not None:
            yield GaugeMetricFamily(self._family.name, self._family.help, value=self.value)


class _LocalErrors(Collector):
    """The counts of this process, which are kept where the errors are found."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        family = CounterMetricFamily(LOCAL_ERRORS.name, LOCAL_ERRORS.help, labels=[LOCAL_ERRORS.labels[0].name])
        for resource in Resource:
            family.add_metric([resource], SHORTAGES.counts[resource])
        yield family


class OwnMetrics:
    """The exporter's metrics about itself, in a registry of their own, kept by prometheus_client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauge(BUILD_INFO).labels(__version__, "", platform.python_version()).set(1)
        self.reload_successful = self._gauge(RELOAD_SUCCESSFUL)
        self.reload_timestamp = self._gauge(RELOAD_TIMESTAMP)
        self.reloads = self._counter(RELOADS)
        for outcome in RELOADS.labels[0].values:
            self.reloads.labels(outcome)
        self.data_timestamp = self._gauge(DATA_TIMESTAMP)
        self.data_timestamp.labels(SERVER_EOL).set(shipped_table().as_of.timestamp())
        self.data_timestamp.labels(CLIENTS).set(shipped_clients().as_of.timestamp())
        self.time = self._gauge(TIME)
        self.targets = self._gauge(TARGETS)
        self.scans = self._counter(SCANS)
        for outcome in SCANS.labels[0].values:
            self.scans.labels(outcome)
        self.scan_duration = Histogram(
            SCAN_DURATION.name, SCAN_DURATION.help, buckets=DURATION_BUCKETS_SECONDS, registry=self.registry
        )
        self.worker_restarts, self.worker_protection = self._counter(WORKER_RESTARTS), self._gauge(WORKER_PROTECTION)
        self.scan_processes, self.scan_process_restarts = (
            self._gauge(SCAN_PROCESSES),
            self._counter(SCAN_PROCESS_RESTARTS),
        )
        self.store_errors = self._counter(STORE_ERRORS)
        for error in STORE_ERROR_KINDS:
            self.store_errors.labels(error)
        self.store_pending = self._gauge(STORE_PENDING)
        self.restored = self._gauge(RESTORED)
        self.loop_lag = Histogram(LOOP_LAG.name, LOOP_LAG.help, buckets=LAG_BUCKETS_SECONDS, registry=self.registry)
        self.oldest_fact = Maybe(OLDEST_FACT, self.registry)
        self.next_due = Maybe(NEXT_DUE, self.registry)
        self._pool_busy, self._pool_queue = self._gauge(POOL_BUSY), self._gauge(POOL_QUEUE)
        most = self._gauge(POOL_MOST)
        for pool in POOLS:
            most.labels(pool.name).set(pool.threads)
        self.note_pools()
        self.attacks_not_tried = self._counter(ATTACKS_NOT_TRIED)
        self._running, self._waiting, self._lag = self._gauge(RUNNING), self._gauge(WAITING), self._gauge(LAG)
        self._lane_running, self._lane_waiting = self._gauge(LANE_RUNNING), self._gauge(LANE_WAITING)
        self._backed_off = self._gauge(BACKED_OFF)
        for lane in Lane:
            self._lane_running.labels(lane)
            self._lane_waiting.labels(lane)
        self.web_connections = self._gauge(WEB_CONNECTIONS)
        self.web_cut = self._counter(WEB_CUT)
        for reason in WEB_CUT.labels[0].values:
            self.web_cut.labels(reason)
        self.probes = self._counter(PROBES_TOTAL)
        for outcome in PROBES_TOTAL.labels[0].values:
            self.probes.labels(outcome)
        self.probe_running, self.probe_waiting = self._gauge(PROBE_RUNNING), self._gauge(PROBE_WAITING)
        self._web_info = self._gauge(WEB_INFO)
        self.web_config_successful = Maybe(WEB_CONFIG_SUCCESSFUL, self.registry)
        self.web_denied = self._counter(WEB_DENIED)
        for reason in WEB_DENIED.labels[0].values:
            self.web_denied.labels(reason)
        self.registry.register(_LocalErrors())
        self._log_lines_dropped, self._dropped_lines = self._counter(LOG_LINES_DROPPED), 0
        self._sources_up, self._sources_at = self._gauge(DISCOVERY_SUCCESSFUL), self._gauge(DISCOVERY_TIMESTAMP)
        self._sources_files, self._discovered = self._gauge(DISCOVERY_FILE_TIMESTAMP), self._gauge(DISCOVERED)
        self._add_broker()

    def _add_broker(self) -> None:
        self._broker_connected = Maybe(BROKER_CONNECTED, self.registry)
        self._results_refused = self._counter(RESULTS_REFUSED)
        for cause in RefusalCause:
            self._results_refused.labels(cause)

    def count_dropped_lines(self, total: int) -> None:
        """Set how many log lines were dropped since the start."""
        self._log_lines_dropped.inc(max(0, total - self._dropped_lines))
        self._dropped_lines = total

    def set_schedule(self, gauges: Gauges) -> None:
        """Show the state of the schedule."""
        self._running.set(gauges.running)
        self._waiting.set(gauges.waiting)
        self._lag.set(gauges.lag_seconds)
        self._backed_off.set(gauges.backed_off)
        for lane in Lane:
            self._lane_running.labels(lane).set(gauges.running_by_lane[lane])
            self._lane_waiting.labels(lane).set(gauges.waiting_by_lane[lane])

    def show_protection(self, name: str, on: bool) -> None:
        """Set whether workers have this protection."""
        self.worker_protection.labels(name).set(on)

    def note_pools(self) -> None:
        """Set the metrics of the pools of threads to what they are now."""
        for pool in POOLS:
            self._pool_busy.labels(pool.name).set(pool.busy)
            self._pool_queue.labels(pool.name).set(pool.queue)

    def note_sources(self, states: Iterable[SourceState]) -> None:
        """Set the metrics of the sources of targets; those of other sources are removed."""
        self._sources_up.clear()
        self._sources_at.clear()
        self._sources_files.clear()
        for one in states:
            if one.up is not None:
                self._sources_up.labels(one.place).set(one.up)
            if one.refreshed_at is not None:
                self._sources_at.labels(one.place).set(one.refreshed_at.timestamp())
            for file, modified in one.modified().items():
                self._sources_files.labels(one.place, escaped(file)).set(modified)

    def show_sources(self, outcomes: Mapping[str, Mapping[str, int]]) -> None:
        """Set what became of the targets of each source."""
        self._discovered.clear()
        for source, counts in outcomes.items():
            for outcome, count in counts.items():
                self._discovered.labels(source, outcome).set(count)

    def note_start(self, now: datetime) -> None:
        """Record that the first configuration is in use; it counts as the last reload, but not among reloads."""
        self.reload_successful.set(1)
        self.reload_timestamp.set(now.timestamp())

    def note_shard(self, index: int, total: int) -> None:
        """Show which shard of how many this exporter is."""
        self._gauge(SHARD_INFO).labels(str(index), str(total)).set(1)

    def note_external_url(self, url: str) -> None:
        """Record where people reach the pages."""
        self._web_info.clear()
        self._web_info.labels(escaped(url)).set(1)

    def note_web_config(self, usable: bool) -> None:
        """Record whether the web configuration could be used when it was looked at."""
        self.web_config_successful.value = float(usable)

    def note_broker(self, connected: bool | None) -> None:
        """Record whether the exporter is connected to the broker; None if it has none."""
        self._broker_connected.value = None if connected is None else float(connected)

    def count_refused(self, cause: RefusalCause) -> None:
        """Count a message from the broker that was not believed."""
        self._results_refused.labels(cause).inc()

    def note_reload(self, now: datetime | None) -> None:
        """Record a reload that worked now; None for one that failed."""
        self.reloads.labels("failure" if now is None else "success").inc()
        self.reload_successful.set(now is not None)
        if now is not None:
            self.reload_timestamp.set(now.timestamp())

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.name, family.help, [label.name for label in family.labels], registry=self.registry)

    def _counter(self, family: Family) -> Counter:
        return Counter(family.name, family.help, [label.name for label in family.labels], registry=self.registry)
