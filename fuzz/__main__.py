"""Run as a program: fuzz all parsers, each with its share of the inputs, one process per CPU core.

A finding is saved, its file is printed, and the run fails. `FUZZ_RUNS` is the number of inputs of all parsers together.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz.parsers import PARSERS

DEFAULT_RUNS = 10_000_000
FINDINGS = Path(__file__).parent / "findings"

_LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096")
"""Limits of one input: seconds, MiB of memory, bytes. They leave room for other load on the machine."""
_SHOWN_LINES = 60
_NO_ATHERIS = (
    "Atheris is not installed. It has builds for CPython 3.11 to 3.13 on Linux for x86-64 only. "
    "The property tests have run. For the rest, set PYTHON to one of these versions and run `make clean setup`."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of fuzzing one parser.

    Attributes:
        inputs: number of inputs tried.
        per_second: mean rate; None if the run was too short to measure it.
        coverage: edges of the instrumented code that were reached.
        finding: file with the input; None if there is none.
        said: the end of the output, if it failed.
    """

    name: str
    inputs: int
    per_second: int | None
    coverage: int
    finding: Path | None = None
    said: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is a finding, or the parser did not run."""
        return bool(self.said)


def shares(names: Sequence[str], runs: int) -> Mapping[str, int]:
    """The number of inputs of each of these parsers; together at least `runs`."""
    whole = sum(PARSERS[name].share for name in names)
    return {name: -(-runs * PARSERS[name].share // whole) for name in names}


def read_log(name: str, log: str, finding: Path | None, *, failed: bool) -> Outcome:
    """Read the figures from the output of libFuzzer."""
    counts = [int(number) for number in re.findall(r"^(?:#|stat::number_of_executed_units: )(\d+)", log, re.MULTILINE)]
    seconds = re.search(r"^Done \d+ runs in (\d+) second", log, re.MULTILINE)
    inputs = max(counts, default=0)
    return Outcome(
        name,
        inputs,
        inputs // int(seconds[1]) if seconds and int(seconds[1]) else None,
        max(map(int, re.findall(r" cov: (\d+) ", log)), default=0),
        finding,
        _end(log) if failed else "",
    )


def _end(log: str) -> str:
    """The end of the output, without lines that every run prints."""
    lines = [line for line in log.splitlines() if not line.startswith(("INFO: ", "WARNING: ", "#", "stat::"))]
    return "\n".join(lines[-_SHOWN_LINES:]) or "it printed nothing"


def fuzz(name: str, runs: int) -> Outcome:
    """Fuzz one parser in its own process."""
    prefix = FINDINGS / f"{name}-"
    before = set(FINDINGS.glob(f"{prefix.name}*"))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        options = (f"-runs={runs}", "-print_final_stats=1", f"-artifact_prefix={prefix}", *_LIMITS)
        command = (sys.executable, "-m", "fuzz.child", name, corpus, *options)
        done = subprocess.run(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
        )
    found = sorted(set(FINDINGS.glob(f"{prefix.name}*")) - before)
    return read_log(name, done.stdout, found[0] if found else None, failed=done.returncode != 0)


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a table, and the findings."""
    table = Table("parser", *(("inputs"), "per second", "coverage", "findings"))
    for column in table.columns[1:]:
        column.justify = "right"
    for one in outcomes:
        rate = "" if one.per_second is None else f"{one.per_second:,}"
        table.add_row(one.name, f"{one.inputs:,}", rate, str(one.coverage), str(int(one.failed)))
    failed = [one for one in outcomes if one.failed]
    table.add_section()
    table.add_row("all", f"{sum(one.inputs for one in outcomes):,}", "", "", str(len(failed)))
    console.print(table)
    for one in failed:
        console.print(f"\n{one.name}: {one.finding or 'it did not run'}\n{one.said}", style="red", markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if there are no findings."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=f"default all: {', '.join(PARSERS)}")
    names = parser.parse_args(arguments).parsers or list(PARSERS)
    if unknown := sorted(set(names) - PARSERS.keys()):
        parser.error(f"no such parser: {', '.join(unknown)}")
    if find_spec("atheris") is None:
        parser.exit(1, f"{_NO_ATHERIS}\n")
    runs = shares(names, int(os.environ.get("FUZZ_RUNS") or DEFAULT_RUNS))
    FINDINGS.mkdir(exist_ok=True)
    progress = Console(stderr=True)

    def one(name: str) -> Outcome:
        outcome = fuzz(name, runs[name])
        progress.print(f"{name}: {outcome.inputs:,} inputs{', failed' if outcome.failed else ''}")
        return outcome

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(one, names))
    show(Console(), outcomes)
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
