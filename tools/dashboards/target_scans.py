"""The section of the target dashboard about its scans."""

from tools.dashboards.frame import to_exporter
from tools.dashboards.panels import GREEN, RED, Panel
from tools.dashboards.queries import KEY, ONE, onto, with_exporter
from tools.dashboards.shared import BY_ADDRESS, GONE, NO, YES, scan_connections, scan_durations
from tools.dashboards.tables import Column, Frame, plain, table, verdict


def scans() -> list[Panel]:
    """Whether the scans work, and what they cost the target."""
    durations = with_exporter(ONE.per_target("tls_posture_scan_duration_seconds", "max"), ONE.targets)
    connections = with_exporter(ONE.per_target("tls_posture_scan_connections", "max"), ONE.targets)
    return [
        last_scan(),
        probes(),
        scan_durations([(durations, f"duration {BY_ADDRESS}")]),
        scan_connections([(connections, f"connections {BY_ADDRESS}")]),
    ]


def last_scan() -> Panel:
    """When the target was scanned, and by which exporter."""
    age = ONE.per_target("tls_posture_last_scan_timestamp_seconds", "max")
    return table(
        "Scans",
        "The result of the last scan, the time since then, and the age of the data: the time since the last successful "
        "scan. Red: the last scan failed. The name of an exporter links to its dashboard.",
        [
            Column(
                "Last scan", ONE.per_target("tls_posture_scan_success"), verdict(("failed", RED), ("worked", GREEN))
            ),
            Column("Time since", f"time() - {age}", plain("never scanned", unit="s")),
            Column("Data age", ONE.data_age, plain("never scanned successfully", unit="s")),
            Column("Interval", ONE.per_target("tls_posture_scan_interval_seconds", "max"), plain("–", unit="s")),
        ],
        Frame({"instance": "Exporter"}, 13, 6, links={"Exporter": to_exporter("Exporter")}, one_target=True),
        GONE,
    )


def probes() -> Panel:
    """A row for each probe, with the reason if it failed."""
    key = f"{KEY}, probe"
    answered = ONE.per_target("tls_posture_probe_success", "min", key)
    reasons = ONE.per_target("tls_posture_probe_failure", "max", f"{key}, reason")
    return table(
        "Probes",
        "Whether each probe worked in its last run, and if not, why. Red: it failed. Probes that have not run are not "
        "listed.",
        [
            Column(
                "Worked",
                f"{onto(reasons, answered, key)} or on ({key}) {answered}",
                verdict(NO, YES),
            )
        ],
        Frame({"probe": "Probe", "reason": "Reason"}, 11, 6, one_target=True),
        "No data: the target has not been scanned",
    )
