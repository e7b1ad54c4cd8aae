"""All formats: names, and what all of them do with any reports."""

import re

import pytest

from exporter.reports.registry import MODULES, all_formats, find
from exporter.text import escaped_lines
from tests.support.report_sets import every_kind, report_set


def test_each_format_has_the_name_that_it_is_found_by() -> None:
    assert [one.name for one in all_formats()] == list(MODULES)
    assert len({one.extension for one in all_formats() if one.name not in {"json", "cyclonedx"}}) == len(MODULES) - 2


@pytest.mark.parametrize("name", MODULES)
def test_any_reports_have_a_document_of_printable_text(name: str) -> None:
    for reports in (report_set(), report_set(later=True), every_kind()):
        text = find(name).render(reports)
        assert text.endswith("\n") or text == ""
        lines = text.replace("\r\n", "\n") if name == "csv" else text
        assert escaped_lines(lines) == lines
        assert re.fullmatch(r"[a-z]+/[a-z.+-]+(; [a-z]+=[a-z0-9.-]+)*", find(name).media_type)
