"""What counts as a change within a day, and what does not: restarts, gaps, new and removed targets."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.answers import (
    BUILD,
    FLEET,
    NO_LABELS,
    NOW,
    SAMPLES,
    Answer,
    Query,
    Series,
    compliant,
    info,
    passed,
    wrong,
)

pytestmark = pytest.mark.real

SINCE, CHANGED = "Since a day ago", "Checks that changed within a day"
UP_TO_THEN, SINCE_THEN = "1x20", f"_x20 1x{SAMPLES}"
"""Known a day ago and not now, and the other way round."""
RESTARTED_A_DAY_AGO = f"1x10 _x3 1x{SAMPLES}"
RESTARTED_NOW = f"1x{NOW - 2} _x5"
THEN_0_NOW_1, THEN_1_NOW_0 = f"0x{NOW - 9} 1x20", f"1x{NOW - 9} 0x20"

SINCE_A_DAY_AGO: Mapping[str, tuple[Series, Mapping[str, int | None]]] = {
    "nothing": ({compliant(): "1"}, {"no longer comply": 0, "comply again": 0, "verdict lost": 0}),
    "worse": ({compliant(): THEN_1_NOW_0}, {"no longer comply": 1, "comply again": 0}),
    "better": ({compliant(): THEN_0_NOW_1}, {"no longer comply": 0, "comply again": 1}),
    "worse, and mended": ({compliant(): f"1x100 0x50 1x{SAMPLES}"}, {"no longer comply": 0, "comply again": 0}),
    "not known a day ago": (
        {compliant(): f"1x10 _x3 0x{SAMPLES}"},
        {"no longer comply": None, "comply again": None, "verdict lost": None},
    ),
    "not known now": ({compliant(): RESTARTED_NOW}, {"no longer comply": None, "verdict lost": 1}),
    "grade fell": ({'grade_rank{target="a"}': f"6x{NOW - 9} 0x20"}, {"grade fell": 1, "grade rose": 0}),
    "grade rose": ({'grade_rank{target="a"}': f"4x{NOW - 9} 6x20"}, {"grade fell": 0, "grade rose": 1}),
    "grade not known": ({'grade_rank{target="a"}': "6x20"}, {"grade fell": None, "grade rose": None}),
    "new certificate": (
        {
            'certificate_not_before_timestamp_seconds{target="a", key_algorithm="EC"}': f"5x{NOW - 9} 6x20",
            'certificate_not_before_timestamp_seconds{target="a", key_algorithm="RSA"}': "5",
        },
        {"new certificate": 1},
    ),
    "certificate of another kind": (
        {
            'certificate_not_before_timestamp_seconds{target="a", key_algorithm="EC"}': SINCE_THEN,
            'certificate_not_before_timestamp_seconds{target="a", key_algorithm="RSA"}': UP_TO_THEN,
        },
        {"new certificate": None},
    ),
    "new target": ({BUILD: "1", info("b"): SINCE_THEN}, {"new target": 1, "target gone": 0}),
    "new exporter": ({BUILD: SINCE_THEN, info("b"): SINCE_THEN, info(): SINCE_THEN}, {"new target": None}),
    "target gone": ({BUILD: "1", info("b"): UP_TO_THEN}, {"new target": 0, "target gone": 1}),
    "labels of the target changed": (
        {BUILD: "1", info(policy="q"): SINCE_THEN, info(): f"1x20 _x{SAMPLES}"},
        {"new target": 0, "target gone": 0},
    ),
    "scanned at each address since": (
        {BUILD: "1", info(): UP_TO_THEN, 'target_info{target="a", address="::1"}': SINCE_THEN},
        {"new target": 0, "target gone": 0},
    ),
    "exporter gone": (
        {BUILD: UP_TO_THEN, info("b"): UP_TO_THEN, info(): UP_TO_THEN},
        {"new target": None, "target gone": None},
    ),
}


@pytest.mark.parametrize(("series", "counts"), SINCE_A_DAY_AGO.values(), ids=SINCE_A_DAY_AGO)
def test_since_a_day_ago(series: Series, counts: Mapping[str, int | None], tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, SINCE, name): {} if number is None else {NO_LABELS: number} for name, number in counts.items()
    }
    assert wrong(tmp_path, {info(): "1", **series}, answers) == ""


HSTS = '{target="a", policy="p", check="hsts"}'
CHECK_CHANGES: Mapping[str, tuple[str, tuple[int | None, int | None, int | None]]] = {
    "did not": ("1", (None, None, None)),
    "fails since": (THEN_1_NOW_0, (1, 0, 1)),
    "flapped": (f"1x50 0x30 1x{SAMPLES}", (1, 1, 2)),
    "before that": (f"0x5 1x{SAMPLES}", (None, None, None)),
    "exporter restarted in between": (f"1x100 _x5 1x{SAMPLES}", (None, None, None)),
    "exporter restarted a day ago": (RESTARTED_A_DAY_AGO, (None, None, None)),
    "over a gap": (f"1x100 _x5 0x{SAMPLES}", (1, 0, 1)),
    "and is not known now": (f"1x50 0x30 _x{SAMPLES}", (1, None, 1)),
    "and was not known a day ago": (f"_x20 1x50 0x{SAMPLES}", (None, 0, 1)),
}


@pytest.mark.parametrize(("values", "row"), CHECK_CHANGES.values(), ids=CHECK_CHANGES)
def test_a_check_changed(values: str, row: tuple[int | None, int | None, int | None], tmp_path: Path) -> None:
    answers: Mapping[Query, Answer] = {
        (FLEET, CHANGED, heading): {} if number is None else {HSTS: number}
        for heading, number in zip(("A day ago", "Now", "Changes"), row, strict=True)
    }
    assert wrong(tmp_path, {info(): "1", passed("hsts"): values}, answers) == ""


def test_a_check_whose_severity_changed_did_not_change(tmp_path: Path) -> None:
    series = {
        passed("hsts", severity="info"): f"1x100 _x{SAMPLES}",
        passed("hsts", severity="critical"): f"_x101 1x{SAMPLES}",
    }
    assert wrong(tmp_path, series, {(FLEET, CHANGED, "Now"): {}, (FLEET, CHANGED, "Changes"): {}}) == ""
