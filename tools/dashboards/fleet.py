"""The dashboard of all targets, worst first."""

from dataclasses import replace

from tools.dashboards.changes import changes
from tools.dashboards.compliance import by_check, by_group, by_policy
from tools.dashboards.fleet_facts import (
    DAYS_LEFT,
    certificate_table,
    coverage,
    ends,
    lifetimes,
    protocols_and_suites,
    software,
    web_and_dns,
)
from tools.dashboards.frame import FLEET, GROUP, LABELS, TO_EXPORTER, TO_TARGET, Board, exporters, to_page
from tools.dashboards.grades import GRADES, MEANING
from tools.dashboards.panels import (
    COUNT,
    GREEN,
    GRID_WIDTH,
    PURPLE,
    RED,
    YELLOW,
    Bar,
    Json,
    Panel,
    Scale,
    bad_from_one,
    bars,
    graph,
    number_of,
    steps,
    with_short_legend,
)
from tools.dashboards.queries import ALL, CHECK_KEY, KEY, count, without
from tools.dashboards.shared import NOTHING, exporters_down, overdue_scans
from tools.dashboards.tables import HIDDEN, Column, Frame, letters, number, plain, table, verdict

SCAN_SUCCESS = ALL.series("tls_posture_scan_success")


def _part(expr: str, name: str) -> str:
    """The samples with an extra label, so that `or` does not drop them as duplicates of another part."""
    return f'label_replace({expr}, "part", "{name}", "", "")'


CRITICAL, OTHERS = (
    f"({ALL.series('tls_posture_check_passed', matcher)} == 0 unless on ({CHECK_KEY}) {ALL.accepted})"
    for matcher in ('severity="critical"', 'severity!="critical"')
)
"""0 for each failed check that is not accepted, by severity."""
RANK = f"""sum by ({KEY}) (
  {_part(f"100 + {CRITICAL}", "critical")}
  or {_part(f"1 + {OTHERS}", "others")}
  or {_part(f"0.5 * ({ALL.undecided})", "unknown")}
  or {_part(f"0.25 * ({SCAN_SUCCESS} == bool 0)", "scan")}
  or {_part(f"0.01 * (7 - {ALL.grade})", "grade")}
  or {_part(f"0 * {ALL.targets}", "none")}
)"""
"""Badness of a target, to sort by: critical failures, other failures, unknown, failed scan, grade. Accepted failures do
not count. Grafana's transformation sorts by one column only."""

WORST = f"""topk by ({KEY}) (1,
  max by ({KEY}, check) (2 + {CRITICAL} or 1 + {OTHERS})
)"""
"""One of the worst failed checks of each target, by severity."""


def overview() -> list[Panel]:
    """The first screen: how many comply, which do not, and what ends next."""
    last = [replace(panel, height=9) for panel in (grades(), ends(), by_policy())]
    return [*tiles(), worst_first(), *last]


def tiles() -> list[Panel]:
    """How many comply, and how reliable that is."""
    panels = [
        number_of(
            "Compliant",
            "Targets that pass every check of their policies that applies to them. Green from 1; yellow when there is "
            "none.",
            count(ALL.complies, ALL.targets),
            steps(YELLOW, (1, GREEN)),
            NOTHING,
        ),
        number_of(
            "Not compliant",
            "Targets that fail at least one check of their policies, accepted or not. Red from 1.",
            count(ALL.fails, ALL.targets),
            bad_from_one(RED),
            NOTHING,
        ),
        number_of(
            "Unknown",
            "Targets that fail no check but have at least one check without a result, and targets that have not been "
            "scanned yet. Yellow from 1.",
            count(ALL.undecided, ALL.targets),
            bad_from_one(YELLOW),
            NOTHING,
        ),
        number_of(
            "Failed scans",
            "Targets whose last scan did not reach the server over TLS, or in which a mandatory probe failed. Their "
            "earlier facts stay until they are too old. Red from 1.",
            count(f"{SCAN_SUCCESS} == 0", SCAN_SUCCESS),
            bad_from_one(RED),
            "No data: no target has been scanned",
        ),
        overdue_scans(),
        exporters_down(),
    ]
    return [replace(panel, height=3) for panel in panels]


def worst_first() -> Panel:
    """The table of all targets."""
    worked = ALL.per_target("tls_posture_scan_success")
    return table(
        "Targets, worst first",
        "Targets with failed critical checks come first, then those with other failed checks, unknown ones, ones "
        "whose last scan failed, and the rest by grade. A check that several policies ask for counts once. Failing: "
        "checks that fail and are not accepted, red from 1; the worst one is named. Accepted: failures that the "
        "configuration accepts until a date; the target still does not comply. Unknown: checks without a result, "
        "yellow from 1. Expires: the leaf certificate. Data age: the time since the last successful scan. "
        f"{MEANING} A name links to the dashboard of the target and to its page in the exporter.",
        [
            Column("Rank", RANK, HIDDEN),
            Column("First to fix", WORST, HIDDEN),
            Column("Verdict", ALL.verdict, verdict(("fails", RED), ("passes", GREEN))),
            Column("Grade", ALL.grade, letters(GRADES, "unknown")),
            Column("Failing", ALL.failing, number(bad_from_one(RED), "unknown")),
            Column("Accepted", ALL.failing_accepted, number(steps(GREEN, (1, PURPLE)), "unknown")),
            Column("Unknown", ALL.unknown, number(bad_from_one(YELLOW), "all")),
            Column("Expires", ALL.days_left(), DAYS_LEFT),
            Column("Last scan", worked, verdict(("failed", RED), ("worked", GREEN))),
            Column("Data age", ALL.data_age, plain("no data", unit="s")),
        ],
        Frame(
            {"target": "Target", "check": "Worst failure"},
            GRID_WIDTH,
            12,
            sort_by="Rank",
            highest_first=True,
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
            targets=ALL.targets,
        ),
        NOTHING,
    )


def grades() -> Panel:
    """How many targets have each grade."""
    info = ALL.grades
    unknown = count(without(ALL.targets, info), ALL.targets)
    classes = {"A+": "A[+]", "A, A-": "A-?", "B": "B", "C, D, E": "[CDE]", "F": "F", "T": "T", "M": "M"}
    colours = {"A+": GREEN, "A, A-": GREEN, "B": YELLOW, "C, D, E": YELLOW}
    of_class = {name: ALL.series("tls_posture_grade_info", f'grade=~"{which}"') for name, which in classes.items()}
    return bars(
        "Targets by grade",
        f"{MEANING} F, T and M: red from 1. B to E, and grades that are not known: yellow from 1.",
        [
            *(
                Bar(name, count(f"group by ({KEY}) ({matching})", info), colours.get(name, RED))
                for name, matching in of_class.items()
            ),
            Bar("not known", unknown, YELLOW),
        ],
        NOTHING,
        width=8,
    )


def over_time() -> list[Panel]:
    """Grades and compliance over time."""
    info = ALL.grades
    unknown = count(without(ALL.targets, info), ALL.targets)
    return [
        with_short_legend(
            graph(
                "Grades over time",
                "Targets by grade. A grade has a line only while a target has it. Green lines are A, yellow ones B, "
                "orange ones C to E, red ones F, T and M. Purple is unknown. The dashed line is at 1.",
                [(f"count by (grade) ({info})", "{{grade}}"), (unknown, "not known")],
                Scale(
                    "none",
                    bad_from_one(YELLOW),
                    COUNT,
                    colours=dict(GRADES.values()) | {"not known": PURPLE},
                ),
                NOTHING,
            )
        ),
        graph(
            "Compliance over time",
            "Targets by verdict. The dashed line at 1: from there on something does not comply.",
            [
                (count(ALL.complies, ALL.targets), "compliant"),
                (count(ALL.fails, ALL.targets), "not compliant"),
                (count(ALL.undecided, ALL.targets), "unknown"),
            ],
            Scale(
                "none",
                bad_from_one(RED),
                COUNT,
                colours={"compliant": GREEN, "not compliant": RED, "unknown": YELLOW},
            ),
            NOTHING,
        ),
    ]


def fleet() -> Json:
    """The dashboard of all targets."""
    sections = {
        "Compliance": overview(),
        "Checks and groups": [by_check(), by_group()],
        "Over time": [replace(panel, width=8) for panel in (*over_time(), coverage())],
        "What changed in the last day": changes(),
        "Protocols and cipher suites": protocols_and_suites(),
        "Certificates, HSTS and CAA": [certificate_table(), lifetimes(), *web_and_dns()],
        "Software": [software()],
    }
    about = (
        "TLS posture of all targets, worst first. Unknown facts are shown as unknown or not at all, never as zero. "
        "A target that two exporters watch counts twice. In that case, choose one instance."
    )
    pages = [to_page("Targets", "/"), to_page("Changes", "/changes"), to_page("Certificates", "/certificates")]
    return Board(FLEET, about, [*exporters("tls_posture_target_info"), GROUP, LABELS], sections, pages).render()
