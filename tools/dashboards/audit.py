"""The dashboard for auditors: one policy, its checks, its history, its exceptions."""

from dataclasses import replace

from tools.dashboards.compliance import ABOUT_CHECKS, check_columns, group_table
from tools.dashboards.frame import (
    AUDIT,
    GROUP,
    LABELS,
    TO_EXPORTER,
    TO_TARGET,
    Board,
    choice,
    exporters,
    page_of_row,
    single_choice,
    to_failing,
    to_page,
    value_of,
)
from tools.dashboards.panels import (
    COUNT,
    GREEN,
    GRID_WIDTH,
    PURPLE,
    RED,
    YELLOW,
    Json,
    Panel,
    Scale,
    bad_from_one,
    graph,
    number_of,
    stat,
    steps,
)
from tools.dashboards.queries import ALL, CHECK_KEY, CRITICAL, count, severe_first, without
from tools.dashboards.shared import STATES
from tools.dashboards.tables import HIDDEN, Column, Frame, coded, number, plain, table

OF_POLICY = ALL.only('policy="$policy"')
"""The samples about the chosen policy."""
OF_CHECKS = OF_POLICY.only('check=~"$check"')
"""The same, of the chosen checks."""

TARGETS = ALL.series("tls_posture_target_info", 'policy=~"(.+,)?$policy(,.+)?"')
"""1 for each target that is judged by the policy; the label has the names of all policies of a target."""
VERDICT = OF_POLICY.series("tls_posture_compliant")

NO_TARGET = "No data: no target of this choice has the policy"
NO_CHECK = "No data: no target has been judged by the policy"

SOON_DAYS = 30


def now() -> list[Panel]:
    """The verdicts and the checks now."""
    return [*tiles(), checks(), replace(group_table(TARGETS, VERDICT, 10), height=11)]


def tiles() -> list[Panel]:
    """How many comply, and how many failures are accepted."""
    until = OF_POLICY.series("tls_posture_check_accepted_until_timestamp_seconds")
    judged = OF_POLICY.checks
    panels = [
        number_of(
            "Compliant",
            "Targets that pass every check of the policy that applies to them. Green from 1; yellow when there is "
            "none.",
            count(f"{VERDICT} == 1", TARGETS),
            steps(YELLOW, (1, GREEN)),
            NO_TARGET,
        ),
        number_of(
            "Not compliant",
            "Targets that fail at least one check of the policy, accepted or not. Red from 1.",
            count(f"{VERDICT} == 0", TARGETS),
            bad_from_one(RED),
            NO_TARGET,
        ),
        number_of(
            "Unknown",
            "Targets that fail no check of the policy but have at least one check without a result, and targets that "
            "have not been scanned yet. Yellow from 1.",
            count(without(TARGETS, VERDICT), TARGETS),
            bad_from_one(YELLOW),
            NO_TARGET,
        ),
        stat(
            "Share that complies",
            "Compliant targets as a share of all targets with the policy, unknown ones included. Green at 100%, "
            "otherwise yellow.",
            [(f"({count(f'{VERDICT} == 1', TARGETS)}) / count({TARGETS})", "")],
            Scale("percentunit", steps(YELLOW, (1, GREEN)), {"decimals": 0}),
            NO_TARGET,
        ),
        number_of(
            "Failures not accepted",
            "Failed checks of all targets that the configuration does not accept. Red from 1.",
            count(OF_POLICY.failed, judged),
            bad_from_one(RED),
            NO_CHECK,
        ),
        number_of(
            "Acceptances that end soon",
            f"Accepted failures whose acceptance ends within {SOON_DAYS} days. Then they fail again. Yellow from 1.",
            count(f"{until} < time() + {SOON_DAYS} * 86400", judged),
            bad_from_one(YELLOW),
            NO_CHECK,
        ),
    ]
    return [replace(panel, height=3) for panel in panels]


def checks() -> Panel:
    """How many targets pass each check."""
    return table(
        "Checks of the policy, most failures first",
        f"{ABOUT_CHECKS} A check links to the exporter's list of targets that fail it.",
        check_columns(OF_POLICY, "check, severity"),
        Frame(
            {"check": "Check", "severity": "Severity"},
            14,
            11,
            sort_by="Fail",
            highest_first=True,
            links={"Check": to_failing("${policy:percentencode}")},
        ),
        NO_CHECK,
    )


def over_time() -> list[Panel]:
    """Verdicts and failing checks over time."""
    return [
        graph(
            "Compliance with the policy over time",
            "Targets with the policy by verdict. The dashed line at 1: from there on something does not comply.",
            [
                (count(f"{VERDICT} == 1", TARGETS), "compliant"),
                (count(f"{VERDICT} == 0", TARGETS), "not compliant"),
                (count(without(TARGETS, VERDICT), TARGETS), "unknown"),
            ],
            Scale(
                "none",
                bad_from_one(RED),
                COUNT,
                colours={"compliant": GREEN, "not compliant": RED, "unknown": YELLOW},
            ),
            NO_TARGET,
        ),
        graph(
            "Failures over time",
            "Failed checks over all targets, and how many of them are accepted. The line unknown has the checks "
            "without a result. The last two have a line only while there are such checks. The dashed line is at 1.",
            [
                (f"sum({OF_POLICY.checks} == bool 0)", "fails"),
                (f"count({OF_POLICY.accepted})", "of them accepted"),
                (f"count({OF_POLICY.unknown_checks})", "unknown"),
            ],
            Scale(
                "none",
                bad_from_one(RED),
                COUNT,
                colours={"fails": RED, "of them accepted": PURPLE, "unknown": YELLOW},
            ),
            NO_CHECK,
        ),
    ]


def findings() -> Panel:
    """A row for each finding."""
    rank = severe_first(OF_CHECKS.findings, OF_CHECKS.only(CRITICAL).findings)
    return table(
        "Findings, worst first",
        "Every check of the policy that fails (red), has no result (yellow) or fails and is accepted (purple), by "
        "target. Green is not listed. The variable check chooses some checks. A check links to its evidence in the "
        "exporter, which also has the reason of an acceptance and who gave it.",
        [Column("Rank", rank, HIDDEN), Column("State", OF_CHECKS.findings, coded(STATES, "unknown"))],
        Frame(
            {"target": "Target", "check": "Check", "severity": "Severity"},
            GRID_WIDTH,
            12,
            sort_by="Rank",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER, "Check": [TO_EVIDENCE]},
            targets=ALL.targets,
        ),
        "No data: no finding of this choice, or no target has been judged; the panels above say which",
    )


TO_EVIDENCE = page_of_row(
    "Show evidence and what to change", f"/targets/{value_of('Target')}#check-{value_of('Check')}"
)


def exceptions() -> Panel:
    """A row for each acceptance in the time range."""
    key = f"{CHECK_KEY}, severity"
    until = f"last_over_time({OF_CHECKS.series('tls_posture_check_accepted_until_timestamp_seconds')}[$__range])"
    rows = f"max by ({key}) ({until})"
    return table(
        "Exceptions, nearest end first",
        "Accepted failures in the time range, and how the check is now: purple while the acceptance holds, red when it "
        "fails without one, green when it passes. Days left are yellow below a month and red when the acceptance is "
        "over.",
        [
            Column("Last day", f"1000 * ({rows} - 1)", plain("–", unit="time:YYYY-MM-DD")),
            Column(
                "Days left",
                f"({rows} - time()) / 86400",
                number(steps(RED, (0, YELLOW), (SOON_DAYS, GREEN)), "–"),
            ),
            Column("Now", f"{OF_CHECKS.states} and on ({CHECK_KEY}) {rows}", coded(STATES, "unknown")),
        ],
        Frame(
            {"target": "Target", "check": "Check"},
            GRID_WIDTH,
            6,
            sort_by="Last day",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER, "Check": [TO_EVIDENCE]},
            targets=ALL.targets,
        ),
        "No data: nothing was accepted in the time range, or no target has been judged",
    )


def audit() -> Json:
    """The dashboard for auditors."""
    sections = {
        "$policy now": now(),
        "Over time": over_time(),
        "Exceptions and findings": [exceptions(), findings()],
    }
    about = (
        "One policy over all targets: its checks, its history, what is accepted and until when. Accepted failures do "
        "not comply. Unknown is never counted as passed or failed."
    )
    judged = '{__name__=~"tls_posture_check_passed|tls_posture_check_unknown", job=~"$job", instance=~"$instance"'
    variables = [
        *exporters("tls_posture_target_info"),
        single_choice("policy", f"label_values({judged}}}, policy)"),
        choice("check", f'label_values({judged}, policy="$policy"}}, check)'),
        GROUP,
        LABELS,
    ]
    pages = [to_page("Page of the policy", "/policies/${policy:percentencode}"), to_page("Targets", "/")]
    return Board(AUDIT, about, variables, sections, pages, since="now-90d").render()
