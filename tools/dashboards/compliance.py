"""How many targets comply: by policy, by check, and by a label of the operator."""

from tools.dashboards.frame import TO_POLICY, to_failing, value_of
from tools.dashboards.panels import DASH, GREEN, PURPLE, RED, YELLOW, Json, Panel, bad_from_one, steps
from tools.dashboards.queries import ALL, KEY, Selection, without
from tools.dashboards.tables import Column, Frame, number, plain, table

NO_GROUP = "No data: no target has the label that is chosen above"
NO_RESULT = "No data: no target has been judged"


def of_none(colour: str) -> Json:
    """Settings of a count of which there should be none."""
    return number(bad_from_one(colour), DASH)


OF_MANY = number(steps(YELLOW, (1, GREEN)), DASH)
"""Settings of a count of which there should be some."""


def by_policy() -> Panel:
    """How many comply, by policy."""
    key = f"{KEY}, policy"
    verdicts = ALL.series("tls_posture_compliant")
    undecided = f"group by ({key}) ({ALL.unknown_checks}) unless on ({key}) {verdicts}"
    among = f"0 * (group by (policy) ({verdicts}) or group by (policy) ({ALL.unknown_checks}))"
    return table(
        "Compliance by policy",
        "Targets by policy. A target with two policies counts in both. Unknown: no check fails, but at least one has "
        "no result. Targets that have not been scanned yet are not counted. Red and yellow from 1. A name links to the "
        "audit of the policy and to its page in the exporter.",
        [
            Column("Fail", f"count by (policy) ({verdicts} == 0) or {among}", of_none(RED)),
            Column("Unknown", f"count by (policy) ({undecided}) or {among}", of_none(YELLOW)),
            Column("Pass", f"count by (policy) ({verdicts} == 1) or {among}", OF_MANY),
        ],
        Frame({"policy": "Policy"}, 8, 9, sort_by="Fail", highest_first=True, links={"Policy": TO_POLICY}),
        NO_RESULT,
    )


def check_columns(selection: Selection, key: str) -> list[Column]:
    """How many targets fail and pass, by these labels of checks; 0 where a check has another result."""
    of_accepted = number(steps(GREEN, (1, PURPLE)), DASH)
    none = f"0 * (group by ({key}) ({selection.checks}) or group by ({key}) ({selection.unknown_checks}))"
    return [
        Column("Fail", f"count by ({key}) ({selection.failed}) or {none}", of_none(RED)),
        Column("Accepted", f"count by ({key}) ({selection.accepted}) or {none}", of_accepted),
        Column("Unknown", f"count by ({key}) ({selection.unknown_checks}) or {none}", of_none(YELLOW)),
        Column("Pass", f"sum by ({key}) ({selection.checks}) or {none}", OF_MANY),
    ]


ABOUT_CHECKS = (
    "How many targets fail and pass each check, with the severity that the policy gives it. Accepted: failures that "
    "the configuration accepts until a date. Unknown: the check has no result. Failures are red from 1, unknown ones "
    "yellow from 1. Targets to which the check does not apply, and those not scanned yet, are not counted."
)


def by_check() -> Panel:
    """How many pass, by check."""
    return table(
        "Checks, most failures first",
        f"{ABOUT_CHECKS} A check links to the exporter's list of targets that fail it.",
        check_columns(ALL, "policy, check, severity"),
        Frame(
            {"policy": "Policy", "check": "Check", "severity": "Severity"},
            14,
            9,
            sort_by="Fail",
            highest_first=True,
            links={"Policy": TO_POLICY, "Check": to_failing(value_of("Policy"))},
        ),
        NO_RESULT,
    )


def by_group() -> Panel:
    """How many targets comply, by the chosen label of targets."""
    return group_table(ALL.targets, ALL.verdict, 10)


def group_table(targets: str, verdict: str, width: int) -> Panel:
    """The targets by the value of the chosen label; `verdict` is 1, 0, or absent for each."""
    grouped = f'label_join({targets}, "group", "", "$group")'
    labelled = ALL.series("tls_posture_target_info", '$group!=""')

    def number_of(those: str) -> str:
        return f"(count by (group) ({those}) or 0 * count by (group) ({grouped})) and on () count({labelled})"

    passing = f"count by (group) ({grouped} and on ({KEY}) ({verdict} == 1))"
    return table(
        "Targets by $group",
        "Targets by the value of the label that is chosen above, which is a label of your own in the configuration. A "
        "dash has the targets without this label. Red and yellow from 1; the share of compliant targets is among all "
        "of the group, unknown ones included.",
        [
            Column("Fail", number_of(f"{grouped} and on ({KEY}) ({verdict} == 0)"), of_none(RED)),
            Column("Unknown", number_of(without(grouped, verdict)), of_none(YELLOW)),
            Column("Pass", number_of(f"{grouped} and on ({KEY}) ({verdict} == 1)"), OF_MANY),
            Column(
                "Share",
                f"({passing} or 0 * count by (group) ({grouped})) / count by (group) ({grouped}) "
                f"and on () count({labelled})",
                plain(DASH, unit="percentunit"),
            ),
        ],
        Frame({"group": "Group"}, width, 9, sort_by="Fail", highest_first=True),
        NO_GROUP,
    )
