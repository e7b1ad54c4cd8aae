"""Run as a program: compare our grade of many servers with that of testssl.sh.

`make oracles` runs it too. README.md in this folder explains the output. The run fails if two grades differ and
grades.yaml does not explain it, or if an explanation there no longer explains anything.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.grade import Grade, Letter
from exporter.model import Target
from exporter.scan import scan
from exporter.workers import Workers
from oracles import explanations as book
from oracles import matrix, runs, scanners
from oracles.compare import SCAN, UNKNOWN, Statement, not_started
from oracles.explanations import Explanation
from oracles.facts import ReportError
from oracles.graded import NOT_HTTP, SERVERS, Anchored
from oracles.matrix import Comparison
from oracles.ratings import Rating, rates, read_derived, read_own
from oracles.scanners import OURS, Job, Program, Scanner
from oracles.servers import Server
from tests.support.facts import KOPANO
from tests.support.judging import report_after
from tests.support.targets import make_environment

FILE = Path(__file__).with_name("grades.yaml")
OWN, DERIVED = "testssl", "ratings"
"""The grade that is compared with ours: testssl.sh's own, or that of ratings.py from the findings of testssl.sh."""
FACT = "grade"
LIMIT_SECONDS = 900

VARIABLE = "TESTSSL"
"""Environment variable with a testssl.sh other than the one on the path."""
TESTSSL_TESTS = ("-p", "-s", "-f", "-P", "-S", "-h", "-U")
"""The tests that its rating needs. It does not use client simulation."""


# --- scanners -----------------------------------------------------------------------------------------------------


def testssl() -> Program:
    """The testssl.sh that is run."""
    name = os.environ.get(VARIABLE) or "testssl"
    path = str(Path(shutil.which(name) or name).absolute())  # each scan runs in its own folder
    pattern = r"testssl(?:\.sh)?\S* +(?:version +)?(?:\x1b\[1m)?(\d[\w.]*)"  # newer ones print it bold
    return Program(partial(scanners.program_version, [path, "--version"], pattern), path, "testssl.sh")


def scanner_for(program: Program, made: Anchored) -> Scanner[Rating]:
    """A scanner of this testssl.sh, which also trusts our authorities."""
    tests = (f"--add-ca={made.anchors}", *TESTSSL_TESTS)

    def command(job: Job, dialogue: str | None) -> list[str]:
        _, *flags = scanners.ask_testssl(job, dialogue, tests)
        return [program.name, *flags]

    def read(job: Job) -> Rating:
        return read_own(job.report) if own else read_derived(job.report, starttls=job.starttls is not None)

    own = rates(program.version())
    return Scanner(
        OWN if own else DERIVED,
        command,
        read,
        program,
        dialogues={name: name for name in ("smtp", "imap")},
        limit_seconds=LIMIT_SECONDS,
    )


def target_of(server: Server, port: int, made: Anchored) -> Target:
    """The server as a target of ours, including attacks."""
    return replace(
        scanners.target_of(Job(port, server.starttls, Path())),
        protocol=server.starttls or NOT_HTTP.get(server.name, "https"),
        ca_file=str(made.anchors),
        vulnerability_interval=timedelta(days=1),
    )


def grade_of(target: Target) -> Grade:
    """The grade of a complete scan of ours.

    Raises:
        ReportError: no protocol is known to be accepted.
    """

    async def run() -> Grade | None:
        workers = Workers()
        environment = replace(make_environment(), workers=workers)
        try:
            result = await scan(target, environment)
        finally:
            await workers.close()
        return report_after(result, [KOPANO], environment.now()).facts.get(Grade)

    found = asyncio.run(run())
    if found is None:
        raise ReportError("ours knows of no protocol that is accepted")
    return found


# --- comparison ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """Both grades of one server, or why there is none."""

    server: Server
    ours: Grade | str
    theirs: Rating | str
    comparison: Comparison


def said(letter: Letter | None) -> str:
    """The letter as a word of a statement."""
    return letter or UNKNOWN


def statements(ours: Grade, theirs: Rating) -> Iterator[Statement]:
    """The statement about both letters."""
    yield Statement(FACT, "", said(ours.letter), said(theirs.letter))


def compare_on(  # noqa: PLR0913 - the parts of a run
    server: Server,
    stop: threading.Event,
    *,
    scanner: Scanner[Rating],
    explained: Sequence[Explanation],
    made: Anchored,
    scratch: Path,
    folder: Path,
    reread: bool,
) -> Result:
    """Compare ours with testssl.sh on one server."""
    place = scratch / server.name
    place.mkdir()
    try:
        with server.start(place, made) as port:
            ours = runs.or_why(partial(grade_of, target_of(server, port, made)))
            job = Job(port, server.starttls, folder / server.name / scanner.name)
            theirs = runs.or_why(partial(scanner.scan, job, stop, reread=reread))
    except AssertionError as error:  # it did not start
        comparison = matrix.compare(server.name, scanner.name, [not_started(error)], ())
        return Result(server, str(error), str(error), comparison)
    stated = runs.said(ours, theirs, statements)
    return Result(server, ours, theirs, matrix.compare(server.name, scanner.name, stated, explained))


# --- output -------------------------------------------------------------------------------------------------------


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table: for each server both grades and their reasons."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title="Grades", title_style="bold")
    for heading in ("", "ours", "rules that apply", "trust ignored", "testssl.sh", "its reasons", "right"):
        table.add_column(heading, overflow="fold")
    for result in results:
        ours, theirs = result.ours, result.theirs
        us = ("–", ours, "–") if isinstance(ours, str) else _cells(ours)
        them = ("–", theirs) if isinstance(theirs, str) else (said(theirs.letter), ", ".join(theirs.reasons))
        table.add_row(result.server.name, *us, *them, _right(result.comparison))
    console.print(table)


def _cells(grade: Grade) -> tuple[str, str, str]:
    rules = grade.caps if grade.letter else tuple(f"{name}?" for name in grade.missing)
    return said(grade.letter), ", ".join(rules), said(grade.trust_ignored)


def _right(comparison: Comparison) -> Text:
    """Who is right by grades.yaml, if the grades differ."""
    for explanation in comparison.explained.values():
        return Text(explanation.right, "yellow") if explanation else Text("!", "bold red")
    return Text("=", "green")


def document(results: Sequence[Result]) -> list[dict[str, object]]:
    """One object for each server."""
    return [
        {
            "server": result.server.name,
            OURS: result.ours if isinstance(result.ours, str) else _ours(result.ours),
            result.comparison.scanner: result.theirs if isinstance(result.theirs, str) else _theirs(result.theirs),
            "comparisons": matrix.document([result.comparison]),
        }
        for result in results
    ]


def _ours(grade: Grade) -> Mapping[str, object]:
    return {"letter": grade.letter, "score": grade.score, "caps": grade.caps, "missing": grade.missing}


def _theirs(rating: Rating) -> Mapping[str, object]:
    return {"letter": rating.letter, "reasons": rating.reasons}


# --- run ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit status."""
    program = testssl()
    options = runs.parse("oracles.grades", __doc__, {OWN: program}, SERVERS, arguments)
    output, progress = runs.consoles()
    explained = load()
    if program.missing:
        output.print(f"left out: {program.missing} ({program.name})")
        return int(VARIABLE in os.environ)  # a scanner that is set by name must exist
    began = time.monotonic()
    with runs.folder_for(options.reports) as folder, tempfile.TemporaryDirectory(prefix="oracles-") as scratch:
        made = Anchored(Path(scratch))
        scanner = scanner_for(program, made)
        task = partial(
            compare_on,
            scanner=scanner,
            explained=explained,
            made=made,
            scratch=Path(scratch),
            folder=folder,
            reread=options.reports is not None,
        )
        results = runs.on_each(options.servers, task, progress, lambda result: len(result.comparison.unexplained))
    comparisons = [result.comparison for result in results]
    compared = {(comparison.server, comparison.scanner) for comparison in comparisons}
    stale = book.stale(explained, SERVERS, compared, matrix.used(comparisons))
    show(output, results)
    matrix.show_remarks(output, comparisons, stale)
    about = runs.describe({scanner.name: program})
    about["seconds"] = round(time.monotonic() - began)
    output.print_json(data={**about, "grades": matrix.totals(comparisons)})
    if options.json:
        whole = {**about, "servers": document(results), "stale": stale}
        options.json.write_text(json.dumps(whole, indent=2) + "\n")
    return int(bool(stale) or any(comparison.unexplained for comparison in comparisons))


def load() -> tuple[Explanation, ...]:
    """The explanations of grades.yaml.

    Raises:
        ConfigError: with every mistake in it.
    """
    return book.load(SERVERS, {OWN, DERIVED}, FILE, (SCAN, FACT))


if __name__ == "__main__":
    sys.exit(main())
