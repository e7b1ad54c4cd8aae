"""Reports as a table for people, with rich."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.model import MOST_ADDRESSES, Disagreement, Finding, Report, Verdict

_MARKS = {
    Verdict.PASS: ("pass", "green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.UNKNOWN: ("unknown", "yellow"),
    Verdict.NOT_APPLICABLE: ("n/a", "dim"),
}
_SHOWN_ITEMS = 3
"""Of one list of evidence; the JSON report has them all."""


def _plain(text: str) -> str:
    """The text with what would steer the terminal shown as escapes: part of it was written by the server."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _evidence(finding: Finding) -> str:
    """What the summary does not name already, a line a group."""
    lines = []
    for group, items in finding.evidence.items():
        if not all(item in finding.summary for item in items):
            more = f" and {len(items) - _SHOWN_ITEMS} more" if len(items) > _SHOWN_ITEMS else ""
            lines.append(_plain(f"{group}: {', '.join(items[:_SHOWN_ITEMS])}{more}"))
    return "\n".join(lines)


def _verdict(report: Report) -> tuple[str, str]:
    match report.compliant:
        case True:
            return "complies", "bold green"
        case False:
            return "DOES NOT COMPLY", "bold red"
        case None:
            return "unknown", "bold yellow"


def _table(report: Report) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for failure in report.result.failures:
        why = f"{failure.reason}: {failure.detail}"
        table.add_row(Text(f"({failure.probe})"), Text("failed", style="yellow"), Text(_plain(why)))
    for finding in report.findings:
        mark, style = _MARKS[finding.verdict]
        why_text = Text(_plain(finding.summary))
        evidence = "" if finding.verdict is Verdict.PASS else _evidence(finding)
        if evidence:
            why_text.append(f"\n{evidence}", style="dim")
        table.add_row(Text(finding.check), Text(mark, style=style), why_text)
    return table


def _differences(disagreement: Disagreement) -> Iterator[Text]:
    """The fact, and below it what each address said."""
    yield Text.assemble(("addresses disagree", "bold yellow"), " on ", _plain(disagreement.fact))
    for address, parts in disagreement.said.items():
        said = "; ".join(f"{part}: {value or 'none'}" for part, value in parts.items())
        yield Text(_plain(f"  {address}  {said}"), style="dim")


def _of_all_addresses(report: Report) -> Iterator[Text]:
    """What the report of any address says of all of them."""
    found = report.result.addresses_found or 0
    if found > MOST_ADDRESSES:
        yield Text(f"{MOST_ADDRESSES} of {found} addresses were scanned", style="yellow")
    for disagreement in report.disagreements or ():
        yield from _differences(disagreement)


def print_reports(console: Console, reports: Sequence[Report]) -> None:
    """For each target its name and verdict, then a line a check; with several addresses, in what they disagree."""
    for _, several in groupby(reports, lambda report: report.target.name):
        of_target = list(several)
        for report in of_target:
            _print_report(console, report)
        lines = list(_of_all_addresses(of_target[0]))
        for line in lines:
            console.print(line)
        if lines:
            console.print()


def _print_report(console: Console, report: Report) -> None:
    verdict, style = _verdict(report)
    result = report.result
    address = f"  {report.address}" if report.address is not None else ""
    line = Text.assemble((_plain(report.target.name), "bold"), address, "  ", (verdict, style))
    line.append(
        f"  policy {report.policy}, {result.connections} connections, {result.duration_seconds:.1f} s", style="dim"
    )
    console.print(line)
    console.print(_table(report))
