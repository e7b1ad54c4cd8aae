"""The dashboard of one target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tools.dashboards.frame import LABELS, TARGET, choice_or_none, dashboard, exporters, single_choice
from tools.dashboards.grades import GRADE_AND_UNKNOWN, GRADE_STEPS, GRADES, MEANING, UNKNOWN_GRADE
from tools.dashboards.panels import GREEN, GRID_WIDTH, RED, YELLOW, Json, Panel, Scale, graph, stat, steps, words
from tools.dashboards.queries import CHECK_KEY, KEY, ONE, WHOLE, any_of, told_or
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
"""The steps of the checklist and what it says behind them, and the checks of the policy of its name for each."""


def _three(fails: str, passes: str) -> Scale:
    """Words for what can be unknown."""
    mappings = words({FAILS: (fails, RED), PASSES: (passes, GREEN), UNKNOWN: ("unknown", YELLOW)})
    return Scale("none", THREE, {"mappings": mappings})


def step(checks: Sequence[str]) -> str:
    """0 when a check of the step fails, 1 when all pass; absent else.

    What does not apply has no sample, as what is unknown has none; only a verdict on the whole policy tells them apart.
    """
    found = ONE.series("tls_posture_check_passed", f'policy="{CHECKLIST}"', any_of(checks))
    complies = ONE.series("tls_posture_compliant", f'policy="{CHECKLIST}"')
    worst = f"min by ({KEY}) ({found})"
    whole = f"(count by ({KEY}) ({found}) == {len(checks)} or on ({KEY}) {complies} == 1)"
    return f"{worst} == 0 or ({worst} and on ({KEY}) {whole})"


def overview() -> list[Panel]:
    """The verdict, what it is made of, and how it came about."""
    return [*tiles(), five_steps(), checks(), grade(), failing_over_time(), grade_over_time()]


def tiles() -> list[Panel]:
    """The verdict, the grade, and how far they can be relied upon."""
    panels = [
        stat(
            "Verdict",
            "Over all policies of the target, by address where each is scanned: red when a check of one fails, green "
            "when every check that applies passes, yellow when it could not be told.",
            [(told_or(ONE.verdict, UNKNOWN, ONE.targets), "{{address}}")],
            _three("not compliant", "compliant"),
            GONE,
        ),
        stat(
            "Grade",
            f"{MEANING} Green from A-, yellow B or not known, orange C to E, red F, T and M.",
            [(told_or(ONE.grade, UNKNOWN_GRADE, ONE.targets), "{{address}}")],
            Scale("none", GRADE_STEPS, {"mappings": words(GRADE_AND_UNKNOWN)}),
            GONE,
        ),
        stat(
            "Last scan",
            "Whether the last scan reached the server over TLS and every mandatory probe answered. Red when it did "
            "not, and all below is as of an earlier one. Yellow before the first scan.",
            [(told_or(ONE.per_target("tls_posture_scan_success"), UNKNOWN, ONE.targets), "{{address}}")],
            _three("failed", "worked"),
            GONE,
        ),
        stat(
            "Age in scan intervals",
            "Time since the last successful scan, in scan intervals of the target: yellow from 2 (a scan was missed), "
            "red from 3, when by default facts are given up.",
            [(ONE.data_age_in_intervals, "{{address}}")],
            Scale("none", steps(GREEN, (2, YELLOW), (3, RED)), {"decimals": 1}),
            "No data: never scanned with success",
        ),
        stat(
            "Addresses",
            "Whether the addresses of the target agree on every fact that is known of several. Red when they do not; "
            "the report names what they differ in.",
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
        f"The steps of the checklist that the policy {CHECKLIST} is made of. Red: a check of the step fails. Green: "
        "all its checks that apply pass. Yellow: it could not be told, or the target is not held against that policy.",
        [(told_or(step(checks), UNKNOWN, ONE.targets), f"{name} {{{{address}}}}") for name, checks in STEPS.items()],
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
        "Every check that could be told, failed ones first; the others are unknown or do not apply. Failed is red, "
        "passed green. A check that changed more than once within a day (yellow from 2) may be one of several machines "
        "behind one address.",
        [
            Column(
                "Verdict",
                ONE.per_target("tls_posture_check_passed", "min", key),
                verdict(("failed", RED), ("passed", GREEN)),
            ),
            Column("Changes within a day", changes, number(steps(GREEN, (2, YELLOW)), "–")),
        ],
        Frame({"policy": "Policy", "check": "Check", "severity": "Severity"}, 12, 10, sort_by="Verdict"),
        "No data: no check could be told",
    )


def grade() -> Panel:
    """The grade and what caps it."""
    key = f"{KEY}, capped_by"
    info = ONE.per_target("tls_posture_grade_info", "max", key)
    return table(
        "Grade and what caps it",
        "The grade, the rule that led to it (none where the score did, or where nothing lowered it), and the score "
        f"before any rule. {MEANING} Green from A-, yellow B, orange C to E, red F, T and M.",
        [
            Column("Grade", f"0 * {info} + on ({KEY}) group_left () {ONE.grade}", coded(GRADES, "unknown")),
            Column(
                "Score",
                f"0 * {info} + on ({KEY}) group_left () {ONE.per_target('tls_posture_grade_score')}",
                plain("not known exactly"),
            ),
        ],
        Frame({"capped_by": "Capped by"}, 12, 10, sort_by="Grade"),
        "No data: what is not known may change the grade",
    )


def failing_over_time() -> Panel:
    """How many checks fail, by policy."""
    key = f"{KEY}, policy"
    return graph(
        "Failing checks over time",
        "Checks of each policy that fail. A gap is a time of which nothing is known. The dashed line at 1: from there "
        "on the target does not comply.",
        [(f"sum by ({key}) ({ONE.checks} == bool 0)", f"{{{{policy}}}} {BY_ADDRESS}")],
        Scale("none", steps(GREEN, (1, RED)), {"min": 0, "decimals": 0}),
        "No data: no check could be told",
    )


def grade_over_time() -> Panel:
    """The grade, from M at the bottom to A+."""
    return graph(
        "Grade over time",
        f"{MEANING} A gap is a time of which it is not known. The dashed lines: below A- (yellow), below B (orange), F "
        "(red).",
        [(ONE.grade, f"grade {BY_ADDRESS}")],
        Scale(
            "none",
            steps(RED, (1, "orange"), (4, YELLOW), (5, GREEN)),
            {"mappings": words(GRADES), "min": -2, "max": 7, "decimals": 0},
        ),
        "No data: what is not known may change the grade",
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
        "TLS posture of one target, by address where each is scanned. What could not be found out is shown as unknown "
        "or not at all, never as zero."
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
