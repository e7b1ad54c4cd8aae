"""`csv`: one row for each finding, as RFC 4180 says. docs/reports.md has the columns."""

import csv
import io
import re
from collections.abc import Iterator, Mapping

from exporter.grade import Grade
from exporter.model import Finding, Report, Target
from exporter.reports.base import Format, ReportSet
from exporter.reports.overview import problems
from exporter.text import escaped

COLUMNS = (
    *("target", "address", "host", "port", "protocol", "labels", "policy", "check", "verdict", "severity", "summary"),
    *("evidence", "asked", "sources", "remedy", "accepted_until", "accepted_reason", "accepted_by", "grade"),
    *("scanned_at", "scan_success", "scan_problems"),
)
"""The first row."""
_FORMULA = re.compile(r"(^|;)(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""What a spreadsheet may run as a formula: at the start of a cell, or after a semicolon, because a program with that as
its separator makes a new cell there. The last four are the wide forms, which some programs read as the narrow ones.
Source: OWASP, CSV Injection. Its other characters, tab and line breaks, are escaped before."""


def _cell(text: str) -> str:
    return _FORMULA.sub(r"\1\2'", escaped(text))


def _of_target(target: Target) -> dict[str, str]:
    return {
        "target": target.name,
        "host": target.host,
        "port": str(target.port),
        "protocol": target.protocol,
        "labels": "; ".join(f"{name}={value}" for name, value in sorted(target.labels.items())),
    }


def _of_report(report: Report) -> dict[str, str]:
    grade, result = report.facts.get(Grade), report.result
    return {
        **_of_target(report.target),
        "address": report.address or "",
        "grade": (grade.letter or "") if grade else "",
        "scanned_at": result.ended_at.isoformat(),
        "scan_success": "true" if result.success else "false",
        "scan_problems": "; ".join(problems([report])),
    }


def _of_finding(finding: Finding) -> dict[str, str]:
    accepted = finding.accepted
    return {
        "policy": finding.policy,
        "check": finding.check,
        "verdict": finding.verdict,
        "severity": finding.severity,
        "summary": finding.summary,
        "evidence": "; ".join(f"{group}: {', '.join(items)}" for group, items in finding.evidence.items()),
        "asked": finding.asked,
        "sources": "; ".join(finding.sources),
        "remedy": "; ".join(f"{one.server}: {' '.join((one.note, *one.lines))}" for one in finding.remedy),
        "accepted_until": "" if accepted is None else accepted.until.isoformat(),
        "accepted_reason": "" if accepted is None else accepted.reason,
        "accepted_by": "" if accepted is None else accepted.accepted_by,
    }


def _rows(reports: ReportSet) -> Iterator[Mapping[str, str]]:
    for of_target in reports.reports:
        for report in of_target:
            shared = _of_report(report)
            for finding in report.findings:
                yield {**shared, **_of_finding(finding)}
            if not report.findings:
                yield shared
    for target in reports.not_scanned:
        yield {**_of_target(target), "scan_problems": "not scanned"}


def _render(reports: ReportSet) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(reports):
        writer.writerow([_cell(row.get(column, "")) for column in COLUMNS])
    return text.getvalue()


FORMAT = Format("csv", "text/csv; charset=utf-8", "csv", _render)
