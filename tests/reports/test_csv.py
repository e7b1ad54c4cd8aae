"""`csv`: read back by Python's reader, and inert in spreadsheets."""

import csv
import io
import re
from dataclasses import replace

import pytest

from exporter.reports.as_csv import COLUMNS, FORMAT
from exporter.reports.base import ReportSet
from tests.support.report_sets import ACCEPTED, GONE, LATER, WEAK, accepted, every_kind, gone, good, report_set, weak
from tests.support.targets import make_target


def rows(reports: ReportSet) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(FORMAT.render(reports), newline=""), strict=True))


def test_there_is_a_row_for_each_finding_with_all_columns() -> None:
    seen = weak()
    found = rows(report_set(seen))
    assert [(row["policy"], row["check"], row["verdict"], row["severity"]) for row in found] == [
        (one.policy, one.check, one.verdict, one.severity) for one in seen.findings
    ]
    (first,) = [row for row in found if row["check"] == "protocols"]
    assert tuple(first) == COLUMNS
    assert {name: first[name] for name in ("target", "port", "summary", "evidence", "asked", "grade")} == {
        "target": WEAK,
        "port": "443",
        "summary": "accepts TLSv1.0",
        "evidence": "accepted: TLSv1.0",
        "asked": "TLSv1.2, TLSv1.3 only",
        "grade": "T",
    }
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in first["remedy"]


def test_what_is_accepted_not_reached_and_not_scanned_is_said() -> None:
    found = rows(report_set(accepted(), gone(), later=True))
    of_one = {row["check"]: row for row in found if row["target"] == ACCEPTED}
    assert of_one["protocols"]["verdict"] == "fail"
    assert of_one["protocols"]["accepted_until"] == "2027-01-31"
    missed = [row for row in found if row["target"] == GONE]
    assert {(row["verdict"], row["scan_success"], row["scan_problems"]) for row in missed} == {
        ("unknown", "false", "handshake: the connection is refused")
    }
    assert [(row["verdict"], row["scan_problems"]) for row in found if row["target"] == LATER] == [("", "not scanned")]


def test_a_target_without_findings_has_a_row() -> None:
    (row,) = rows(report_set(replace(good(), findings=())))
    assert (row["check"], row["scan_success"]) == ("", "true")


def test_lines_are_as_in_rfc_4180() -> None:
    text = FORMAT.render(every_kind())
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert "\r" not in text.replace("\r\n", "")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", " ", "a;", "a; "])
def test_no_cell_begins_a_formula(sign: str, before: str) -> None:
    one = replace(good(), findings=good().findings[:1])
    one = replace(one, result=replace(one.result, target=make_target(name=f"{before}{sign}1+cmd|' /C calc'!A0")))
    (row,) = rows(report_set(one))
    assert row["target"].startswith(f"{before}'{sign}1")


@pytest.mark.parametrize("start", ["\t=1", "\r=1", "\n=1"])
def test_controls_before_a_formula_are_visible(start: str) -> None:
    one = good()
    found = rows(report_set(replace(one, result=replace(one.result, target=make_target(name=start)))))
    assert found[0]["target"].startswith("\\")


def test_hostile_text_is_inert_also_for_a_program_that_separates_by_semicolons() -> None:
    text = FORMAT.render(every_kind())
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    cells += [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]
    assert [cell for cell in cells if re.match(r"\s*[=+\-@\t\r]", cell)] == []
