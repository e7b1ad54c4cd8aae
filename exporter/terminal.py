"""Reports as a table for people, with rich."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from os.path import commonprefix
from typing import TextIO

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from exporter.grade import Grade, Letter
from exporter.model import MOST_ADDRESSES, Disagreement, Failure, Finding, Report, Verdict
from exporter.ranking import CAUSES, FAILING, Condition, condition, condition_of, is_reached
from exporter.text import escaped

_MARKS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
    Verdict.NOT_APPLICABLE: ("n/a", "dim"),
}
_SHOWN_ITEMS = 3
"""Items that are shown of one list of evidence; an explanation and the JSON report have them all."""
_INDENT = " " * 12
ANY_SERVER = "any"
"""The `server` of a remedy that is not for the configuration of a specific server."""


def _evidence(finding: Finding) -> str:
    """Evidence that the summary does not contain, one line for each group."""
    lines = []
    for group, items in finding.evidence.items():
        if not all(item in finding.summary for item in items):
            more = f" and {len(items) - _SHOWN_ITEMS} more" if len(items) > _SHOWN_ITEMS else ""
            lines.append(escaped(f"{group}: {', '.join(items[:_SHOWN_ITEMS])}{more}"))
    return "\n".join(lines)


def _mark(finding: Finding) -> tuple[str, str]:
    """The verdict and its style."""
    mark, style = _MARKS[finding.verdict]
    return (f"{mark}, accepted", "yellow") if finding.accepted is not None else (mark, style)


def _acceptance(finding: Finding) -> str:
    """Until when, by whom and why a failure is accepted; empty if it is not."""
    one = finding.accepted
    return "" if one is None else escaped(f"accepted until {one.until} by {one.accepted_by}: {one.reason}")


_WORDS = {
    **dict.fromkeys(FAILING, ("DOES NOT COMPLY", "bold red")),
    Condition.UNKNOWN: ("unknown", "bold yellow"),
    Condition.UNREACHABLE: ("unreachable", "bold yellow"),
    Condition.ACCEPTED: ("fails, accepted", "bold cyan"),
    Condition.COMPLIES: ("complies", "bold green"),
}


def verdict_of(condition: Condition) -> Text:
    """The condition of a target in words, with their colour."""
    return Text(*_WORDS[condition])


class Trimmed:
    """Something that rich prints, without blanks at the ends of lines."""

    def __init__(self, content: RenderableType) -> None:
        """Create it for this table or text."""
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rich asks for it."""
        for line in console.render_lines(self._content, options, pad=False):
            rest = list(line)
            while rest and not rest[-1].text.strip():
                rest.pop()
            if rest:
                last = rest.pop()
                yield from rest
                yield Segment(last.text.rstrip(), last.style)
            yield Segment.line()


class OutputConsole(Console):
    """A console of rich that leaves it to the command what the program does when the reader has gone."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program with 1, which means "does not comply"."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


_LEAST_COLUMNS, _USUAL_COLUMNS = 40, 80


def output_console(file: TextIO | None = None) -> Console:
    """The console of standard output: as wide as the terminal, or as `COLUMNS` says, otherwise 80 columns."""
    file = file or sys.stdout
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return OutputConsole(file=file, width=max(int(columns), _LEAST_COLUMNS))
    return OutputConsole(file=file, width=None if file.isatty() else _USUAL_COLUMNS)


_GOOD, _FAIR = Letter.A_MINUS.rank, Letter.C.rank


def _grade(report: Report) -> Text:
    """The letter, its reason, and the letter if trust did not matter; empty if there is no grade."""
    grade = report.facts.get(Grade)
    if grade is None:
        return Text()
    if grade.letter is None:
        return Text("  grade unknown", "yellow")
    rank = grade.letter.rank
    shown = Text(f"  grade {grade.letter}", "green" if rank >= _GOOD else "yellow" if rank >= _FAIR else "red")
    notes = [grade.capped_by] if grade.capped_by else []
    if not grade.letter.on_scale and grade.trust_ignored is not None:
        notes.append(f"else {grade.trust_ignored}")
    return shown.append(f" ({', '.join(notes)})", "dim") if notes else shown


def _table(failures: Sequence[Failure], findings: Sequence[Finding]) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Check", overflow="fold")
    table.add_column("Verdict", overflow="fold")
    table.add_column("Why", overflow="fold")
    for failure in failures:
        why = f"{failure.reason}: {failure.detail}"
        table.add_row(Text(f"({failure.probe})"), Text("failed", style="yellow"), Text(escaped(why)))
    for finding in findings:
        mark, style = _mark(finding)
        why_text = Text(escaped(finding.summary))
        if finding.accepted is not None:
            why_text.append(f"\n{_acceptance(finding)}", style="yellow")
        evidence = "" if finding.verdict is Verdict.PASS else _evidence(finding)
        if evidence:
            why_text.append(f"\n{evidence}", style="dim")
        table.add_row(Text(_title(finding, findings)), Text(mark, style=style), why_text)
    return table


def _title(finding: Finding, of_policy: Sequence[Finding]) -> str:
    """The check, with its severity if the policy has several demands for it."""
    several = sum(other.check == finding.check for other in of_policy) > 1
    return f"{finding.check} ({finding.severity})" if several else finding.check


def _explanation(finding: Finding) -> Iterator[RenderableType]:
    """Everything that was seen, what the policy asks for and its source; for a failure also what to change."""
    mark, style = _mark(finding)
    yield Text.assemble((finding.check, "bold"), "  ", (mark, style), "  ", (finding.severity, "dim"))
    seen = [finding.summary, *(f"{group}: {', '.join(items)}" for group, items in finding.evidence.items())]
    for label, lines in (("seen", seen), ("asked", [finding.asked]), ("source", finding.sources)):
        yield _labelled(label, "\n".join(map(escaped, lines)))
    if finding.accepted is not None:
        yield _labelled("but", _acceptance(finding))
    shared = _shared([remedy.note for remedy in finding.remedy])
    if shared:
        yield _labelled("change", escaped(shared))
    for remedy in finding.remedy:
        server = "" if remedy.server == ANY_SERVER else remedy.server
        note = remedy.note.removeprefix(shared).strip()
        if server or note:
            yield _labelled("" if shared else "change", escaped(": ".join(part for part in (server, note) if part)))
        yield from (Text(escaped(f"{_INDENT}{line}"), style="cyan", no_wrap=True) for line in remedy.lines)


def _shared(notes: Sequence[str]) -> str:
    """The sentences at the start that several notes share, which are shown only once."""
    if len(notes) < 2:
        return ""
    alike = commonprefix([f"{note} " for note in notes])  # noqa: RUF071 - characters are meant
    return alike[: alike.rfind(". ") + 1]


def _labelled(label: str, text: str) -> Table:
    """The text next to the label, as wide as the terminal."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(f"  {label:<6}", Text(text))
    return grid


def _differences(disagreement: Disagreement) -> Iterator[Text]:
    """The fact, and below it the value at each address."""
    yield Text.assemble(("addresses disagree", "bold yellow"), " on ", escaped(disagreement.fact))
    for address, parts in disagreement.said.items():
        said = "; ".join(f"{part}: {value or 'none'}" for part, value in parts.items())
        yield Text(escaped(f"  {address}  {said}"), style="dim")


def _of_all_addresses(report: Report) -> Iterator[Text]:
    """What the report of any address says about all of them."""
    found = report.result.addresses_found or 0
    if found > MOST_ADDRESSES:
        yield Text(f"{MOST_ADDRESSES} of {found} addresses were scanned", style="yellow")
    for disagreement in report.disagreements or ():
        yield from _differences(disagreement)


def print_reports(console: Console, reports: Sequence[Report], *, explain: bool = False) -> None:
    """For each target its name and verdict, then a line for each check; with several addresses, their differences.

    With `explain`, each check that does not pass follows in detail: what was seen, what the policy asks for, and what
    to change.
    """
    for _, several in groupby(reports, lambda report: report.target.name):
        of_target = list(several)
        for report in of_target:
            _print_report(console, report, explain=explain)
        print_addresses(console, of_target)


def print_addresses(console: Console, of_target: Sequence[Report], heading: str = "") -> None:
    """What is said of all addresses of a target together, below the heading; nothing if there is nothing to say."""
    lines = list(_of_all_addresses(of_target[0]))
    if lines and heading:
        console.print(Trimmed(Text(escaped(heading), "bold")))
    for line in lines:
        console.print(Trimmed(line))
    if lines:
        console.print()


def _print_unreachable(console: Console, report: Report, heading: Text, *, explain: bool) -> None:
    """One line: nothing is known of the server. Only what fails by DNS alone follows."""
    for failure in report.result.failures[:1]:
        heading.append(f"  {CAUSES[failure.reason]}")
        heading.append(f"  ({failure.reason}: {escaped(failure.detail)})", "dim")
    console.print(heading, soft_wrap=True)  # one line, however wide
    if failed := [finding for finding in report.findings if finding.verdict is Verdict.FAIL]:
        console.print(Trimmed(_table((), failed)))
        if explain:
            print_explanations(console, failed)


def _print_report(console: Console, report: Report, *, explain: bool) -> None:
    result, several = report.result, len(report.policies) > 1
    address = f"  {report.address}" if report.address is not None else ""
    line = Text.assemble((escaped(report.target.name), "bold"), address, "  ", verdict_of(condition([report])))
    if not is_reached(report):
        _print_unreachable(console, report, line, explain=explain)
        return
    line.append_text(_grade(report))
    policies = f"{len(report.policies)} policies" if several else f"policy {', '.join(report.policies)}"
    line.append(f"  {policies}, {result.connections} connections, {result.duration_seconds:.1f} s", style="dim")
    console.print(line, soft_wrap=True)  # one line, however wide
    if several and result.failures:
        console.print(Trimmed(_table(result.failures, ())))
    for policy in report.policies:
        findings = [finding for finding in report.findings if finding.policy == policy]
        if several:
            of_policy = condition_of((policy,), findings, reached=True)
            console.print(Text.assemble((policy, "bold"), "  ", verdict_of(of_policy)))
        console.print(Trimmed(_table(() if several else result.failures, findings)))
        if explain:
            print_explanations(console, findings)


def print_explanations(console: Console, findings: Sequence[Finding]) -> None:
    """For each check that fails or is unknown, what was seen, what the policy asks for, and what to change."""
    for finding in findings:
        if finding.verdict in {Verdict.FAIL, Verdict.UNKNOWN}:
            for part in _explanation(finding):
                # Lines of a configuration are copied: the terminal may wrap them, but rich must not.
                soft = isinstance(part, Text)
                console.print(part if soft else Trimmed(part), soft_wrap=soft)
            console.print()
