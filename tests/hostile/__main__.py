"""Run as a program: the farm next to twenty healthy servers, scanned by the daemon for some rounds (`make hostile`)."""

import argparse
import statistics
import sys

from rich.console import Console
from rich.table import Table

from tests.hostile.promises import broken, unfitting
from tests.hostile.rounds import Outcome, run
from tests.hostile.setup import Pace


def main() -> int:
    """Run it as the command line says; returns 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--interval", type=int, default=90, help="seconds of a round")
    parser.add_argument("--scan-timeout", type=int, default=20, help="seconds")
    parser.add_argument("--concurrent", type=int, default=10, help="max_concurrent_scans")
    parser.add_argument("--once", action="store_true", help="the last round ends when each target was scanned in it")
    parser.add_argument("--no-attacks", action="store_true")
    parser.add_argument("only", nargs="*", help="names of behaviours")
    options = parser.parse_args()
    pace = Pace(
        interval=options.interval,
        scan_timeout=options.scan_timeout,
        healthy_timeout=options.interval,
        concurrent=options.concurrent,
        attacks=not options.no_attacks,
    )
    console = Console()
    outcome = run(pace, options.rounds, options.only, until_scanned=options.once, tell=console.print)
    _show(console, outcome)
    problems = broken(outcome)
    for promise, found in problems.items():
        console.print(f"[bold]BROKEN: {promise.value}[/]")
        for line in found:
            console.print(f"  {line}", markup=False, highlight=False)
    return 1 if problems else 0


def _show(console: Console, outcome: Outcome) -> None:
    console.print(_behaviours(outcome), _rounds(outcome), _latencies(outcome))


def _behaviours(outcome: Outcome) -> Table:
    table = Table("behaviour", "what it does", "outcomes of the last scan", "s", "conn.", "fits")
    for behaviour in outcome.hostile:
        scans = outcome.scans(behaviour.name)
        if not scans:
            table.add_row(behaviour.name, behaviour.about, "never scanned", "", "", "?")
            continue
        last = scans[-1]
        told = ", ".join(f"{probe}: {one}" for probe, one in last.outcomes.items())
        fits = "yes" if not any(unfitting(behaviour, scan) for scan in scans) else "NO"
        table.add_row(behaviour.name, behaviour.about, told, f"{last.seconds:.1f}", str(last.connections), fits)
    return table


def _rounds(outcome: Outcome) -> Table:
    table = Table(
        "round", "healthy due", "latest, s", "missed", "hostile scanned", "RSS, MiB", "workers", "fds", "threads"
    )
    for one in outcome.rounds:
        until = one.began_at + outcome.pace.interval
        due = [due for name in outcome.healthy for due in outcome.dues(name) if one.began_at <= due.at < until]
        late = max((each.late for each in due if each.late is not None), default=0.0)
        hostile = sum(behaviour.name in one.scans for behaviour in outcome.hostile)
        used = one.usage
        assert used is not None
        table.add_row(
            *(str(one.number), str(len(due)), f"{late:.1f}", str(sum(each.late is None for each in due))),
            *(f"{hostile} of {len(outcome.hostile)}", f"{used.own_kib / 1024:.0f}", f"{used.workers_kib / 1024:.0f}"),
            *(str(used.descriptors), str(used.threads)),
        )
    return table


def _latencies(outcome: Outcome) -> Table:
    table = Table("request", "count", "p50, ms", "p99, ms", "max, ms")
    for kind, seconds in outcome.latencies.items():
        if len(seconds) > 1:
            cut = statistics.quantiles(seconds, n=100)
            table.add_row(kind, str(len(seconds)), *(f"{1000 * one:.0f}" for one in (cut[49], cut[98], max(seconds))))
    return table


if __name__ == "__main__":
    sys.exit(main())
