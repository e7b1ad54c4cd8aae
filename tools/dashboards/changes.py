"""What changed in the last day, of all targets.

Compares this moment with the same moment a day ago. Where one of them has no sample, nothing counts as changed: an
exporter that was just restarted knows nothing yet, and that is no change of a target.
"""

from tools.dashboards.frame import TO_EXPORTER, TO_TARGET
from tools.dashboards.panels import BLUE, GREEN, RED, YELLOW, Bar, Panel, bars, steps
from tools.dashboards.queries import ALL, BUILD, CHECK_KEY, KEY, count
from tools.dashboards.tables import Column, Frame, number, table, verdict

THEN = ALL.then()
THIS_TARGET = "on (job, instance, target)"
NO_DAY = "No data: no target has data for both now and a day ago"


def changes() -> list[Panel]:
    """How much changed, and which checks."""
    return [summary(), checks()]


def summary() -> Panel:
    """How many targets are better, worse, new or gone."""
    both = f"({ALL.verdict} and on ({KEY}) {THEN.verdict})"
    lost = f"({THEN.verdict} and on ({KEY}) {ALL.targets})"
    grade, grade_then = (s.per_target("tls_posture_grade_rank") for s in (ALL, THEN))  # F, T and M are as bad
    graded = f"({grade} and on ({KEY}) {grade_then})"
    key = f"{KEY}, key_algorithm"
    begins = "tls_posture_certificate_not_before_timestamp_seconds"
    now, before = (selection.per_target(begins, "min", key) for selection in (ALL, THEN))
    watched_then = f"({ALL.targets} and on (job, instance) {THEN.series('tls_posture_exporter_build_info')})"
    watched_now = f"({THEN.targets} and on (job, instance) {BUILD})"
    return bars(
        "Since a day ago",
        "Targets now compared with the same targets a day ago. A fault that began and was fixed in between is not "
        "counted. Worse: red from 1. Verdict no longer known: yellow from 1. New certificates, new targets and targets "
        "that are no longer configured: blue from 1. A bar is missing if no target has data for both times.",
        [
            Bar("no longer comply", count(f"{ALL.verdict} == 0 and on ({KEY}) {THEN.verdict} == 1", both), RED),
            Bar("comply again", count(f"{ALL.verdict} == 1 and on ({KEY}) {THEN.verdict} == 0", both), GREEN),
            Bar("verdict lost", count(f"{lost} unless on ({KEY}) {ALL.verdict}", lost), YELLOW),
            Bar("grade fell", count(f"{grade} < on ({KEY}) {grade_then}", graded), RED),
            Bar("grade rose", count(f"{grade} > on ({KEY}) {grade_then}", graded), GREEN),
            Bar("new certificate", count(f"{now} != on ({key}) {before}", f"({now} and on ({key}) {before})"), BLUE),
            Bar("new target", count(f"{watched_then} unless {THIS_TARGET} {THEN.targets}", watched_then), BLUE),
            Bar("target gone", count(f"{watched_now} unless {THIS_TARGET} {ALL.targets}", watched_now), BLUE),
        ],
        NO_DAY,
        width=6,
    )


def checks() -> Panel:
    """The checks whose verdict changed within the day."""
    times = f"sum by ({CHECK_KEY}) (changes({ALL.checks}[1d]) > 0)"
    on = f"on ({CHECK_KEY})"
    changed = (
        f"({times} or {ALL.checks} == 0 and {on} {THEN.checks} == 1 or {ALL.checks} == 1 and {on} {THEN.checks} == 0)"
    )
    words = verdict(("failed", RED), ("passed", GREEN))
    return table(
        "Checks that changed within a day",
        "Checks whose verdict was different a day ago, or at some time since. Those that changed most often come "
        "first. If a check changes often, several machines behind one address may be configured differently. Failed "
        "is red, passed green, changes are yellow from 2. Without data, the cell is unknown. A gap in the data is no "
        "change.",
        [
            Column("A day ago", f"min by ({CHECK_KEY}) ({THEN.checks} and {on} {changed})", words),
            Column("Now", f"min by ({CHECK_KEY}) ({ALL.checks} and {on} {changed})", words),
            Column("Changes", times, number(steps(GREEN, (2, YELLOW)), "not observed")),
        ],
        Frame(
            {"target": "Target", "policy": "Policy", "check": "Check"},
            18,
            8,
            sort_by="Changes",
            highest_first=True,
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
            targets=ALL.targets,
        ),
        "No data: no check is known to have changed within a day",
    )
