"""What changed in the last day, of all targets.

Compared are this moment and the same a day ago. Where one of them has no sample nothing is said to have changed: an
exporter that was just restarted knows nothing yet, and that is no change of a target.
"""

from tools.dashboards.frame import TO_EXPORTER, TO_TARGET
from tools.dashboards.panels import BLUE, GREEN, RED, YELLOW, Bar, Panel, bars, steps
from tools.dashboards.queries import ALL, BUILD, CHECK_KEY, KEY, count
from tools.dashboards.tables import Column, Frame, number, table, verdict

THEN = ALL.then()
THIS_TARGET = "on (job, instance, target)"
NO_DAY = "No data: nothing is known of a day ago and now"


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
        "Targets now beside the same a day ago, so what went wrong and was mended in between is not here. Worse: red "
        "from 1. Of which the verdict was lost: yellow from 1. New certificates, targets that are new or no longer "
        "configured: blue from 1. A bar is missing where one of the two is not known of any target.",
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
        width=8,
    )


def checks() -> Panel:
    """The checks whose verdict is another one now, or was in between."""
    now, before = (s.per_target("tls_posture_check_passed", "min", CHECK_KEY) for s in (ALL, THEN))
    times = f"sum by ({CHECK_KEY}) (changes({ALL.checks}[1d])) > 0"
    changed = f"({times} or {now} != on ({CHECK_KEY}) {before})"
    words = verdict(("failed", RED), ("passed", GREEN))
    return table(
        "Checks that changed within a day",
        "Checks whose verdict was another one a day ago, or at some time since: those that changed often come first. "
        "A check that comes and goes may be one of several machines behind one address. Failed is red, passed green, "
        "changes are yellow from 2; a moment of which nothing is known reads unknown. A gap in the data is no change.",
        [
            Column("A day ago", f"{before} and on ({CHECK_KEY}) {changed}", words),
            Column("Now", f"{now} and on ({CHECK_KEY}) {changed}", words),
            Column("Changes", times, number(steps(GREEN, (2, YELLOW)), "not seen")),
        ],
        Frame(
            {"target": "Target", "policy": "Policy", "check": "Check"},
            16,
            8,
            sort_by="Changes",
            highest_first=True,
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
        ),
        "No data: no check is known to have changed within a day",
    )
