"""Measurements as a table and as JSON, with ratios to ours."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measure import Run
from bench.peers import BY_NAME, OURS
from oracles.facts import Facts

NUMBERS = ("connections", "most_at_once", "to_server", "to_client", "cpu", "scan_cpu", "wall", "scan_wall")
COLUMNS = {
    "connections": "connec-\ntions",
    "to_server": "bytes to\nserver",
    "to_client": "bytes to\nclient",
    "cpu": "CPU s",
    "scan_cpu": "CPU s,\nscan alone",
    "wall": "wall s",
    "scan_wall": "wall s,\nscan alone",
}


@dataclass(frozen=True, slots=True)
class Row:
    """All scans of one scanner, server and delay, or the reason why there are none."""

    server: str
    delay_ms: int
    peer: str
    runs: tuple[Run, ...] = ()
    failure: str = ""

    @property
    def facts(self) -> Facts:
        """The facts of the first scan."""
        return self.runs[0].facts

    @property
    def steady(self) -> bool:
        """Whether every scan found the same."""
        return all(run.facts == self.facts for run in self.runs)

    def median(self, number: str) -> float:
        """The median over all scans."""
        return float(statistics.median(getattr(run, number) for run in self.runs))


Rows = Sequence[Row]


def ours_of(rows: Rows, row: Row) -> Row | None:
    """Our row for the same server and delay, if it was measured."""
    for other in rows:
        if (other.server, other.delay_ms, other.peer) == (row.server, row.delay_ms, OURS) and other.runs:
            return other
    return None


def ratios(row: Row, ours: Row) -> dict[str, float]:
    """The figures of the row divided by ours."""
    return {number: row.median(number) / ours.median(number) for number in NUMBERS if ours.median(number)}


def differences(theirs: Facts, ours: Facts) -> list[str]:
    """What both report differently, a line each. What only one of them reports is not a difference."""
    both = sorted(theirs.protocols.keys() & ours.protocols.keys())
    lines = [f"{p}: they say {_word(theirs.protocols[p])}" for p in both if theirs.protocols[p] != ours.protocols[p]]
    for protocol in sorted(theirs.suites.keys() | ours.suites.keys()):
        them, us = theirs.suites.get(protocol, frozenset()), ours.suites.get(protocol, frozenset())
        lines += [f"{protocol}: only they have {name}" for name in sorted(them - us)]
        lines += [f"{protocol}: only ours has {name}" for name in sorted(us - them)]
    for protocol, order in theirs.orders.items():
        said = set(ours.orders.values()) if protocol == "all" else {ours.orders.get(protocol, order)}
        if said - {order}:
            lines.append(f"order, {protocol}: they say {order}, ours {', '.join(sorted(said))}")
    if None not in {theirs.compression, ours.compression} and theirs.compression != ours.compression:
        lines.append(f"compression: they say {_word(theirs.compression)}")
    return lines


def _word(accepted: bool | None) -> str:
    return "not reported" if accepted is None else "accepted" if accepted else "refused"


# --- table --------------------------------------------------------------------------------------------------------


def show(console: Console, rows: Rows, titles: Mapping[str, str]) -> None:
    """A table for each server and delay, followed by the differences between the scanners."""
    for server, delay_ms in dict.fromkeys((row.server, row.delay_ms) for row in rows):
        part = [row for row in rows if (row.server, row.delay_ms) == (server, delay_ms)]
        away = f"{delay_ms} ms added to each round trip" if delay_ms else "no delay added"
        table = Table(title=f"{titles[server]}; {away}", title_justify="left", title_style="bold")
        table.add_column("")
        for heading in COLUMNS.values():
            table.add_column(heading, justify="right")
        for heading in ("protocols\nreported", "suites", "orders\nreported", "compression", "same as\nours"):
            table.add_column(heading, justify="right")
        for row in part:
            table.add_row(*_cells(row, ours_of(rows, row)))
        console.print(table)
        for row in part:
            _show_remarks(console, row, ours_of(rows, row))


def _cells(row: Row, ours: Row | None) -> list[str]:
    title = BY_NAME[row.peer].title
    if not row.runs:
        return [title, "failed"]
    factors = ratios(row, ours) if ours and row.peer != OURS else {}
    numbers = [_number(row.median(number), factors.get(number)) for number in COLUMNS]
    facts = row.facts
    same = "" if not ours or row.peer == OURS else "no" if differences(facts, ours.facts) else "yes"
    counts = [len(facts.protocols), facts.suite_count, len(facts.orders), _word(facts.compression)]
    return [title, *numbers, *map(str, counts), same]


def _number(value: float, factor: float | None) -> str:
    text = f"{value:.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"
    return text if factor is None else f"{text} {_factor(factor)}"


def _factor(factor: float) -> str:
    return f"×{factor:.{0 if factor >= 10 else 1 if factor >= 1 else 2}f}"


def _show_remarks(console: Console, row: Row, ours: Row | None) -> None:
    title = BY_NAME[row.peer].title
    if row.failure:
        console.print(f"  {title}: {row.failure}", style="red", markup=False)
    if row.runs and not row.steady:
        console.print(f"  {title}: the scans did not all find the same", style="yellow")
    for line in differences(row.facts, ours.facts) if row.runs and ours else ():
        console.print(f"  {title}: {line}", style="yellow")


# --- JSON ---------------------------------------------------------------------------------------------------------


def document(rows: Rows) -> list[dict[str, Any]]:
    """One object for each row, with seconds, bytes, and ratios to ours."""
    return [_row_document(row, ours_of(rows, row)) for row in rows]


def _row_document(row: Row, ours: Row | None) -> dict[str, Any]:
    place = {"server": row.server, "delay_ms": row.delay_ms, "peer": row.peer}
    if not row.runs:
        return {**place, "failure": row.failure}
    return {
        **place,
        "scans": len(row.runs),
        "median": {number: row.median(number) for number in NUMBERS},
        "ratio": ratios(row, ours) if ours else None,
        "steady": row.steady,
        "facts": {
            "protocols": dict(row.facts.protocols),
            "suites": {protocol: sorted(names) for protocol, names in row.facts.suites.items()},
            "orders": dict(row.facts.orders),
            "compression": row.facts.compression,
        },
        "differences": differences(row.facts, ours.facts) if ours else None,
    }
