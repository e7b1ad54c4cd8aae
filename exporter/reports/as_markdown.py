"""`markdown`: for comments on changes, tickets and summaries of jobs, on GitHub, GitLab and what reads CommonMark.

All text of others is in code: there, no reader makes links, images, mentions, references or HTML of it.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence

from exporter.model import Finding, Report, Verdict
from exporter.ranking import FAILING, Condition
from exporter.reports.base import Format, ReportSet
from exporter.reports.overview import ReportSummary, TargetLine, overview, titled
from exporter.text import escaped

MOST_BYTES = 65_536
"""Of a document: a comment on GitHub has at most 65,536 characters. GitLab takes a million."""
_FOR_THE_END = 400
"""Bytes for what is said at the end about what was left out."""
_FOR_THE_TABLE = MOST_BYTES // 3
_MOST_OF_TEXT = 300
"""Characters of one text: a server can send very long ones."""
_MOST_OF_LINE = 2_000
_MOST_ITEMS = 5
_BACKTICKS = re.compile("`+")
_SIGNS = {Condition.UNKNOWN: "❔", Condition.UNREACHABLE: "❔", Condition.ACCEPTED: "❕", Condition.COMPLIES: "✅"}


def _cut(text: str) -> str:
    text = escaped(text)
    return text if len(text) <= _MOST_OF_TEXT else f"{text[:_MOST_OF_TEXT]}…"


def _fence(text: str, least: int) -> str:
    """More backticks than there are in a row in the text."""
    return "`" * max(least, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))


def _cell(text: str) -> str:
    """The text as code in a table. There, `|` ends a cell even in code, and readers differ about its escape."""
    return _code(text.replace("|", "\u00a6"))


def _code(text: str) -> str:
    """The text as a code span (CommonMark 0.31, 6.1); empty for an empty text."""
    text = _cut(text)
    fence = _fence(text, 1)
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text.strip() else ""


def _block(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    fence = _fence(text, 3)
    return f"{fence}\n{text}\n{fence}\n"


def _sign(condition: Condition) -> str:
    return _SIGNS.get(condition, "❌")


def _title(seen: ReportSummary, reports: ReportSet) -> str:
    failing = sum(seen.counts.get(one, 0) for one in FAILING)
    several = len(seen.lines)
    targets = f"{several} target{'' if several == 1 else 's'}"
    if failing:
        said = f"{failing} of {targets} fail{'s' if failing == 1 else ''}"
    elif several and seen.counts.get(Condition.COMPLIES, 0) == several:
        said = f"{targets} pass{'es' if several == 1 else ''}"
    else:
        said = f"no known failure of {targets}, but not all pass"
    words = ", ".join(f"{count} {line.word}" for line, count in _counted(seen))
    missing = f", {len(reports.not_scanned)} not scanned" if reports.not_scanned else ""
    at = f"{reports.made_at:%Y-%m-%d %H:%M} UTC"
    return f"## TLS posture: {said}\n\n{at}: {words or 'no result'}{missing}.\n\n"


def _counted(seen: ReportSummary) -> Iterator[tuple[TargetLine, int]]:
    for condition, count in seen.counts.items():
        yield next(line for line in seen.lines if line.condition is condition), count


def _row(line: TargetLine) -> str:
    until = f"{line.until:%Y-%m-%d}" if line.until else "not known"
    checks = line.checks or line.accepted or line.unknown
    why = _cell(line.problem) if line.condition is Condition.UNREACHABLE else _some(checks, _cell)
    grade = line.grade or "not known"
    return f"| {_cell(line.name)} | {_sign(line.condition)} {line.word} | {grade} | {why} | {until} |\n"


def _some(items: Sequence[str], shown: Callable[[str], str]) -> str:
    """The first of the items, and how many others there are."""
    more = f" and {len(items) - _MOST_ITEMS} more" if len(items) > _MOST_ITEMS else ""
    return f"{', '.join(map(shown, items[:_MOST_ITEMS]))}{more}"


def _finding(finding: Finding, of_policy: Sequence[Finding]) -> Iterator[str]:
    accepted = finding.accepted
    word = finding.verdict.replace("_", " ")
    yield (
        f"- {_code(titled(finding, of_policy))} of {_code(finding.policy)}, {finding.severity}, "
        f"{'fails' if finding.verdict is Verdict.FAIL else word}"
        f"{f', accepted until {accepted.until} by {_code(accepted.accepted_by)}' if accepted else ''}: "
        f"{_code(finding.summary)}\n"
    )
    if accepted is not None:
        yield f"  - reason: {_code(accepted.reason)}\n"
    for group, items in finding.evidence.items():
        yield f"  - {_code(group)}: {_some(items, _code)}\n"
    yield f"  - asked: {_code(finding.asked)}\n"


def _remedies(findings: Sequence[Finding]) -> Iterator[str]:
    lines = []
    for finding in (one for one in findings if one.is_open):
        for remedy in finding.remedy:
            lines += [_cut(f"# {finding.check}, {remedy.server}: {remedy.note}"), *map(_line, remedy.lines)]
    if lines:
        yield f"\nWhat to change:\n\n{_block(list(dict.fromkeys(lines)))}"


def _line(line: str) -> str:
    """A line of a configuration is never cut, because somebody may copy it."""
    return escaped(line) if len(line) <= _MOST_OF_LINE else "# (a line that is too long to show)"


def _shown(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.verdict in {Verdict.FAIL, Verdict.UNKNOWN}]


def _details(line: TargetLine) -> str:
    """A target that does not pass, folded. Its summary is HTML, in which there is no Markdown."""
    name = html.escape(_cut(line.name))
    parts = [f"<details><summary>{_sign(line.condition)} <code>{name}</code>: {line.word}</summary>\n\n"]
    if line.problem:
        said = "Not reached" if line.condition is Condition.UNREACHABLE else "Not everything could be found out"
        parts.append(f"{said}: {_code(line.problem)}\n\n")
    if line.condition is not Condition.UNREACHABLE:
        for report in line.reports:
            if report.address is not None:
                parts.append(f"\nAt {_code(report.address)}:\n\n")
            shown = _shown(report)
            parts += [text for one in shown for text in _finding(one, report.findings)]
            parts += _remedies(shown)
    return f"{''.join(parts)}\n</details>\n\n"


def _fitting(parts: Iterator[str], most: int) -> tuple[list[str], int]:
    """The first parts that have at most so many bytes together, and how many others there are."""
    fitting, left, size = list[str](), 0, 0
    for part in parts:
        size += len(part.encode())
        if left or size > most:
            left += 1
        else:
            fitting.append(part)
    return fitting, left


def _render(reports: ReportSet) -> str:
    seen = overview(reports)
    text = _title(seen, reports)
    if seen.lines:
        rows, left = _fitting(map(_row, seen.lines), _FOR_THE_TABLE)
        text += f"| target | result | grade | checks | certificate ends |\n|---|---|---|---|---|\n{''.join(rows)}\n"
        text += f"The table does not show {left} more targets.\n\n" if left else ""
    for target in reports.not_scanned[:_MOST_ITEMS]:
        text += f"- {_code(target.name)} was not scanned.\n"
    bad = (line for line in seen.lines if line.condition is not Condition.COMPLIES)
    room = MOST_BYTES - len(text.encode()) - _FOR_THE_END
    details, left = _fitting(map(_details, bad), room)
    text += "".join(["\n", *details])
    if left:
        text += f"The details of {left} more targets do not fit. Reports in HTML or JSON have everything.\n"
    return text


FORMAT = Format("markdown", "text/markdown; charset=utf-8", "md", _render)
