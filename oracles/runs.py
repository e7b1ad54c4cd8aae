"""Common parts of all comparisons: flags, the folder for reports, two servers at a time."""

import argparse
import platform
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from oracles import scanners
from oracles.compare import Statement, failed
from oracles.facts import ReportError
from oracles.scanners import Program
from oracles.servers import Server

T = TypeVar("T")
U = TypeVar("U")

AT_ONCE = 2
"""Servers that run at the same time. With more than the cores of a small machine, scanners reach their time limits."""
TABLE_WIDTH = 190


def parse(
    program: str,
    description: str | None,
    known_scanners: Mapping[str, object],
    known_servers: Mapping[str, object],
    arguments: Sequence[str] | None,
) -> argparse.Namespace:
    """Parse the flags; `scanners` and `servers` become objects."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    names, places = ",".join(known_scanners), ",".join(known_servers)
    parser.add_argument("--scanners", default=names, type=choice(known_scanners), help=f"default {names}")
    parser.add_argument("--servers", default=places, type=choice(known_servers), help=f"default {places}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all results to this file")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="FOLDER",
        help="keep the scanners' reports there, and read existing ones instead of scanning; ours always scans",
    )
    return parser.parse_args(arguments)


def choice(known: Mapping[str, object]) -> Callable[[str], list[object]]:
    """A type for argparse: names, separated by commas, become the objects with these names."""

    def choose(text: str) -> list[object]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return [known[name] for name in text.split(",")]

    return choose


@contextmanager
def folder_for(kept: Path | None) -> Iterator[Path]:
    """The folder for reports: the given one, which is kept, or a temporary one."""
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="oracles-") as name:
        yield Path(name)


def consoles() -> tuple[Console, Console]:
    """A console for results, wide enough for a table, and one for progress."""
    output = Console()
    return output if output.is_terminal else Console(width=TABLE_WIDTH), Console(stderr=True)


S = TypeVar("S", bound=Server)


def present(servers: Sequence[S], progress: Console) -> tuple[list[S], dict[str, str]]:
    """The servers that can run here, built if necessary; and the reason for each of the others, by name."""
    left_out = {server.name: why for server in servers if (why := server.missing)}
    for name, why in left_out.items():
        progress.print(f"left out: {name}: {why}", markup=False)
    return [server for server in servers if server.name not in left_out], left_out


def on_each(
    chosen: Sequence[S],
    task: Callable[[S, threading.Event], T],
    progress: Console,
    unexplained: Callable[[T], int],
) -> list[T]:
    """The result of the task for each server, in the order of the servers. The task stops early if the event is set."""
    stop = threading.Event()
    found: dict[str, T] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {pool.submit(task, server, stop): server.name for server in chosen}
        try:
            for number, future in enumerate(as_completed(waiting), start=1):
                server = waiting[future]
                found[server] = future.result()
                bad = unexplained(found[server])
                progress.print(f"{number} of {len(chosen)}: {server}{f', {bad} not explained' if bad else ''}")
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [found[server.name] for server in chosen]


def or_why(scan: Callable[[], T]) -> T | str:
    """The result of the scan, or why there is none."""
    try:
        return scan()
    except ReportError as error:
        return str(error)


def said(ours: T | str, theirs: U | str, compare: Callable[[T, U], Iterable[Statement]]) -> list[Statement]:
    """The statements of both, or one that says which scan failed and why."""
    if isinstance(ours, str) or isinstance(theirs, str):
        why = ours if isinstance(ours, str) else str(theirs)
        return [failed(why, ours=not isinstance(ours, str), theirs=not isinstance(theirs, str))]
    return list(compare(ours, theirs))


def describe(asked: Mapping[str, Program]) -> dict[str, Any]:
    """Date and versions of the run, and the scanners that were left out."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": scanners.versions(asked),
        "left_out": {name: program.missing for name, program in asked.items() if program.missing},
    }
