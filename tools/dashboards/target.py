"""The dashboard of one target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tools.dashboards.frame import LABELS, TARGET, choice_or_none, dashboard, exporters, single_choice
from tools.dashboards.grades import GRADE_AND_UNKNOWN, GRADE_STEPS, GRADES, MEANING, UNKNOWN_GRADE
from tools.dashboards.panels import GREEN, GRID_WIDTH, RED, YELLOW, Json, Panel, Scale, graph, stat, steps, words
from tools.dashboards.queries import CHECK_KEY, KEY, ONE, WHOLE, any_of, known_or
from tools.dashboards.shared import BY_ADDRESS, GONE
from tools.dashboards.tables import Column, Frame, coded, number, plain, table, verdict
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


def overview() -> list[Panel]:
    """The verdict, its parts, and its history."""
    return [*tiles(), five_steps(), checks(), grade(), failing_over_time(), grade_over_time()]


def tiles() -> list[Panel]:
    """The verdict, the grade, and how reliable they are."""
    panels = [
        stat(
            "Verdict",
            "The verdict of all policies of the target, by address where each address is scanned. Red: a check fails. "
            "Green: every check that applies passes. Yellow: unknown.",
            [(known_or(ONE.verdict, UNKNOWN, ONE.targets), "{{address}}")],
            _three("not compliant", "compliant"),
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
    return [replace(panel, width=width) for panel, width in zip(panels, (5, 5, 5, 5, 4), strict=True)]


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
    return table(
        "Checks",
        "Every check that has a result, failed ones first. The others are unknown or do not apply. Failed is red, "
        "passed green. If a check changed more than once within a day (yellow from 2), several machines behind one "
        "address may be configured differently.",
        [
            Column(
                "Verdict",
                ONE.per_target("tls_posture_check_passed", "min", key),
                verdict(("failed", RED), ("passed", GREEN)),
            ),
            Column("Changes within a day", changes, number(steps(GREEN, (2, YELLOW)), "–")),
        ],
        Frame({"policy": "Policy", "check": "Check", "severity": "Severity"}, 12, 10, sort_by="Verdict"),
        "No data: no check has a result",
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
            Column("Grade", f"0 * {info} + on ({KEY}) group_left () {ONE.grade}", coded(GRADES, "unknown")),
            Column(
                "Score",
                f"0 * {info} + on ({KEY}) group_left () {ONE.per_target('tls_posture_grade_score')}",
                plain("not known exactly"),
            ),
        ],
        Frame({"capped_by": "Capped by"}, 12, 10, sort_by="Grade"),
        "No data: unknown facts may change the grade",
    )


def failing_over_time() -> Panel:
    """How many checks fail, by policy."""
    key = f"{KEY}, policy"
    return graph(
        "Failing checks over time",
        "Checks of each policy that fail. A gap is a time without data. The dashed line at 1: from there on, the "
        "target does not comply.",
        [(f"sum by ({key}) ({ONE.checks} == bool 0)", f"{{{{policy}}}} {BY_ADDRESS}")],
        Scale("none", steps(GREEN, (1, RED)), {"min": 0, "decimals": 0}),
        "No data: no check has a result",
    )


def grade_over_time() -> Panel:
    """The grade, from M at the bottom to A+."""
    return graph(
        "Grade over time",
        f"{MEANING} A gap means that the grade was unknown. The dashed lines: below A- (yellow), below B (orange), F "
        "(red).",
        [(ONE.grade, f"grade {BY_ADDRESS}")],
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
    return dashboard(TARGET, about, variables, sections)
