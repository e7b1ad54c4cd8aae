"""`markdown`: read by a CommonMark parser with GitHub's tables; no text of others becomes anything but code."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from exporter.reports.as_markdown import FORMAT, MOST_BYTES
from exporter.reports.base import ReportSet
from tests.support.report_sets import (
    GONE,
    GOOD,
    LATER,
    WEAK,
    accepted,
    every_kind,
    gone,
    good,
    hostile,
    report_set,
    unknown,
    weak,
)
from tests.support.targets import make_target


def tokens(reports: ReportSet) -> list[Token]:
    def flat(several: list[Token]) -> Iterator[Token]:
        for one in several:
            yield one
            yield from flat(one.children or [])

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    return list(flat(parser.parse(FORMAT.render(reports))))


@pytest.mark.parametrize(
    ("reports", "title"),
    [
        (report_set(good()), "1 target passes"),
        (report_set(good(), weak()), "1 of 2 targets fails"),
        (report_set(good(), gone()), "no known failure of 2 targets, but not all pass"),
        (report_set(unknown()), "no known failure of 1 target, but not all pass"),
        (report_set(accepted()), "no known failure of 1 target, but not all pass"),
        (report_set(), "no known failure of 0 targets, but not all pass"),
    ],
)
def test_the_first_line_tells_the_result(reports: ReportSet, title: str) -> None:
    assert FORMAT.render(reports).splitlines()[0] == f"## TLS posture: {title}"


def test_the_table_has_every_target_and_details_those_that_do_not_pass() -> None:
    text = FORMAT.render(report_set(good(), weak(), gone(), later=True))
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == [f"| `{name}`" for name in (WEAK, GONE, GOOD)], "the worst first"
    assert [row[1] for row in rows] == ["❌ fails, critical", "❔ unreachable", "✅ passes"]
    assert "`protocols`" in rows[0][3]
    assert rows[1][3] == "`the connection is refused`"
    assert re.findall("<summary>.*<code>(.*)</code>", text) == [WEAK, GONE]
    assert f"- `{LATER}` was not scanned." in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;\n" in text
    assert "- asked: `TLSv1.2, TLSv1.3 only`" in text


def test_an_accepted_failure_is_a_failure_and_says_so() -> None:
    text = FORMAT.render(report_set(accepted()))
    assert "fails, accepted until 2027-01-31 by `alice`" in text
    assert "reason: `old telephones`" in text
    assert "What to change" not in text


def test_hostile_text_makes_no_links_images_html_mentions_or_references() -> None:
    found = tokens(every_kind())
    kinds = {one.type for one in found}
    assert not kinds & {"link_open", "image", "html_inline", "heading_open_setext", "blockquote_open", "code_block"}
    html = [line for one in found if one.type == "html_block" for line in one.content.splitlines()]
    allowed = re.compile(r"(<details><summary>.{1,3}<code>[^<]*</code>: [a-z, ]+</summary>|</details>)?")
    assert [line for line in html if not allowed.fullmatch(line)] == []
    plain = "".join(one.content for one in found if one.type == "text")
    assert not re.search(r"[@#<>\\`\[\]]|!\d|https?:|www\.|evil", plain), plain


def test_hostile_text_does_not_leave_its_cell() -> None:
    found = tokens(report_set(hostile()))
    assert sum(one.type == "td_open" for one in found) == 5
    assert sum(one.type == "tr_open" for one in found) == 2
    assert sum(one.type == "table_open" for one in found) == 1


def test_it_fits_into_a_comment_and_says_what_is_left_out() -> None:
    several = [weak(f"host-{number:03}.example:443") for number in range(300)]
    text = FORMAT.render(report_set(*several))
    assert len(text.encode()) <= MOST_BYTES
    assert re.search(r"The table does not show \d+ more targets\.", text)
    assert re.search(r"The details of \d+ more targets do not fit\.", text)
    assert text.count("<details>") == text.count("</details>") > 0


def test_very_long_text_is_cut_and_lines_of_a_configuration_are_not() -> None:
    one = weak()
    long = replace(one.findings[0].remedy[0], lines=("ssl_ciphers " + "A" * 500 + ";", "B" * 5000))
    finding = replace(one.findings[0], summary="x" * 10_000, remedy=(long,))
    text = FORMAT.render(report_set(replace(one, findings=(finding,))))
    assert "x" * 301 not in text
    assert f"ssl_ciphers {'A' * 500};" in text
    assert "BBB" not in text
    assert "a line that is too long to show" in text


@pytest.mark.parametrize("name", ["`", "``", " ", "a`", "`` ` ``", "\u00a0", "[x]: http://evil.example"])
def test_any_name_is_code(name: str) -> None:
    one = weak()
    found = tokens(report_set(replace(one, result=replace(one.result, target=make_target(name=name)))))
    assert not {"link_open", "image"} & {token.type for token in found}
    if name.strip():
        assert name.strip() in {token.content.strip() for token in found if token.type == "code_inline"} | {"\\u00a0"}
