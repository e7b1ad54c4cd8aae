"""The dashboard of all targets, worst first."""

from dataclasses import replace

from tools.dashboards.changes import changes
from tools.dashboards.fleet_facts import certificates, protocols_and_suites, scans, software, web_and_dns
from tools.dashboards.frame import FLEET, LABELS, TO_EXPORTER, TO_TARGET, dashboard, exporters
from tools.dashboards.grades import GRADES, MEANING
from tools.dashboards.panels import (
    COUNT,
    GREEN,
    GRID_WIDTH,
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
)
from tools.dashboards.queries import ALL, KEY, count, without
from tools.dashboards.shared import NOTHING, exporters_down, overdue_scans
from tools.dashboards.tables import HIDDEN, Column, Frame, coded, number, plain, table, verdict

SCAN_SUCCESS = ALL.series("tls_posture_scan_success")


def _part(expr: str, name: str) -> str:
    """The samples with an extra label, so that `or` does not drop them as duplicates of another part."""
    return f'label_replace({expr}, "part", "{name}", "", "")'


CRITICAL = ALL.series("tls_posture_check_passed", 'severity="critical"')
OTHERS = ALL.series("tls_posture_check_passed", 'severity!="critical"')
RANK = f"""sum by ({KEY}) (
  {_part(f"100 * ({CRITICAL} == bool 0)", "critical")}
  or {_part(f"({OTHERS} == bool 0)", "others")}
  or {_part(f"0.5 * ({without(ALL.targets, ALL.verdict)})", "unknown")}
  or {_part(f"0.25 * ({SCAN_SUCCESS} == bool 0)", "scan")}
  or {_part(f"0.01 * (7 - {ALL.grade})", "grade")}
  or {_part(f"0 * {ALL.targets}", "none")}
)"""
"""Badness of a target, to sort by: critical failures, other failures, unknown, failed scan, grade. Grafana's
transformation sorts by one column only."""


def overview() -> list[Panel]:
    """How many comply, and which do not."""
    return [
        number_of(
            "Compliant",
            "Targets that pass every check of their policies that applies to them. Green from 1; yellow when there is "
            "none.",
            count(f"{ALL.verdict} == 1", ALL.targets),
            steps(YELLOW, (1, GREEN)),
            NOTHING,
        ),
        number_of(
            "Not compliant",
            "Targets that fail at least one check of their policies. Red from 1.",
            count(f"{ALL.verdict} == 0", ALL.targets),
            bad_from_one(RED),
            NOTHING,
        ),
        number_of(
            "Unknown",
            "Targets that fail no check but have at least one check without a result, and targets that have not been "
            "scanned yet. Yellow from 1.",
            count(without(ALL.targets, ALL.verdict), ALL.targets),
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
        worst_first(),
        by_policy(),
        by_check(),
    ]


def worst_first() -> Panel:
    """The table of all targets."""
    intervals = number(steps(GREEN, (2, YELLOW), (3, RED)), "never", unit="suffix: x", decimals=1)
    grades = coded(GRADES, "unknown")
    return table(
        "Targets, worst first",
        "Targets with failed critical checks come first, then those with other failed checks, unknown ones, ones "
        "whose last scan failed, and the rest by grade. A check that several policies ask for counts once. The age of "
        "the data is the time since the last successful scan. In scan intervals it is yellow from 2 (a scan was "
        "missed) and red from 3, when facts are dropped by default. Failing checks are red from 1. Without a result, "
        f"the cell is unknown. {MEANING} A name links to the dashboard of the target.",
        [
            Column("Rank", RANK, HIDDEN),
            Column("Verdict", ALL.verdict, verdict(("not compliant", RED), ("compliant", GREEN))),
            Column("Grade", ALL.grade, grades),
            Column("Failing checks", ALL.failing(), number(bad_from_one(RED), "unknown")),
            Column(
                "Last scan", ALL.per_target("tls_posture_scan_success"), verdict(("failed", RED), ("worked", GREEN))
            ),
            Column("Age of the data", ALL.data_age, plain("never scanned successfully", unit="s")),
            Column("Age in scan intervals", ALL.data_age_in_intervals, intervals),
        ],
        Frame(
            {"target": "Target"},
            GRID_WIDTH,
            10,
            sort_by="Rank",
            highest_first=True,
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
        ),
        NOTHING,
    )


def by_policy() -> Panel:
    """How many comply, by policy."""
    key = f"{KEY}, policy"
    verdicts = ALL.per_target("tls_posture_compliant", "min", key)
    held = f"group by ({key}) ({ALL.checks})"
    among = f"0 * count by (policy) ({held})"
    return table(
        "Compliance by policy",
        "Targets by policy. A target with two policies counts in both. Unknown: no check fails, but at least one has "
        "no result. A target without the result of any check is not counted. Red and yellow from 1.",
        [
            Column("Not compliant", f"count by (policy) ({verdicts} == 0) or {among}", number(bad_from_one(RED), "–")),
            Column(
                "Unknown",
                f"count by (policy) ({held} unless on ({key}) {verdicts}) or {among}",
                number(bad_from_one(YELLOW), "–"),
            ),
            Column(
                "Compliant",
                f"count by (policy) ({verdicts} == 1) or {among}",
                number(steps(YELLOW, (1, GREEN)), "–"),
            ),
        ],
        Frame({"policy": "Policy"}, 10, 8, sort_by="Not compliant", highest_first=True),
        "No data: no check of any target has a result",
    )


def by_check() -> Panel:
    """How many pass, by check."""
    verdicts = ALL.per_target("tls_posture_check_passed", "min", f"{KEY}, policy, check, severity")
    key = "policy, check, severity"
    return table(
        "Checks, most failures first",
        "How many targets fail and pass each check, with the severity that the policy gives it. Red from 1. Targets "
        "where the check has no result or does not apply are not counted.",
        [
            Column("Fail", f"sum by ({key}) ({verdicts} == bool 0)", number(bad_from_one(RED), "–")),
            Column("Pass", f"sum by ({key}) ({verdicts})", number(steps(YELLOW, (1, GREEN)), "–")),
        ],
        Frame(
            {"policy": "Policy", "check": "Check", "severity": "Severity"}, 14, 8, sort_by="Fail", highest_first=True
        ),
        "No data: no check of any target has a result",
    )


def grades() -> list[Panel]:
    """Grades now, and both grades and compliance over time."""
    info = ALL.grades
    unknown = count(without(ALL.targets, info), ALL.targets)
    classes = {"A+": "A[+]", "A, A-": "A-?", "B": "B", "C, D, E": "[CDE]", "F": "F", "T": "T", "M": "M"}
    colours = {"A+": GREEN, "A, A-": GREEN, "B": YELLOW, "C, D, E": YELLOW}
    of_class = {name: ALL.series("tls_posture_grade_info", f'grade=~"{letters}"') for name, letters in classes.items()}
    panels = [
        bars(
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
        ),
        graph(
            "Grades over time",
            "Targets by grade. A grade has a line only while a target has it. Green lines are A, yellow ones B, orange "
            "ones C to E, red ones F, T and M. Purple is unknown. The dashed line is at 1.",
            [(f"count by (grade) ({info})", "{{grade}}"), (unknown, "not known")],
            Scale(
                "none",
                bad_from_one(YELLOW),
                COUNT,
                colours=dict(GRADES.values()) | {"not known": "purple"},
            ),
            NOTHING,
        ),
        graph(
            "Compliance over time",
            "Targets by verdict. The dashed line at 1: from there on something does not comply.",
            [
                (count(f"{ALL.verdict} == 1", ALL.targets), "compliant"),
                (count(f"{ALL.verdict} == 0", ALL.targets), "not compliant"),
                (count(without(ALL.targets, ALL.verdict), ALL.targets), "unknown"),
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
    return [replace(panel, width=8) for panel in panels]


def fleet() -> Json:
    """The dashboard of all targets."""
    sections = {
        "Compliance": overview(),
        "Grades and compliance": grades(),
        "What changed in the last day": changes(),
        "Protocols and cipher suites": protocols_and_suites(),
        "Certificates": certificates(),
        "HSTS, CAA and software": [*web_and_dns(), software()],
        "Scan health": scans(),
    }
    about = (
        "TLS posture of all targets, worst first. Unknown facts are shown as unknown or not at all, never as zero. "
        "A target that two exporters watch counts twice. In that case, choose one instance."
    )
    return dashboard(FLEET, about, [*exporters("tls_posture_target_info"), LABELS], sections)
