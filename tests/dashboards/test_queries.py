"""Exact results of the queries for given samples, especially for missing ones."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.answers import (
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
    series = {passed("hsts", "p"): "0", passed("hsts", "q"): "0", passed("caa", "p"): "1", passed("caa", "q"): "0"}

    assert wrong(tmp_path, series, {(FLEET, WORST, "Failing checks"): {A: 2}}) == ""


def test_compliance_by_policy_tells_unknown_from_none(tmp_path: Path) -> None:
    series = {
        **{passed("hsts", policy, target=target): "1" for policy in "pq" for target in "ab"},
        compliant("p", "a"): "0",
        compliant("p", "b"): "1",
        compliant("q", "a"): "1",
    }
    title = "Compliance by policy"
    by_policy = '{policy="p"}', '{policy="q"}'
    numbers = {"Not compliant": (1, 0), "Unknown": (0, 1), "Compliant": (1, 1)}
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
