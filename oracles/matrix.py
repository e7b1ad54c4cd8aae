"""Shows the comparisons of a run as a table, as lines and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oracles.compare import FACTS, Statement
from oracles.explanations import Explanation

HEADINGS = {
    "scan": "scan",
    "protocols": "pro",
    "suites": "sui",
    "order": "ord",
    "compression": "com",
    "groups": "gro",
    "signatures": "sig",
    "extensions": "ext",
    "alpn": "alp",
    "dh": "dh",
}
LEGEND = (
    "= the same; a number: that many differences, each explained; number!: that many without an explanation;\n"
    "– not reported. "
) + ", ".join(f"{short} {fact}" for fact, short in HEADINGS.items() if short != fact)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of ours with one scanner on one server.

    Attributes:
        explained: statements that do not agree -> their explanation, or None.
        agreed: number of statements that agree, by fact.
    """

    server: str
    scanner: str
    explained: Mapping[Statement, Explanation | None]
    agreed: Mapping[str, int]

    @property
    def unexplained(self) -> list[Statement]:
        """Disagreements without an explanation, which make the run fail."""
        return [statement for statement, explanation in self.explained.items() if explanation is None]

    def different(self, fact: str) -> int:
        """The number of disagreements of this kind."""
        return sum(statement.fact == fact for statement in self.explained)


def compare(server: str, scanner: str, said: Sequence[Statement], explanations: Sequence[Explanation]) -> Comparison:
    """Count the statements that agree, and find an explanation for each of the others."""
    explained = {
        statement: next((e for e in explanations if e.covers(server, scanner, statement)), None)
        for statement in said
        if not statement.agrees
    }
    agreed = Counter(statement.fact for statement in said if statement.agrees)
    return Comparison(server, scanner, explained, agreed)


def used(comparisons: Sequence[Comparison]) -> set[tuple[Explanation, str]]:
    """The explanations that explained something, each with its server."""
    return {(e, comparison.server) for comparison in comparisons for e in comparison.explained.values() if e}


# --- table --------------------------------------------------------------------------------------------------------


def show(console: Console, comparisons: Sequence[Comparison], scanners: Sequence[str]) -> None:
    """Print the matrix: a row for each server, a column for each scanner and kind of fact that it reports."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), title="Agreement with ours", title_style="bold")
    table.add_column("", no_wrap=True)
    columns = [(scanner, fact) for scanner in scanners for fact in FACTS if _reported(comparisons, scanner, fact)]
    for scanner, fact in columns:
        heading = f"{scanner if fact == FACTS[0] else ''}\n{HEADINGS[fact]}"
        table.add_column(heading, justify="right", no_wrap=True, min_width=4)
    for server in dict.fromkeys(comparison.server for comparison in comparisons):
        row = {c.scanner: c for c in comparisons if c.server == server}
        table.add_row(server, *(_cell(row.get(scanner), fact) for scanner, fact in columns))
    console.print(table)
    console.print(LEGEND, style="dim", highlight=False)


def _reported(comparisons: Sequence[Comparison], scanner: str, fact: str) -> bool:
    return any(c.agreed.get(fact) or c.different(fact) for c in comparisons if c.scanner == scanner)


def _cell(comparison: Comparison | None, fact: str) -> Text:
    if comparison is None:
        return Text("")
    if wrong := sum(statement.fact == fact for statement in comparison.unexplained):
        return Text(f"{wrong}!", style="bold red")
    if different := comparison.different(fact):
        return Text(str(different), style="yellow")
    return Text("=", style="green") if comparison.agreed.get(fact) else Text("–", style="dim")


def show_remarks(console: Console, comparisons: Sequence[Comparison], stale: Sequence[str]) -> None:
    """Print everything that makes the run fail, a line each."""
    for comparison in comparisons:
        place = f"{comparison.server}, {comparison.scanner}"
        for statement in comparison.unexplained:
            console.print(f"{place}: {statement}", style="red", markup=False, highlight=False)
    for line in stale:
        console.print(f"stale explanation: {line}", style="red", markup=False, highlight=False)


def totals(comparisons: Sequence[Comparison]) -> dict[str, dict[str, int]]:
    """For each scanner the number of statements that agree, are explained, and are not explained."""
    counts: dict[str, dict[str, int]] = {}
    for comparison in comparisons:
        count = counts.setdefault(comparison.scanner, {"same": 0, "explained": 0, "unexplained": 0})
        unexplained = len(comparison.unexplained)
        count["same"] += sum(comparison.agreed.values())
        count["explained"] += len(comparison.explained) - unexplained
        count["unexplained"] += unexplained
    return counts


# --- JSON ---------------------------------------------------------------------------------------------------------


def document(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One object for each comparison."""
    return [
        {
            "server": comparison.server,
            "scanner": comparison.scanner,
            "agreed": dict(comparison.agreed),
            "differences": [
                {
                    "fact": statement.fact,
                    "what": statement.what,
                    "ours": statement.ours,
                    "theirs": statement.theirs,
                    "right": explanation.right if explanation else None,
                    "why": explanation.why if explanation else None,
                }
                for statement, explanation in comparison.explained.items()
            ],
        }
        for comparison in comparisons
    ]
