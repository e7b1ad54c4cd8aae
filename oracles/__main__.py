"""Run as a program: compare ours with other scanners on many servers of this machine.

`make oracles` runs all of it. README.md in this folder explains the output. The run fails if a disagreement is not
explained in explanations.yaml, or if an explanation there no longer explains anything.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from oracles import explanations as book
from oracles import matrix, runs, scanners, servers
from oracles.certificates import Certificates
from oracles.compare import not_started, statements
from oracles.explanations import Explanation
from oracles.facts import Facts
from oracles.matrix import Comparison
from oracles.scanners import Job, Scanner
from oracles.servers import Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit status."""
    options = runs.parse("oracles", __doc__, scanners.BY_NAME, servers.BY_NAME, arguments)
    output, progress = runs.consoles()
    explained = book.load(servers.BY_NAME, scanners.BY_NAME)
    present = [scanner for scanner in options.scanners if not scanner.program.missing]
    chosen, left_out = runs.present(options.servers, progress)
    with runs.folder_for(options.reports) as folder:
        comparisons = run(present, chosen, explained, folder, progress, keep=options.reports is not None)
    compared = {(comparison.server, comparison.scanner) for comparison in comparisons}
    stale = book.stale(explained, servers.BY_NAME, compared, matrix.used(comparisons))
    about = runs.describe({scanner.name: scanner.program for scanner in options.scanners})
    about["left_out"] |= left_out
    matrix.show(output, comparisons, [scanner.name for scanner in present])
    matrix.show_remarks(output, comparisons, stale)
    output.print_json(data={**about, "things": matrix.totals(comparisons)})
    if options.json:
        result = {**about, "comparisons": matrix.document(comparisons), "stale": stale}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(stale) or any(comparison.unexplained for comparison in comparisons))


def run(  # noqa: PLR0913 - the parts of a run
    present: Sequence[Scanner[Facts]],
    chosen: Sequence[Server],
    explained: Sequence[Explanation],
    folder: Path,
    progress: Console,
    *,
    keep: bool = False,
) -> list[Comparison]:
    """All comparisons, in the order of the servers."""
    with tempfile.TemporaryDirectory(prefix="oracles-") as name:
        made = Certificates(Path(name))

        def task(server: Server, stop: threading.Event) -> list[Comparison]:
            compare = partial(compare_on, made=made, explained=explained, reread=keep, stop=stop)
            try:
                return compare(server, present, Path(name), folder / server.name)
            except AssertionError as error:  # it did not start
                missing = not_started(error)
                return [matrix.compare(server.name, scanner.name, [missing], ()) for scanner in present]

        found = runs.on_each(chosen, task, progress, lambda done: sum(len(one.unexplained) for one in done))
    return [comparison for comparisons in found for comparison in comparisons]


def compare_on(  # noqa: PLR0913 - as above
    server: Server,
    present: Sequence[Scanner[Facts]],
    scratch: Path,
    reports: Path,
    *,
    made: Certificates,
    explained: Sequence[Explanation],
    reread: bool = False,
    stop: threading.Event | None = None,
) -> list[Comparison]:
    """Compare ours with these scanners on one server."""
    place = scratch / server.name
    place.mkdir()
    able = [scanner for scanner in present if scanner.speaks(server.starttls)]
    comparisons = []
    with server.start(place, made) as port:
        ours = runs.or_why(lambda: scanners.scan_ours(Job(port, server.starttls, reports / scanners.OURS)))
        for scanner in able:
            job = Job(port, server.starttls, reports / scanner.name)
            theirs = runs.or_why(partial(scanner.scan, job, stop, reread=reread))
            said = runs.said(ours, theirs, statements)
            comparisons.append(matrix.compare(server.name, scanner.name, said, explained))
    return comparisons


if __name__ == "__main__":
    sys.exit(main())
