"""Exact results of the queries for given samples, especially for missing ones."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.answers import (
    AUDIT,
    BUILD,
    EXPORTER,
    FLEET,
    NO_LABELS,
    NOW,
    SAMPLES,
    TARGET,
    A,
    Answer,
    Query,
    Series,
    compliant,
    info,
    passed,
    unknown,
    written_out,
    wrong,
)
from tests.support.dashboards import HIDDEN, expression, substituted
from tests.support.promtool import Expected, evaluate

pytestmark = pytest.mark.real

WORST = "Targets, worst first"


# --- Verdicts --------------------------------------------------------------------------------------------------------

SIX = "p,q,r,s,t,u"
MEETS, FAILS = 1, 0
VERDICTS: Mapping[str, tuple[Series, int | None]] = {
    "meets its policy": ({info(): "1", compliant(): "1"}, MEETS),
    "fails its policy": ({info(): "1", compliant(): "0"}, FAILS),
    "not known": ({info(): "1"}, None),
    "meets both": ({info(policy="p,q"): "1", compliant("p"): "1", compliant("q"): "1"}, MEETS),
    "fails one of two": ({info(policy="p,q"): "1", compliant("p"): "1", compliant("q"): "0"}, FAILS),
    "one of two not known": ({info(policy="p,q"): "1", compliant("p"): "1"}, None),
    "fails one, the other not known": ({info(policy="p,q"): "1", compliant("p"): "0"}, FAILS),
    "meets five": ({info(policy="p,q,r,s,t"): "1", **{compliant(p): "1" for p in "pqrst"}}, MEETS),
    "four of five known": ({info(policy="p,q,r,s,t"): "1", **{compliant(p): "1" for p in "pqrs"}}, None),
    "more than can be counted": ({info(policy=SIX): "1", **{compliant(p): "1" for p in "pqrstu"}}, None),
    "fails one of many": ({info(policy=SIX): "1", compliant("u"): "0"}, FAILS),
}


@pytest.mark.parametrize(("series", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_a_target_complies_when_it_is_known_to_meet_all_its_policies(
    series: Series, verdict: int | None, tmp_path: Path
) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, WORST, "Verdict"): {} if verdict is None else {A: verdict},
        (FLEET, "Compliant"): {NO_LABELS: verdict == MEETS},
        (FLEET, "Not compliant"): {NO_LABELS: verdict == FAILS},
        (FLEET, "Unknown"): {NO_LABELS: verdict is None},
        (TARGET, "Verdict"): {A: 2 if verdict is None else verdict},
    }
    assert wrong(tmp_path, series, answers) == ""


def test_each_address_of_a_target_is_judged_on_its_own(tmp_path: Path) -> None:
    labels = '{target="a", address="::1", policy="p"}'
    series = {info(): "1", compliant(): "1", f"target_info{labels}": "1", f"compliant{labels}": "0"}

    both: Mapping[Query, Answer] = {(FLEET, "Compliant"): {NO_LABELS: 1}, (FLEET, "Not compliant"): {NO_LABELS: 1}}
    assert wrong(tmp_path, series, both) == ""


def test_a_check_that_two_policies_ask_for_fails_once(tmp_path: Path) -> None:
    series = {
        info(): "1",
        passed("hsts", "p"): "0",
        passed("hsts", "q"): "0",
        passed("caa", "p"): "1",
        passed("caa", "q"): "0",
    }

    assert wrong(tmp_path, {info(): "1", **series}, {(FLEET, WORST, "Failing"): {A: 2}}) == ""


def test_compliance_by_policy_tells_unknown_from_none(tmp_path: Path) -> None:
    series = {
        **{passed("hsts", policy, target=target): "1" for policy in "pq" for target in "ab"},
        compliant("p", "a"): "0",
        compliant("p", "b"): "1",
        compliant("q", "a"): "1",
        unknown("caa", "p", target="a"): "1",
        unknown("caa", "q", target="b"): "1",
    }
    title = "Compliance by policy"
    by_policy = '{policy="p"}', '{policy="q"}'
    numbers = {"Fail": (1, 0), "Unknown": (0, 1), "Pass": (1, 1)}
    expected = [
        Expected(substituted(expression(FLEET, title, heading)), NOW, dict(zip(by_policy, values, strict=True)))
        for heading, values in numbers.items()
    ]
    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_worst_first(tmp_path: Path) -> None:
    """Each is worse than all following ones together."""
    series = {
        **{info(target): "1" for target in "abcdef"},
        passed("protocols", target="a", severity="critical"): "0",
        compliant(target="a"): "0",
        passed("hsts", target="b"): "0",
        compliant(target="b"): "0",
        'scan_success{target="c"}': "0",  # and its verdict is not known
        'scan_success{target="d"}': "0",
        **{compliant(target=target): "1" for target in "def"},
        'grade_rank{target="e"}': "4",
        'grade_rank{target="f"}': "7",
    }
    ranks = {"a": 100, "b": 1, "c": 0.75, "d": 0.25, "e": 0.03, "f": 0}
    labels = {f'{{target="{target}"}}': rank for target, rank in ranks.items()}

    assert wrong(tmp_path, series, {(FLEET, WORST, HIDDEN): labels}) == ""


SCANNED = 'last_scan_timestamp_seconds{target="a"}'
ACCEPTED_HSTS = 'check_accepted{target="a", policy="p", check="hsts", severity="warning"}'
ACCEPTABLE: Mapping[str, tuple[Series, Mapping[str, float]]] = {
    "fails": ({passed("hsts"): "0"}, {"Failing": 1, "Accepted": 0, "Unknown": 0, HIDDEN: 1.5}),
    "accepted": (
        {passed("hsts"): "0", ACCEPTED_HSTS: "1"},
        {"Failing": 0, "Accepted": 1, "Unknown": 0, HIDDEN: 0.5},
    ),
    "accepted for one of two policies": (
        {passed("hsts"): "0", passed("hsts", "q"): "0", ACCEPTED_HSTS: "1"},
        {"Failing": 1, "Accepted": 1, HIDDEN: 1.5},
    ),
    "another one is unknown": (
        {passed("hsts"): "1", unknown("caa"): "1"},
        {"Failing": 0, "Accepted": 0, "Unknown": 1, HIDDEN: 0.5},
    ),
}


@pytest.mark.parametrize(("series", "cells"), ACCEPTABLE.values(), ids=ACCEPTABLE)
def test_failing_accepted_and_unknown_checks_are_counted_apart(
    series: Series, cells: Mapping[str, float], tmp_path: Path
) -> None:
    answers: Mapping[Query, Answer] = {(FLEET, WORST, heading): {A: number} for heading, number in cells.items()}
    assert wrong(tmp_path, {info(): "1", SCANNED: "1", **series}, answers) == ""


def test_what_is_unknown_of_all_checks_is_not_a_number_of_failing_ones(tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, WORST, "Failing"): {},
        (FLEET, WORST, "Accepted"): {A: 0},
        (FLEET, WORST, "Unknown"): {A: 2},
    }
    assert wrong(tmp_path, {info(): "1", SCANNED: "1", unknown("hsts"): "1", unknown("caa"): "1"}, answers) == ""


def test_before_the_first_scan_nothing_is_counted(tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, WORST, heading): {} for heading in ("Verdict", "Failing", "Accepted", "Unknown", "Last scan")
    }
    assert wrong(tmp_path, {info(): "1"}, answers) == ""


def test_the_worst_failure_is_a_critical_one_that_is_not_accepted(tmp_path: Path) -> None:
    accepted = 'check_accepted{target="a", policy="p", check="protocols", severity="critical"}'
    series = {
        info(): "1",
        passed("caa"): "0",
        passed("certificate_valid", severity="critical"): "0",
        passed("hsts"): "1",
        passed("protocols", severity="critical"): "0",
        accepted: "1",
    }
    expected = {'{target="a", check="certificate_valid"}': 2.0}

    assert wrong(tmp_path, series, {(FLEET, WORST, "query B"): expected}) == ""


CHECKS: Mapping[str, tuple[Series, tuple[int, int, int, int]]] = {
    "fails and passes": ({passed("hsts"): "0", passed("hsts", target="b"): "1"}, (1, 0, 0, 1)),
    "accepted": ({passed("hsts"): "0", ACCEPTED_HSTS: "1"}, (0, 1, 0, 0)),
    "unknown": ({unknown("hsts"): "1", passed("hsts", target="b"): "1"}, (0, 0, 1, 1)),
    "unknown everywhere": ({unknown("hsts"): "1"}, (0, 0, 1, 0)),
}


BY_CHECK = {
    (FLEET, "Checks, most failures first"): '{policy="p", check="hsts", severity="warning"}',
    (AUDIT, "Checks of the policy, most failures first"): '{check="hsts", severity="warning"}',
}
"""Table -> the labels of a row."""


@pytest.mark.parametrize(("series", "row"), CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize(("table", "labels"), BY_CHECK.items(), ids=[file for file, _ in BY_CHECK])
def test_targets_by_check(
    table: tuple[str, str], labels: str, series: Series, row: tuple[int, int, int, int], tmp_path: Path
) -> None:
    expected = [
        Expected(substituted(expression(*table, heading), policy="p"), NOW, {labels: number})
        for heading, number in zip(("Fail", "Accepted", "Unknown", "Pass"), row, strict=True)
    ]
    assert evaluate(tmp_path, written_out({info(): "1", info("b"): "1", **series}), expected) == ""


# --- Exporters in rows -----------------------------------------------------------------------------------------------


def test_rows_name_the_exporter_if_there_are_several(tmp_path: Path) -> None:
    other = 'tls_posture_target_info{instance="f:9", job="tls", target="a"}'
    rank = substituted(expression(FLEET, WORST, HIDDEN))
    ours = '{instance="e:9", job="tls", target="a"}'
    named = {f'{{instance="{name}", job="tls", target="a", exporter="{name}"}}': 0.5 for name in ("e:9", "f:9")}

    assert evaluate(tmp_path, written_out({info(): "1"}), [Expected(rank, NOW, {ours: 0.5})]) == ""
    both = {**written_out({info(): "1"}), other: f"1x{SAMPLES}"}
    assert evaluate(tmp_path, both, [Expected(rank, NOW, named)]) == ""


# --- Groups ----------------------------------------------------------------------------------------------------------


def test_targets_by_a_label_of_the_operator(tmp_path: Path) -> None:
    def of(target: str, team: str) -> str:
        return info(target).replace("}", f', team="{team}"}}')

    series = {
        **{of(target, "web"): "1" for target in "abc"},
        of("d", "mail"): "1",
        info("e"): "1",
        compliant(target="a"): "0",
        compliant(target="b"): "1",
        compliant(target="d"): "1",
    }
    groups = '{group="web"}', '{group="mail"}', NO_LABELS
    numbers = {"Fail": (1, 0, 0), "Unknown": (1, 0, 1), "Pass": (1, 1, 0), "Share": (1 / 3, 1, 0)}
    for file in (FLEET, AUDIT):
        expected = [
            Expected(
                substituted(expression(file, "Targets by $group", heading), policy="p"),
                NOW,
                dict(zip(groups, map(float, values), strict=True)),
            )
            for heading, values in numbers.items()
        ]
        assert evaluate(tmp_path, written_out(series), expected) == ""


def test_without_such_a_label_there_are_no_groups(tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, "Targets by $group", heading): {} for heading in ("Fail", "Unknown", "Pass", "Share")
    }
    assert wrong(tmp_path, {info(): "1", compliant(): "1"}, answers) == ""


# --- Grades ----------------------------------------------------------------------------------------------------------

CODES = {"A+": (7, 7), "A-": (5, 5), "F": (0, 0), "T": (0, -1), "M": (0, -2)}


@pytest.mark.parametrize(("letter", "rank", "code"), [(letter, *both) for letter, both in CODES.items()])
def test_letters_of_one_rank_are_told_apart(letter: str, rank: int, code: int, tmp_path: Path) -> None:
    series = {
        info(): "1",
        'grade_rank{target="a"}': str(rank),
        f'grade_info{{target="a", grade="{letter}", capped_by="x"}}': "1",
    }
    answers: Mapping[Query, Answer] = {
        (FLEET, WORST, "Grade"): {A: code},
        (TARGET, "Grade"): {A: code},
        (TARGET, "Grade and what caps it", "Grade"): {'{target="a", capped_by="x"}': code},
        (FLEET, "Targets by grade", "not known"): {NO_LABELS: 0},
        (FLEET, "Targets by grade", "F"): {NO_LABELS: letter == "F"},
        (FLEET, "Targets by grade", "T"): {NO_LABELS: letter == "T"},
        (FLEET, "Targets by grade", "A, A-"): {NO_LABELS: letter == "A-"},
    }
    assert wrong(tmp_path, series, answers) == ""


def test_a_grade_that_is_not_known_is_none(tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, WORST, "Grade"): {},
        (TARGET, "Grade"): {A: 8},
        (FLEET, "Targets by grade", "not known"): {NO_LABELS: 1},
        (FLEET, "Targets by grade", "F"): {},
    }
    assert wrong(tmp_path, {info(): "1"}, answers) == ""


# --- The five steps --------------------------------------------------------------------------------------------------

LIST = "kopano-checklist"
OF_STEP_2 = ("protocols", "cipher_suites", "cipher_order", "compression", "vulnerabilities")
ALL_PASS = {passed(check, LIST): "1" for check in OF_STEP_2}
STEP: Mapping[str, tuple[Series, int]] = {
    "all pass": (ALL_PASS, 1),
    "one fails": ({**ALL_PASS, passed("compression", LIST): "0"}, 0),
    "one fails, the others are not known": ({passed("compression", LIST): "0"}, 0),
    "one is not known": ({passed(check, LIST): "1" for check in OF_STEP_2[1:]}, 2),
    "one does not apply": ({**{passed(check, LIST): "1" for check in OF_STEP_2[1:]}, compliant(LIST): "1"}, 1),
    "nothing is known": ({}, 2),
    "of another policy": ({passed(check, "p"): "1" for check in OF_STEP_2}, 2),
}


@pytest.mark.parametrize(("series", "code"), STEP.values(), ids=STEP)
def test_a_step_passes_when_all_its_checks_are_known_to(series: Series, code: int, tmp_path: Path) -> None:
    query = TARGET, "The five steps", "2 TLS configuration {{address}}"

    assert wrong(tmp_path, {info(): "1", **series}, {query: {A: code}}) == ""


# --- Coverage --------------------------------------------------------------------------------------------------------


def test_hsts_and_caa_are_asked_of_those_to_which_they_apply(tmp_path: Path) -> None:
    series = {
        info("a"): "1",
        info("b"): "1",
        info("c"): "1",  # of which nothing is known
        info("d", protocol="ldap"): "1",
        info("v4", host="192.0.2.1"): "1",
        info("v6", host="2001:db8::1"): "1",
        info("mail", protocol="smtp", host="mail.example"): "1",
        'hsts_present{target="a"}': "1",
        'hsts_max_age_seconds{target="a"}': "60",
        **{f'hsts_present{{target="{target}"}}': "0" for target in ("b", "v4", "v6")},
        'caa_present{target="a"}': "1",
        'caa_issuer_authorized{target="a"}': "0",
        **{f'caa_present{{target="{target}"}}': "0" for target in ("b", "d", "mail", "v4")},
    }
    counts = {
        "HSTS": {"a year or longer": 0, "under a year": 1, "none": 1, "not known": 1},
        "CAA": {"present": 1, "of them, not for its CA": 1, "none": 3, "not known": 1},
    }
    answers: dict[Query, Answer] = {
        (FLEET, title, name): {NO_LABELS: number} for title, bars in counts.items() for name, number in bars.items()
    }
    over_time = "HSTS and CAA coverage over time"
    answers |= {(FLEET, over_time, "HSTS"): {NO_LABELS: 1 / 2}, (FLEET, over_time, "CAA"): {NO_LABELS: 1 / 4}}

    assert wrong(tmp_path, series, answers) == ""


def test_certificates_by_the_time_until_their_end(tmp_path: Path) -> None:
    now, day = NOW * 5 * 60, 86_400
    days = {"a": -1, "b": 5, "c": 7, "d": 8, "e": 29, "f": 90, "g": 91}
    series = {info("h"): "1"}
    for target, number in days.items():
        series[info(target)] = "1"
        labels = f'{{target="{target}", key_algorithm="EC"}}'
        series[f"certificate_not_after_timestamp_seconds{labels}"] = str(now + number * day)
    title = "Certificates by time until the end"
    counts = {"expired": 1, "within 7 days": 2, "8 to 14 days": 1, "15 to 30 days": 1, "31 to 90 days": 1, "later": 1}
    answers: Mapping[Query, Answer] = {
        (FLEET, title, name): {NO_LABELS: number} for name, number in (counts | {"not known": 1}).items()
    }
    assert wrong(tmp_path, series, answers) == ""


def test_an_attack_that_is_not_known_of_all_targets(tmp_path: Path) -> None:
    series = {
        **{info(target): "1" for target in "abc"},
        'vulnerable{target="a", vulnerability="robot"}': "1",
        'vulnerable{target="b", vulnerability="robot"}': "0",
        'vulnerable{target="b", vulnerability="poodle"}': "0",
    }
    robot, poodle = '{vulnerability="robot"}', '{vulnerability="poodle"}'
    numbers = {"Open": (1, 0), "Unknown": (1, 2), "Not open": (1, 1)}
    answers: Mapping[Query, Answer] = {
        (FLEET, "Open to known attacks", heading): dict(zip((robot, poodle), values, strict=True))
        for heading, values in numbers.items()
    }
    expected = [
        Expected(substituted(expression(*query)), NOW, {labels: float(value) for labels, value in answer.items()})
        for query, answer in answers.items()
    ]
    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_certificates_by_the_share_of_their_lifetime(tmp_path: Path) -> None:
    now = NOW * 5 * 60
    kinds = {"a": 100, "b": 10, "c": 1.05, "d": 0.9}  # lifetime, as many times as what has passed of it
    series = {info("e"): "1"}
    for target, times in kinds.items():
        series[info(target)] = "1"
        labels = f'{{target="{target}", key_algorithm="EC"}}'
        series[f"certificate_not_before_timestamp_seconds{labels}"] = "0"
        series[f"certificate_not_after_timestamp_seconds{labels}"] = str(now * times)
    title = "Certificates by share of lifetime left"
    counts = {"expired": 1, "under a tenth": 1, "a tenth to a third": 0, "a third or more": 2, "not known": 1}
    answers: Mapping[Query, Answer] = {(FLEET, title, name): {NO_LABELS: number} for name, number in counts.items()}

    assert wrong(tmp_path, series, answers) == ""


def test_software_past_its_end_stands_first_and_unknown_in_the_middle(tmp_path: Path) -> None:
    def shows(target: str, product: str) -> str:
        return f'{{target="{target}", product="{product}", version="1"}}'

    series = {
        **{info(target): "1" for target in "abc"},
        **{f"server_software_info{shows(target, 'nginx')}": "1" for target in "abc"},
        f"server_software_info{shows('a', 'php')}": "1",
        'server_software_maintained{target="a"}': "0",
        'server_software_maintained{target="c"}': "1",
    }
    title = "Software, past its end first"
    ended, maintained = {shows("a", "nginx"): 0, shows("a", "php"): 0}, {shows("c", "nginx"): 1}
    answers: Mapping[Query, Answer] = {
        (FLEET, title, "Fixes"): {**ended, **maintained},
        (FLEET, title, HIDDEN): {**ended, shows("b", "nginx"): 1, shows("c", "nginx"): 2},
    }
    assert wrong(tmp_path, series, answers) == ""


# --- Exporters -------------------------------------------------------------------------------------------------------


def test_restarts_are_those_of_exporters(tmp_path: Path) -> None:
    series = {
        BUILD: "1",
        "up{}": "1",
        "process_start_time_seconds{}": f"5x100 9x100 12x{SAMPLES}",
    }
    answers: Mapping[Query, Answer] = {
        (EXPORTER, "Restarts within a day"): {NO_LABELS: 2},
        (EXPORTER, "Exporters down"): {NO_LABELS: 0},
    }
    assert wrong(tmp_path, series, answers) == ""
    assert wrong(tmp_path, {**series, BUILD: "_"}, {query: {} for query in answers}) == ""


def test_an_exporter_that_is_down_is_counted_for_a_day(tmp_path: Path) -> None:
    seen_today, long_ago = f"1x{NOW - 9} _x20", "1x5"

    down: Mapping[Query, Answer] = {(FLEET, "Exporters down"): {NO_LABELS: 1}, (FLEET, "Compliant"): {}}
    assert wrong(tmp_path, {BUILD: seen_today, "up{}": "0", compliant(): seen_today}, down) == ""
    assert wrong(tmp_path, {BUILD: long_ago, "up{}": "0"}, {query: {} for query in down}) == ""


def test_a_target_that_failed_is_overdue_after_four_intervals(tmp_path: Path) -> None:
    """It may be scanned at every second interval only."""
    now = NOW * 5 * 60
    series = {}
    for target, (success, age) in {
        "fresh": (1, 1.9),
        "late": (1, 2.1),
        "backed-off": (0, 3.9),
        "lost": (0, 4.1),
    }.items():
        labels = f'{{target="{target}"}}'
        series[f"last_scan_timestamp_seconds{labels}"] = str(now - age * 3600)
        series[f"scan_interval_seconds{labels}"] = "3600"
        series[f"scan_success{labels}"] = str(success)

    assert wrong(tmp_path, series, {(FLEET, "Overdue scans"): {NO_LABELS: 2}}) == ""


def test_calls_that_wait_add_to_the_load_of_a_pool(tmp_path: Path) -> None:
    of_pools = {"files": (8, 4, 8), "names": (8, 0, 32)}
    series = {
        f'exporter_pool_{name}{{pool="{pool}"}}': str(value)
        for pool, values in of_pools.items()
        for name, value in zip(("threads_busy", "queue", "threads_max"), values, strict=True)
    }
    expression_of = substituted(expression(EXPORTER, "Load of the pools of threads"))
    expected = [Expected(expression_of, NOW, {'{pool="files"}': 1.5, '{pool="names"}': 0.25})]

    assert evaluate(tmp_path, written_out(series), expected) == ""


def test_workers_are_locked_if_seccomp_is_on(tmp_path: Path) -> None:
    series = {
        'exporter_worker_protection{protection="seccomp"}': "1",
        'exporter_worker_protection{protection="landlock"}': "0",
    }
    query = EXPORTER, "Exporters", "Workers locked"
    assert wrong(tmp_path, series, {query: {"": 1}}) == ""
    assert wrong(tmp_path, {BUILD: "1"}, {query: {}}) == ""
