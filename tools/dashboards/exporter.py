"""The dashboard of the exporters themselves."""

from collections.abc import Sequence
from dataclasses import replace

from tools.dashboards.daemon import daemon
from tools.dashboards.frame import EXPORTER, Board, exporters, to_page
from tools.dashboards.panels import (
    COUNT,
    GREEN,
    GRID_WIDTH,
    MORE_POINTS,
    RED,
    YELLOW,
    Json,
    Panel,
    Scale,
    bad_from_one,
    graph,
    number_of,
    steps,
)
from tools.dashboards.queries import ALL, BUILD, EXPORTERS, EXPORTERS_UP, count, of_exporters, without
from tools.dashboards.shared import (
    LAST_SCAN,
    NOTHING,
    exporters_down,
    failed_probes,
    overdue_scans,
    scan_connections,
    scan_durations,
)
from tools.dashboards.tables import HIDDEN, Column, Frame, number, plain, table, verdict

EXPORTER_KEY = "job, instance"

DATA_OLD_DAYS, DATA_TOO_OLD_DAYS = 180, 365
"""Age of the table of releases. Software without an announced end counts as maintained for a year after its date."""

NEXT_DUE = "tls_posture_exporter_next_due_timestamp_seconds"
OLDEST = "tls_posture_exporter_oldest_fact_timestamp_seconds"
SECCOMP = ALL.series("tls_posture_exporter_worker_protection", 'protection="seccomp"')

RELOADED = ALL.series("tls_posture_exporter_config_last_reload_successful")
RELOAD_TIME = ALL.series("tls_posture_exporter_config_last_reload_success_timestamp_seconds")
DATA_TIME = ALL.series("tls_posture_exporter_data_timestamp_seconds")
STARTED = of_exporters("process_start_time_seconds")


def by_exporter(metric: str, function: str = "max") -> str:
    """One value for each exporter."""
    return f"{function} by ({EXPORTER_KEY}) ({ALL.series(metric)})"


def own(metric: str) -> str:
    """A metric of each exporter's process."""
    return f"max by ({EXPORTER_KEY}) ({of_exporters(metric)})"


def state() -> list[Panel]:
    """Whether the exporters run, as configured."""
    restarts = f"changes({ALL.series('process_start_time_seconds')}[1d]) and on ({EXPORTER_KEY}) {EXPORTERS}"
    tiles = [
        exporters_down(),
        number_of(
            "Reloads failed",
            "Exporters whose last reload of the configuration failed. They use the previous one. Red from 1.",
            count(f"{RELOADED} == 0", RELOADED),
            bad_from_one(RED),
            NOTHING,
        ),
        number_of(
            "Restarts within a day",
            "How often exporters were restarted. Without --storage.path a restart discards all facts until the next "
            "scans. Yellow from 1.",
            f"sum({restarts})",
            bad_from_one(YELLOW),
            "No data: no exporter was seen within a day",
        ),
        number_of(
            "Targets",
            "Targets that the exporters watch. Yellow when there is none.",
            f"sum({ALL.series('tls_posture_exporter_targets')})",
            steps(YELLOW, (1, GREEN)),
            NOTHING,
        ),
        number_of(
            "Never scanned",
            "Targets of which no scan has ended yet, by address where each address is scanned. Yellow from 1. This is "
            "normal right after a start, but not later.",
            count(without(ALL.targets, LAST_SCAN), ALL.targets),
            bad_from_one(YELLOW),
            "No data: no exporter of this choice has a target",
        ),
        overdue_scans(),
    ]
    return [*(replace(panel, height=3) for panel in tiles), instances(), sources()]


def instances() -> Panel:
    """A row for each exporter."""
    version = f"max by ({EXPORTER_KEY}, version, python) ({BUILD})"
    data_days = f"(time() - min by ({EXPORTER_KEY}) ({DATA_TIME})) / 86400"
    old = steps(GREEN, (DATA_OLD_DAYS, YELLOW), (DATA_TOO_OLD_DAYS, RED))
    return table(
        "Exporters",
        "Red: down, or the last reload of the configuration failed. The shipped data, such as ends of support, is "
        "yellow when it is older than half a year, and red when it is older than a year. Workers without seccomp are "
        "yellow; this is not known before a worker has started. The oldest fact is that of any target.",
        [
            Column("State", f"max by ({EXPORTER_KEY}) ({EXPORTERS_UP})", verdict(("down", RED), ("up", GREEN))),
            Column("Version known", version, HIDDEN),
            Column("Targets", by_exporter("tls_posture_exporter_targets"), plain("unknown")),
            Column(
                "Last reload",
                by_exporter("tls_posture_exporter_config_last_reload_successful", "min"),
                verdict(("failed", RED), ("worked", GREEN)),
            ),
            Column(
                "Configured",
                f"1000 * max by ({EXPORTER_KEY}) ({RELOAD_TIME})",
                plain("unknown", unit="dateTimeFromNow"),
            ),
            Column("Started", f"1000 * max by ({EXPORTER_KEY}) ({STARTED})", plain("unknown", unit="dateTimeFromNow")),
            Column("Next scan", f"1000 * {by_exporter(NEXT_DUE)}", plain("unknown", unit="dateTimeFromNow")),
            Column("Oldest fact", f"time() - {by_exporter(OLDEST)}", plain("nothing known", unit="s")),
            Column("Workers locked", f"min by ({EXPORTER_KEY}) ({SECCOMP})", verdict(("no", YELLOW), ("yes", GREEN))),
            Column("Age of shipped data", data_days, number(old, "unknown", unit="suffix: d")),
        ],
        Frame({"instance": "Exporter", "version": "Version", "python": "Python"}, GRID_WIDTH, 5, sort_by="State"),
        "No data: no exporter was seen within a day",
    )


def sources() -> Panel:
    """A row for each source of targets."""
    key = f"{EXPORTER_KEY}, source"

    def number_by(outcome: str) -> str:
        found = ALL.series("tls_posture_exporter_discovered_targets", f'outcome="{outcome}"')
        return f"max by ({key}) ({found})"

    up = ALL.series("tls_posture_exporter_discovery_successful")
    at = ALL.series("tls_posture_exporter_discovery_success_timestamp_seconds")
    return table(
        "Sources of targets",
        "The lists of targets that exporters get from files, URLs, the DNS and Kubernetes. Red: the list cannot be "
        "renewed, and the last good one is used. Merged targets were found before by another source. Dropped ones are "
        "not wanted by relabelling. Yellow: rejected ones cannot be used.",
        [
            Column("State", f"min by ({key}) ({up})", verdict(("failed", RED), ("works", GREEN))),
            Column("Age of the list", f"time() - max by ({key}) ({at})", plain("from before the start", unit="s")),
            Column("Used", number_by("used"), plain("unknown")),
            Column("Merged", number_by("merged"), plain("unknown")),
            Column("Dropped", number_by("dropped"), plain("unknown")),
            Column("Rejected", number_by("rejected"), number(bad_from_one(YELLOW), "unknown")),
        ],
        Frame({"instance": "Exporter", "source": "Source"}, GRID_WIDTH, 5, sort_by="State"),
        "No data: all targets are in the configuration files",
    )


def scans() -> list[Panel]:
    """Whether the scans keep up."""
    done = ALL.series("tls_posture_exporter_scans_total")
    crashed = ALL.series("tls_posture_exporter_worker_restarts_total")
    probes = ALL.series("tls_posture_probe_success")
    duration = ALL.series("tls_posture_scan_duration_seconds")
    connections = ALL.series("tls_posture_scan_connections")
    return [
        graph(
            "Scans by outcome",
            "Scans that ended per minute. The dashed line is 0. While the green line (success) is at 0, no scan "
            "succeeds.",
            [(f"60 * sum by (outcome) (rate({done}[$__rate_interval]))", "{{outcome}}")],
            Scale("cpm", steps(RED, (0, GREEN)), {"min": 0}, colours={"success": GREEN, "failure": RED}),
            NOTHING,
        ),
        failed_probes((f"sum by (instance) ({probes} == bool 0)", "all of {{instance}}")),
        graph(
            "Lag of the schedule",
            "How late the last due scan started, by exporter, without the lane slow. The dashed lines: from a minute "
            "on (yellow) there are too few slots for concurrent scans, from five minutes on (red) far too few.",
            [(f"max by (instance) ({ALL.series('tls_posture_exporter_scan_lag_seconds')})", "{{instance}}")],
            Scale("s", steps(GREEN, (60, YELLOW), (300, RED)), {"min": 0}),
            NOTHING,
        ),
        graph(
            "Scans running and waiting",
            "Scans that run, and scans that are due and wait for a slot, by lane. Targets that failed or were slow use "
            "the lane slow, which has a third of the slots. The dashed line at 1 is for waiting scans. A short wait is "
            "usual. If scans of the other lanes wait for long, there are too few slots for concurrent scans.",
            [
                (f"sum by (lane) ({ALL.series('tls_posture_exporter_lane_scans_running')})", "running: {{lane}}"),
                (f"sum by (lane) ({ALL.series('tls_posture_exporter_lane_scans_waiting')})", "waiting: {{lane}}"),
            ],
            Scale("none", bad_from_one(YELLOW), COUNT),
            NOTHING,
        ),
        graph(
            "Worker restarts",
            "Workers that crashed, or were killed because they took too long, by exporter. Each restart lost the "
            "result of one probe. The dashed line at 1: from there on, a server or a library makes workers fail.",
            [(f"sum by (instance) (increase({crashed}[$__rate_interval]))", "{{instance}}")],
            Scale("none", bad_from_one(RED), COUNT),
            NOTHING,
        ),
        scan_durations([(f"quantile(0.5, {duration})", "median"), (f"max({duration})", "longest")]),
        scan_connections([(f"quantile(0.5, {connections})", "median"), (f"max({connections})", "most")]),
    ]


def cost() -> list[Panel]:
    """What the exporters cost the machine and Prometheus."""
    descriptors = f"{own('process_open_fds')} / {own('process_max_fds')}"
    scrape = f"max by (instance) ({of_exporters('scrape_duration_seconds')})"
    cpu = f"rate({ALL.series('process_cpu_seconds_total')}[$__rate_interval]) and on ({EXPORTER_KEY}) {BUILD}"
    return [
        graph(
            "Duration of a scrape",
            "How long Prometheus waits for the metrics of each exporter, which come from memory. The dashed lines: "
            "from a second on (yellow) there are very many targets or the machine is overloaded. At ten seconds (red) "
            "Prometheus gives up by default.",
            [(scrape, "{{instance}}")],
            Scale("s", steps(GREEN, (1, YELLOW), (10, RED)), {"min": 0}),
            NOTHING,
        ),
        graph(
            "Memory",
            "Resident memory of each exporter, without its worker processes. The dashed line at one GiB (yellow): "
            "thousands of targets need less.",
            [(f"max by (instance) ({of_exporters('process_resident_memory_bytes')})", "{{instance}}")],
            Scale("bytes", steps(GREEN, (2**30, YELLOW)), {"min": 0}),
            NOTHING,
        ),
        graph(
            "Processor",
            "Share of one CPU core that each exporter uses, without its worker processes. It can use one core only. "
            "The dashed line at 0.8 (yellow): from there on, scans are slowed down.",
            [(f"max by (instance) ({cpu})", "{{instance}}")],
            Scale("percentunit", steps(GREEN, (0.8, YELLOW)), {"min": 0}),
            NOTHING,
        ),
        graph(
            "Open files",
            "Share of its limit of open files and connections that each exporter uses. The dashed lines are at half "
            "(yellow) and nine tenths (red). Scans fail when the limit is reached.",
            [(f"max by (instance) ({descriptors})", "{{instance}}")],
            Scale("percentunit", steps(GREEN, (0.5, YELLOW), (0.9, RED)), {"min": 0, "max": 1}),
            NOTHING,
        ),
    ]


def exact(graphs: Sequence[Panel]) -> Sequence[Panel]:
    """The graphs with more points: a few series of each exporter cost little."""
    return [replace(panel, points=MORE_POINTS) for panel in graphs]


def exporter() -> Json:
    """The dashboard of the exporters themselves."""
    sections = {"State": state(), "Scans": scans(), "Daemon": exact(daemon()), "Cost": exact(cost())}
    about = (
        "Whether the exporters keep up with their scans, and what that costs. The other dashboards have the results."
    )
    variables, pages = exporters("tls_posture_exporter_build_info"), [to_page("Status", "/status")]
    return Board(EXPORTER, about, variables, sections, pages).render()
