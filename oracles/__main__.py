"""Run as a program: ours and other scanners on many servers of this machine, and where they disagree.

`make oracles` runs it whole; README.md in this folder says how to read it. It fails where a disagreement is not
explained in explanations.yaml, and where an explanation there explains nothing any more.
"""

import argparse
import json
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from oracles import explanations as book
from oracles import matrix, scanners, servers
from oracles.certificates import Certificates
from oracles.compare import SCAN, UNKNOWN, Statement, failed, statements
from oracles.explanations import Explanation
from oracles.facts import Facts, ReportError
from oracles.matrix import Comparison
from oracles.scanners import Job, Scanner
from oracles.servers import Server
from tests.support.starttls_servers import ROOT

AT_ONCE = 2
"""Servers; more than the cores of a small machine make scanners run into their own time limits."""
TABLE_WIDTH = 190


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare what the command line asks for; the exit status."""
    options = parse(arguments)
    output, progress = Console(), Console(stderr=True)
    if not output.is_terminal:
        output = Console(width=TABLE_WIDTH)
    explained = book.load(servers.BY_NAME, scanners.BY_NAME)
    present = [scanner for scanner in options.scanners if not scanner.program.missing]
    chosen = [server for server in options.servers if ROOT or not server.root]
    with _folder(options.reports) as folder:
        comparisons = run(present, chosen, explained, folder, progress, keep=options.reports is not None)
    compared = {(comparison.server, comparison.scanner) for comparison in comparisons}
    stale = book.stale(explained, servers.BY_NAME, compared, matrix.used(comparisons))
    about = describe(options.scanners)
    matrix.show(output, comparisons, [scanner.name for scanner in present])
    matrix.show_remarks(output, comparisons, stale)
    output.print_json(data={**about, "things": matrix.totals(comparisons)})
    if options.json:
        result = {**about, "comparisons": matrix.document(comparisons), "stale": stale}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(stale) or any(comparison.unexplained for comparison in comparisons))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Flags; `scanners` and `servers` become the things themselves."""
    parser = argparse.ArgumentParser(prog="oracles", description=__doc__)
    names, places = ",".join(scanners.BY_NAME), ",".join(servers.BY_NAME)
    parser.add_argument("--scanners", default=names, type=_choice(scanners.BY_NAME), help=f"default {names}")
    parser.add_argument("--servers", default=places, type=_choice(servers.BY_NAME), help=f"default {places}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="FOLDER",
        help="keep the scanners' reports there, and read those that are there instead of scanning; ours always scans",
    )
    return parser.parse_args(arguments)


def _choice(known: dict[str, Any]) -> Callable[[str], list[Any]]:
    def choose(text: str) -> list[Any]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return [known[name] for name in text.split(",")]

    return choose


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="oracles-") as name:
        yield Path(name)


def run(  # noqa: PLR0913 - what a run is made of
    present: Sequence[Scanner],
    chosen: Sequence[Server],
    explained: Sequence[Explanation],
    folder: Path,
    progress: Console,
    *,
    keep: bool = False,
) -> list[Comparison]:
    """All comparisons, in the order of the servers."""
    stop = threading.Event()
    found: dict[str, list[Comparison]] = {}
    with tempfile.TemporaryDirectory(prefix="oracles-") as name, ThreadPoolExecutor(AT_ONCE) as pool:
        made = Certificates(Path(name))
        task = partial(compare_on, made=made, explained=explained, reread=keep, stop=stop)
        waiting = {
            pool.submit(task, server, present, Path(name), folder / server.name): server.name for server in chosen
        }
        try:
            for number, future in enumerate(as_completed(waiting), start=1):
                server = waiting[future]
                try:
                    found[server] = future.result()
                except AssertionError as error:  # it did not start
                    missing = Statement(SCAN, f"the server does not start: {error}", UNKNOWN, "nothing")
                    found[server] = [matrix.compare(server, scanner.name, [missing], ()) for scanner in present]
                bad = sum(len(comparison.unexplained) for comparison in found[server])
                progress.print(f"{number} of {len(chosen)}: {server}{f', {bad} not explained' if bad else ''}")
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [comparison for server in chosen for comparison in found[server.name]]


def compare_on(  # noqa: PLR0913 - as above
    server: Server,
    present: Sequence[Scanner],
    scratch: Path,
    reports: Path,
    *,
    made: Certificates,
    explained: Sequence[Explanation],
    reread: bool = False,
    stop: threading.Event | None = None,
) -> list[Comparison]:
    """Ours beside these scanners on one server."""
    place = scratch / server.name
    place.mkdir()
    able = [scanner for scanner in present if scanner.speaks(server.starttls)]
    comparisons = []
    with server.start(place, made) as port:
        ours = _facts_or_failure(lambda: scanners.scan_ours(Job(port, server.starttls, reports / scanners.OURS)))
        for scanner in able:
            job = Job(port, server.starttls, reports / scanner.name)
            scan = partial(scanner.reread, job) if reread and job.output.exists() else partial(scanner.scan, job, stop)
            said = _said(ours, _facts_or_failure(scan))
            comparisons.append(matrix.compare(server.name, scanner.name, said, explained))
    return comparisons


def _facts_or_failure(scan: Callable[[], Facts]) -> Facts | str:
    try:
        return scan()
    except ReportError as error:
        return str(error)


def _said(ours: Facts | str, theirs: Facts | str) -> list[Statement]:
    if isinstance(ours, Facts) and isinstance(theirs, Facts):
        return list(statements(ours, theirs))
    why = ours if isinstance(ours, str) else str(theirs)
    return [failed(why, ours=isinstance(ours, Facts), theirs=isinstance(theirs, Facts))]


def describe(asked: Sequence[Scanner]) -> dict[str, Any]:
    """When, with which versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": scanners.versions(),
        "left_out": {scanner.name: scanner.program.missing for scanner in asked if scanner.program.missing},
    }


if __name__ == "__main__":
    sys.exit(main())
