"""The section of the exporter dashboard about the daemon: what it waits for, and what it loses."""

from tools.dashboards.panels import COUNT, GREEN, RED, YELLOW, Panel, Scale, bad_from_one, graph, steps
from tools.dashboards.queries import ALL
from tools.dashboards.shared import NOTHING

LOOP_SLOW_SECONDS, LOOP_STUCK_SECONDS = 0.2, 1
"""Mean lag of the event loop: the threshold of TLSPostureEventLoopSlow; a scrape takes seconds."""
MOST_CONNECTIONS = 512
"""Limit of `exporter.web.limits`."""


def daemon() -> list[Panel]:
    """Whether the daemon waits for something, or loses something."""
    return [loop_lag(), pools(), database(), web_clients(), losses(), reloads()]


def _increase(metric: str) -> str:
    return f"increase({ALL.series(metric)}[$__rate_interval])"


def loop_lag() -> Panel:
    """How late the event loop is."""
    total, times = (ALL.series(f"tls_posture_exporter_loop_lag_seconds_{end}") for end in ("sum", "count"))
    mean = " / ".join(f"sum by (instance) (rate({series}[$__rate_interval]))" for series in (total, times))
    return graph(
        "Lag of the event loop",
        "How late the event loop ran what was due, on average, by exporter. The dashed lines: from 0.2 s on (yellow) "
        "scans and scrapes are slowed down, from a second on (red) scans run into time limits.",
        [(mean, "{{instance}}")],
        Scale("s", steps(GREEN, (LOOP_SLOW_SECONDS, YELLOW), (LOOP_STUCK_SECONDS, RED)), {"min": 0}),
        NOTHING,
    )


def pools() -> Panel:
    """How busy the threads are."""
    busy, queue, most = (
        ALL.series(f"tls_posture_exporter_pool_{name}") for name in ("threads_busy", "queue", "threads_max")
    )
    return graph(
        "Load of the pools of threads",
        "Calls that run or wait, as a share of the threads of their pool; of several exporters the highest. The dashed "
        "line at 100% (yellow): from there on, calls may wait. A line that does not fall shows calls that hang.",
        [(f"max by (pool) (({busy} + {queue}) / {most})", "{{pool}}")],
        Scale("percentunit", steps(GREEN, (1, YELLOW)), {"min": 0}),
        NOTHING,
    )


def database() -> Panel:
    """Whether results are stored."""
    pending = ALL.series("tls_posture_exporter_store_pending_targets")
    return graph(
        "Database",
        "Targets whose latest result is not written yet, and errors, by exporter. Both are 0 without --storage.path. "
        "The dashed line at 1: a single target may wait for milliseconds, and no error is usual.",
        [
            (f"sum by (instance) ({pending})", "waiting: {{instance}}"),
            (f"sum by (instance) ({_increase('tls_posture_exporter_store_errors_total')})", "errors: {{instance}}"),
        ],
        Scale("none", bad_from_one(YELLOW), COUNT),
        NOTHING,
    )


def web_clients() -> Panel:
    """Who has connections to the exporter."""
    connections = ALL.series("tls_posture_exporter_web_connections")
    return graph(
        "HTTP clients",
        "Open connections of HTTP clients, and connections that were refused or cut off because of a limit, by "
        "exporter. The dashed lines are at half of the limit of open connections (yellow) and at the limit (red).",
        [
            (f"sum by (instance) ({connections})", "open: {{instance}}"),
            (f"sum by (instance) ({_increase('tls_posture_exporter_web_connections_cut_total')})", "cut: {{instance}}"),
        ],
        Scale("none", steps(GREEN, (MOST_CONNECTIONS // 2, YELLOW), (MOST_CONNECTIONS, RED)), COUNT),
        NOTHING,
    )


def losses() -> Panel:
    """What was lost because something was missing."""
    resources = _increase("tls_posture_exporter_local_resource_errors_total")
    return graph(
        "Shortages and losses",
        "Errors because the machine had not enough descriptors, memory, ports or processes; log lines that were "
        "dropped; attacks that were not tried because no worker was free. The dashed line at 1: there should be none.",
        [
            (f"sum by (resource) ({resources})", "not enough {{resource}}"),
            (f"sum({_increase('tls_posture_exporter_log_lines_dropped_total')})", "log lines dropped"),
            (f"sum({_increase('tls_posture_exporter_attacks_not_tried_total')})", "attacks not tried"),
        ],
        Scale("none", bad_from_one(RED), COUNT),
        NOTHING,
    )


def reloads() -> Panel:
    """How often the configuration was read again."""
    return graph(
        "Reloads by outcome",
        "Reloads of the configuration that worked (green) and that failed (red). After a failed one, the previous "
        "configuration stays. The dashed line is at 1.",
        [(f"sum by (outcome) ({_increase('tls_posture_exporter_config_reloads_total')})", "{{outcome}}")],
        Scale("none", bad_from_one(YELLOW), COUNT, colours={"success": GREEN, "failure": RED}),
        NOTHING,
    )
