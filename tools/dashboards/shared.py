"""Texts and panels that several dashboards use."""

from collections.abc import Mapping, Sequence

from tools.dashboards.panels import (
    COUNT,
    GREEN,
    PURPLE,
    RED,
    YELLOW,
    Panel,
    Scale,
    bad_from_one,
    graph,
    number_of,
    steps,
)
from tools.dashboards.queries import ALL, EXPORTERS, EXPORTERS_UP, State, count

NOTHING = "No data: no exporter of this choice is scraped"
GONE = "No data: no exporter of this choice watches this target"

BY_ADDRESS = "{{address}} {{exporter}}"
"""The legend of lines with one value per target: a target may have several exporters or addresses."""

STATES: Mapping[int, tuple[str, str]] = {
    State.FAILS: ("fails", RED),
    State.UNKNOWN: ("unknown", YELLOW),
    State.ACCEPTED: ("fails, accepted", PURPLE),
    State.PASSES: ("passes", GREEN),
}
"""State of a check -> word and colour."""

YES, NO = ("yes", GREEN), ("no", RED)

LAST_SCAN = ALL.series("tls_posture_last_scan_timestamp_seconds")
INTERVAL = ALL.series("tls_posture_scan_interval_seconds")
SUCCESS = ALL.series("tls_posture_scan_success")


def exporters_down() -> Panel:
    """Exporters that cannot be scraped."""
    return number_of(
        "Exporters down",
        "Exporters that were seen within the last day and that Prometheus cannot scrape now. Their targets are not "
        "counted. Red from 1. Exporters have no labels of targets, so a filter by these labels empties this panel.",
        count(f"({EXPORTERS_UP}) == 0", EXPORTERS),
        bad_from_one(RED),
        "No data: no exporter was seen within a day",
    )


def overdue_scans() -> Panel:
    """Targets that should have been scanned by now."""
    return number_of(
        "Overdue scans",
        "Targets whose last scan ended more than two of their scan intervals ago, or four if it failed: after three "
        "failures, a target is scanned at every second interval. All data about them is old. Red from 1.",
        count(f"time() - {LAST_SCAN} > 2 * {INTERVAL} * (2 - {SUCCESS})", LAST_SCAN),
        bad_from_one(RED),
        "No data: no target has been scanned",
    )


def failed_probes(everything: tuple[str, str]) -> Panel:
    """Why probes fail; `everything` is the query and legend of their total."""
    return graph(
        "Failed probes by reason",
        "Probes that failed in the last scan of their target. A line named all is 0 when every probe worked. A reason "
        "has a line only while it occurs. The dashed line at 1: from there on, some facts are unknown or from an "
        "earlier scan.",
        [
            everything,
            (f"count by (probe, reason) ({ALL.series('tls_posture_probe_failure')})", "{{probe}}: {{reason}}"),
        ],
        Scale("none", bad_from_one(RED), COUNT),
        "No data: no target has been scanned",
    )


def scan_durations(queries: Sequence[tuple[str, str]]) -> Panel:
    """How long scans take."""
    return graph(
        "Duration of the last scan",
        "Wall time of the last scan. The dashed lines: half of the default deadline of two minutes (yellow), and the "
        "deadline (red).",
        queries,
        Scale("s", steps(GREEN, (60, YELLOW), (120, RED)), {"min": 0}),
        "No data: nothing has been scanned",
    )


def scan_connections(queries: Sequence[tuple[str, str]]) -> Panel:
    """What scans cost the targets."""
    return graph(
        "Connections of the last scan",
        "TCP connections that the last scan opened to a target. Some dozens are usual. The dashed line at 150: above "
        "that, check why, because the owner may mistake the scan for an attack.",
        queries,
        Scale("none", steps(GREEN, (150, YELLOW)), COUNT),
        "No data: nothing has been scanned",
    )
