"""Text of servers, in everything that a person may read: no character of it changes how the rest is shown."""

import json
import logging
import sys
import unicodedata
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from rich.console import Console

from exporter.logs import JsonFormatter, LogfmtFormatter
from exporter.metrics import Exposition, OwnMetrics, render_reports, target_text
from exporter.model import Disagreement, Failure, Finding, Reason, Remedy, Report, Severity, Verdict
from exporter.report import reports_json
from exporter.terminal import print_reports
from exporter.text import escaped, escaped_lines
from tests.support.facts import certificate, facts, http_everywhere, report, showing, steady

UNSAFE = {
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
    *"\ud800\udbff\udc00\udfff\ufdd0\ufffe\uffff\U000e0001\U0010ffff",
}
"""Controls, directions, separators of lines, what is invisible, lone surrogates, what is no character."""
hostile = st.text(st.sampled_from(sorted(UNSAFE)) | st.characters(), max_size=20)
encodable = hostile.filter(lambda text: not any(unicodedata.category(char) == "Cs" for char in text))
"""Certificates and responses are decoded, so their text has no lone surrogates; our JSON could not have them."""


def unsafe(shown: str) -> set[str]:
    """The unprintable characters of an output, apart from the ends of its lines."""
    return {char for char in shown if char in UNSAFE or not char.isprintable()} - {"\n"}


def written_by(text: str) -> Report:
    """A report of a server that puts this text wherever it can."""
    header = text.encode("latin-1", "replace").decode("latin-1")  # as responses are decoded
    seen = facts(
        certificate(subject=text, issuer=text, subject_alternative_names=(text,)),
        showing(http_everywhere(header), ("server", header), ("x-powered-by", header)),
    )
    remedy = Remedy(text, (text,), text)
    finding = Finding("check", Verdict.FAIL, Severity.INFO, text, {text: (text,)}, asked=text, sources=(text,))
    one = report(seen, failures=(Failure("probe", Reason.INTERNAL, text),))
    differ = (Disagreement("certificate", {"192.0.2.1": {text: text}, "192.0.2.2": {text: ""}}),)
    return replace(one, findings=(replace(finding, remedy=(remedy,)),), disagreements=differ)


@pytest.mark.parametrize("char", sorted(UNSAFE), ids=lambda char: f"U+{ord(char):04X}")
def test_an_unsafe_character_is_shown_as_an_escape_of_json(char: str) -> None:
    shown = escaped(f"a{char}b")
    assert not unsafe(shown)
    assert "\n" not in shown
    assert json.loads(f'"{shown}"') == f"a{char}b"


@pytest.mark.parametrize("text", ["", "a b", "é 中 🔒", 'back\\slash and "quotes"', "שלום"])
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


def test_lines_stay_lines_where_there_may_be_several() -> None:
    assert escaped_lines("one\x1b\ntwo\r\n") == "one\\u001b\ntwo\\r\n"


@steady
@given(hostile)
def test_any_text_becomes_printable(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(escaped(text)) == escaped(text)


@steady
@given(hostile)
def test_metrics_have_no_unsafe_character_and_are_read_by_both_parsers(text: str) -> None:
    lines = render_reports([written_by(text)], [], full=True)
    page = target_text([lines])  # what `--format=prometheus` prints
    exposition = Exposition(OwnMetrics())
    exposition.put("test", lines)
    openmetrics = exposition.render("application/openmetrics-text")[0].decode()
    assert not unsafe(page) | unsafe(openmetrics)
    subjects = {s.labels.get("subject") for family in parse_text(page) for s in family.samples}
    assert subjects == {s.labels.get("subject") for family in parse_openmetrics(openmetrics) for s in family.samples}
    assert escaped(text)[:500] in subjects


@steady
@given(encodable)
def test_a_json_report_has_no_unsafe_character_and_gives_back_the_text(text: str) -> None:
    document = reports_json([written_by(text)])
    assert not unsafe(document)
    (one,) = json.loads(document)["reports"]
    assert one["failures"][0]["detail"] == text
    assert one["findings"][0]["evidence"] == {text: [text]}


@steady
@given(hostile)
def test_a_table_has_no_unsafe_character(text: str) -> None:
    console = Console(file=StringIO(), width=80, color_system=None)
    print_reports(console, [written_by(text)], explain=True)
    assert not unsafe(console.file.getvalue())  # type: ignore[attr-defined]  # a StringIO


@pytest.mark.parametrize("formatter", [JsonFormatter(), LogfmtFormatter()], ids=["json", "logfmt"])
@steady
@given(text=hostile)
def test_a_log_line_has_no_unsafe_character(formatter: logging.Formatter, text: str) -> None:
    record = logging.LogRecord("exporter", logging.ERROR, "scan.py", 1, "%s", (text,), None)
    try:
        raise ValueError(text)
    except ValueError:
        record.exc_info = sys.exc_info()
    line = formatter.format(record)
    assert not unsafe(line)
    assert "\n" not in line
