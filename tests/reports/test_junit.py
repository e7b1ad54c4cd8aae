"""`junit`: valid, and what a reader makes of each verdict."""

import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from exporter.model import Addresses, Finding, Severity, Verdict
from exporter.reports.as_junit import FORMAT
from exporter.reports.base import ReportSet
from exporter.text import escaped
from tests.support.facts import watched
from tests.support.report_sets import (
    ACCEPTED,
    EVIL,
    GONE,
    GOOD,
    LATER,
    UNKNOWN,
    WEAK,
    every_kind,
    gone,
    gone_with_failure,
    good,
    report_set,
    weak,
)

SCHEMA = Path(__file__).parent / "junit.xsd"
OUTCOMES = {"failure", "error", "skipped"}


def read(text: str) -> Element:
    return fromstring(text)  # noqa: S314 - our own document


def suites(reports: ReportSet) -> dict[str, Element]:
    root = read(FORMAT.render(reports))
    return {suite.attrib["name"]: suite for suite in root}


def cases(suite: Element) -> dict[str, Element]:
    return {case.attrib["name"]: case for case in suite.iter("testcase")}


def outcome(case: Element) -> tuple[str, str]:
    """Element and type; empty for a pass."""
    return next(((one.tag, one.attrib["type"]) for one in case if one.tag in OUTCOMES), ("", ""))


@pytest.mark.real
def test_it_is_valid_by_its_schema(tmp_path: Path) -> None:
    for name, reports in (("every", every_kind()), ("none", report_set())):
        file = tmp_path / f"{name}.xml"
        file.write_text(FORMAT.render(reports), encoding="utf-8")
        done = subprocess.run(
            ["xmllint", "--noout", "--schema", str(SCHEMA), str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_counts_are_those_of_the_testcases() -> None:
    root = read(FORMAT.render(every_kind()))
    for element in (root, *root):
        found = Counter(outcome(case)[0] for case in element.iter("testcase"))
        assert element.attrib["tests"] == str(found.total())
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.attrib[attribute] == str(found[tag])


def test_each_verdict_has_its_outcome() -> None:
    found = suites(every_kind())
    assert {outcome(case) for case in cases(found[GOOD]).values()} == {("", "")}
    bad = cases(found[WEAK])
    assert outcome(bad["protocols"]) == ("failure", "critical")
    assert outcome(bad["hsts"]) == ("failure", "warning")
    assert outcome(bad["scan"]) == ("", "")
    assert outcome(cases(found[UNKNOWN])["caa"]) == ("skipped", "unknown"), "unknown is not a pass"
    assert outcome(cases(found[ACCEPTED])["protocols"]) == ("skipped", "accepted")
    assert outcome(cases(found[LATER])["scan"]) == ("skipped", "not_scanned")


def test_a_target_that_was_not_reached_is_one_error_and_nothing_else() -> None:
    (only,) = cases(suites(report_set(gone()))[GONE]).values()
    assert outcome(only) == ("error", "connect_refused")
    error = only.find("error")
    assert error is not None
    assert error.attrib["message"] == "the connection is refused"
    assert error.text == "handshake: connect_refused: 127.0.0.1 port 443: Connection refused"


def test_a_failure_says_what_was_seen_asked_and_what_to_change() -> None:
    failure = cases(suites(report_set(weak()))[WEAK])["protocols"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "accepts TLSv1.0"
    assert "asked: TLSv1.2, TLSv1.3 only" in str(failure.text)
    assert "\n    ssl_protocols TLSv1.2 TLSv1.3;" in str(failure.text)


def test_an_accepted_failure_says_until_when_and_why() -> None:
    skipped = cases(suites(every_kind())[ACCEPTED])["protocols"].find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "fails, accepted until 2027-01-31 by alice: old telephones"


def test_testcases_are_told_apart_by_class_and_name_alone() -> None:
    """As Jenkins and Azure do: a check of two targets must not be one case."""
    root = read(FORMAT.render(every_kind()))
    names = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)
    assert (f"{WEAK}.kopano-checklist", "protocols") in names


def test_two_demands_of_one_check_are_two_testcases() -> None:
    one = good()
    both = [Finding("hsts", Verdict.PASS, severity, "", policy="p") for severity in (Severity.WARNING, Severity.INFO)]
    (suite,) = suites(report_set(replace(one, findings=tuple(both)))).values()
    assert list(cases(suite)) == ["scan", "hsts (warning)", "hsts (info)"]


def test_each_address_is_a_suite() -> None:
    target = watched(name=GOOD, addresses=Addresses.ALL)
    both = [replace(good(), result=replace(good().result, target=target, address=f"10.0.0.{n}")) for n in (1, 2)]
    found = suites(replace(report_set(), reports=[both]))
    assert list(found) == [f"{GOOD} (10.0.0.1)", f"{GOOD} (10.0.0.2)"]


def test_text_of_others_is_text_also_characters_that_xml_does_not_allow() -> None:
    text = FORMAT.render(every_kind())
    assert not set(map(chr, (0, 27, 0x202E, 0xFFFE))) & set(text)
    messages = {one.attrib["message"] for one in read(text).iter("failure")}
    assert escaped(EVIL) in messages


def test_properties_have_labels_and_the_result_of_each_policy() -> None:
    suite = suites(report_set(good()))[GOOD]
    found = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert found == {
        "target": GOOD,
        "port": "443",
        "protocol": "https",
        "label.team": "web",
        "grade": "A+",
        "policy.kopano-checklist": "met",
    }
    assert (suite.attrib["timestamp"], suite.attrib["time"]) == ("2026-11-22T11:59:58", "1.500")


def test_what_fails_by_dns_alone_is_a_failure_of_a_target_that_is_not_reached() -> None:
    found = cases(suites(report_set(gone_with_failure()))[GONE])
    assert {name: outcome(case) for name, case in found.items()} == {
        "scan": ("error", "connect_refused"),
        "caa": ("failure", "warning"),
    }
