"""The dashboard of one target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tools.dashboards.frame import (
    LABELS,
    TARGET,
    TO_POLICY,
    Board,
    choice_or_none,
    exporters,
    page_of_row,
    single_choice,
    to_page,
    value_of,
)
from tools.dashboards.grades import GRADE_AND_UNKNOWN, GRADE_STEPS, GRADES, MEANING, UNKNOWN_GRADE
from tools.dashboards.panels import (
    GREEN,
    GRID_WIDTH,
    RED,
    YELLOW,
    Json,
    Panel,
    Scale,
    graph,
    stat,
    steps,
    with_short_legend,
    words,
)
from tools.dashboards.queries import CHECK_KEY, CRITICAL, KEY, ONE, WHOLE, any_of, known_or, severe_first, with_exporter
from tools.dashboards.shared import BY_ADDRESS, GONE, STATES
from tools.dashboards.tables import HIDDEN, Column, Frame, coded, letters, number, plain, table
from tools.dashboards.target_facts import certificate, protocols_and_suites, software_and_clients, web_and_dns
from tools.dashboards.target_scans import scans

FAILS, PASSES, UNKNOWN = 0, 1, 2
THREE = steps(RED, (PASSES, GREEN), (UNKNOWN, YELLOW))

CHECKLIST = "kopano-checklist"
STEPS: Mapping[str, Sequence[str]] = {
    "1 Software": ("server_software",),
    "2 TLS configuration": ("protocols", "cipher_suites", "cipher_order", "compression", "vulnerabilities"),
    "3 HSTS": ("hsts", "hsts_on_errors"),
    "4 CAA": ("caa",),
    "5 SSL Labs' grade": ("certificate_valid", "grade"),
    "Old clients": ("clients",),
}
"""Each step of the checklist, and its remark about old clients -> the checks of the policy that belong to it."""


def _three(fails: str, passes: str) -> Scale:
    """Words for a verdict that can be unknown."""
    mappings = words({FAILS: (fails, RED), PASSES: (passes, GREEN), UNKNOWN: ("unknown", YELLOW)})
    return Scale("none", THREE, {"mappings": mappings})


def step(checks: Sequence[str]) -> str:
    """0 if a check of the step fails, 1 if all pass; otherwise absent.

    A check that does not apply has no sample, and neither has an unknown one. Only the verdict on the complete policy
    distinguishes them.
    """
    found = ONE.series("tls_posture_check_passed", f'policy="{CHECKLIST}"', any_of(checks))
    complies = ONE.series("tls_posture_compliant", f'policy="{CHECKLIST}"')
    worst = f"min by ({KEY}) ({found})"
    whole = f"(count by ({KEY}) ({found}) == {len(checks)} or on ({KEY}) {complies} == 1)"
    return f"{worst} == 0 or ({worst} and on ({KEY}) {whole})"


PAGE = "/targets/${target:percentencode}"
TO_EVIDENCE = page_of_row("Show evidence and what to change", f"{PAGE}#check-{value_of('Check')}")


def overview() -> list[Panel]:
    """The verdict, its parts, and its history."""
    graphs = [replace(panel, height=11) for panel in (failing_over_time(), with_short_legend(grade_over_time()))]
    return [*tiles(), five_steps(), checks(), grade(), *graphs]


def tiles() -> list[Panel]:
    """The verdict, the grade, and how reliable they are."""
    panels = [
        stat(
            "Verdict",
            "The verdict of all policies of the target, by address where each address is scanned. Red: a check fails. "
            "Green: every check that applies passes. Yellow: unknown.",
            [(known_or(ONE.verdict, UNKNOWN, ONE.targets), "{{address}}")],
            _three("fails", "passes"),
            GONE,
        ),
        stat(
            "Grade",
            f"{MEANING} Green from A-, yellow B or unknown, orange C to E, red F, T and M.",
            [(known_or(ONE.grade, UNKNOWN_GRADE, ONE.targets), "{{address}}")],
            Scale("none", GRADE_STEPS, {"mappings": words(GRADE_AND_UNKNOWN)}),
            GONE,
        ),
        stat(
            "Last scan",
            "Whether the last scan reached the server over TLS and every mandatory probe worked. Red if not: then the "
            "data below is from an earlier scan. Yellow before the first scan.",
            [(known_or(ONE.per_target("tls_posture_scan_success"), UNKNOWN, ONE.targets), "{{address}}")],
            _three("failed", "worked"),
            GONE,
        ),
        stat(
            "Age in scan intervals",
            "Time since the last successful scan, in scan intervals of the target. Yellow from 2 (a scan was missed), "
            "red from 3, when facts are dropped by default.",
            [(ONE.data_age_in_intervals, "{{address}}")],
            Scale("none", steps(GREEN, (2, YELLOW), (3, RED)), {"decimals": 1}),
            "No data: never scanned successfully",
        ),
        stat(
            "Addresses",
            "Whether the addresses of the target agree on every fact that is known for several of them. Red if they do "
            "not. The report lists the differences.",
            [(WHOLE.per_target("tls_posture_addresses_disagree", "max", "job, instance, target"), "{{instance}}")],
            Scale("none", steps(GREEN, (1, RED)), {"mappings": words({0: ("agree", GREEN), 1: ("disagree", RED)})}),
            "No data: addresses are not scanned one by one",
        ),
    ]
    return [replace(panel, width=width, height=3) for panel, width in zip(panels, (5, 5, 5, 5, 4), strict=True)]


def five_steps() -> Panel:
    """The steps of the checklist, one tile each."""
    panel = stat(
        "The five steps",
        f"The steps of the checklist behind the policy {CHECKLIST}. Red: a check of the step fails. Green: all its "
        "checks that apply pass. Yellow: unknown, or the target does not have that policy.",
        [(known_or(step(checks), UNKNOWN, ONE.targets), f"{name} {{{{address}}}}") for name, checks in STEPS.items()],
        _three("fails", "passes"),
        GONE,
    )
    return replace(panel, width=GRID_WIDTH)


def checks() -> Panel:
    """Every check of every policy."""
    key = f"{CHECK_KEY}, severity"
    changes = f"sum by ({key}) (changes({ONE.checks}[1d]))"
    until = ONE.per_target("tls_posture_check_accepted_until_timestamp_seconds", "min", key)
    return table(
        "Checks",
        "Every check that applies, failed ones first, then unknown ones. Failed is red, unknown yellow, passed green. "
        "Purple: it fails, and the configuration accepts that until the date shown. If a check changed more than once "
        "within a day (yellow from 2), several machines behind one address may be configured differently. A check "
        "links to its evidence and what to change, in the exporter.",
        [
            Column("Rank", severe_first(ONE.states, ONE.only(CRITICAL).states), HIDDEN),
            Column("State", ONE.states, coded(STATES, "unknown")),
            Column("Accepted until", f"1000 * ({until} - 1)", plain("–", unit="time:YYYY-MM-DD")),
            Column("Changes", changes, number(steps(GREEN, (2, YELLOW)), "–")),
        ],
        Frame(
            {"check": "Check", "policy": "Policy", "severity": "Severity"},
            16,
            11,
            sort_by="Rank",
            links={"Policy": TO_POLICY, "Check": [TO_EVIDENCE]},
            one_target=True,
        ),
        "No data: no check has been judged",
    )


def grade() -> Panel:
    """The grade and what caps it."""
    key = f"{KEY}, capped_by"
    info = ONE.per_target("tls_posture_grade_info", "max", key)
    return table(
        "Grade and what caps it",
        "The grade, the rule that caps it (empty if the score decides, or if nothing lowers it), and the score before "
        f"any rule. {MEANING} Green from A-, yellow B, orange C to E, red F, T and M.",
        [
            Column("Grade", f"0 * {info} + on ({KEY}) group_left () {ONE.grade}", letters(GRADES, "unknown")),
            Column(
                "Score",
                f"0 * {info} + on ({KEY}) group_left () {ONE.per_target('tls_posture_grade_score')}",
                plain("inexact"),
            ),
        ],
        Frame({"capped_by": "Capped by"}, 8, 11, sort_by="Grade", one_target=True),
        "No data: unknown facts may change the grade",
    )


def failing_over_time() -> Panel:
    """How many checks fail, by policy."""
    key = f"{KEY}, policy"
    return graph(
        "Failing checks over time",
        "Checks of each policy that fail. A gap is a time without data. The dashed line at 1: from there on, the "
        "target does not comply.",
        [(with_exporter(f"sum by ({key}) ({ONE.checks} == bool 0)", ONE.targets), f"{{{{policy}}}} {BY_ADDRESS}")],
        Scale("none", steps(GREEN, (1, RED)), {"min": 0, "decimals": 0}),
        "No data: no check has a result",
    )


def grade_over_time() -> Panel:
    """The grade, from M at the bottom to A+."""
    return graph(
        "Grade over time",
        f"{MEANING} A gap means that the grade was unknown. The dashed lines: below A- (yellow), below B (orange), F "
        "(red).",
        [(with_exporter(ONE.grade, ONE.targets), f"grade {BY_ADDRESS}")],
        Scale(
            "none",
            steps(RED, (1, "orange"), (4, YELLOW), (5, GREEN)),
            {"mappings": words(GRADES), "min": -2, "max": 7, "decimals": 0},
        ),
        "No data: unknown facts may change the grade",
    )


def target() -> Json:
    """The dashboard of one target."""
    sections = {
        "Verdict": overview(),
        "Protocols and cipher suites": protocols_and_suites(),
        "Certificate": certificate(),
        "HSTS and CAA": web_and_dns(),
        "Software and clients": software_and_clients(),
        "Scan health and cost": scans(),
    }
    about = (
        "TLS posture of one target, by address where each address is scanned. Unknown facts are shown as unknown or "
        "not at all, never as zero."
    )
    info = "tls_posture_target_info"
    chosen = 'job=~"$job", instance=~"$instance"'
    variables = [
        *exporters(info),
        single_choice("target", f"label_values({info}{{{chosen}}}, target)"),
        choice_or_none("address", f'label_values({info}{{{chosen}, target="$target"}}, address)'),
        LABELS,
    ]
    return Board(TARGET, about, variables, sections, [to_page("Page of the target", PAGE)]).render()
