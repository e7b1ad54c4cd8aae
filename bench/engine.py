"""Run as a program: our handshake probe and other scanners, compared on the same servers of this machine.

`make bench` runs all of it. README.md in this folder explains the figures.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import peers as scanners
from bench import servers
from bench.measure import Run, measure
from bench.peers import Peer
from bench.report import Row, document, show
from bench.servers import Server
from oracles.facts import ReportError
from oracles.scanners import program_version
from tests.support.processes import find_program

DELAYS_MS = (0, 20, 100)
TABLE_WIDTH = 190


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, print tables, write JSON."""
    options = parse(arguments)
    output, progress = Console(), Console(stderr=True)
    if not output.is_terminal:
        output = Console(width=TABLE_WIDTH)
    left_out = {peer.name: peer.program.missing for peer in options.peers if peer.program.missing}
    present = [peer for peer in options.peers if not peer.program.missing]
    about = describe(present, options.repeat, left_out)
    rows = list(bench(present, options.servers, options.delays, options.repeat, progress))
    titles = {server.name: f"{server.title} ({accepted(rows, server)})" for server in options.servers}
    output.print_json(data=about)
    show(output, rows, titles)
    for name, reason in left_out.items():
        output.print(f"{scanners.BY_NAME[name].title}: left out, {reason}", style="yellow")
    if options.json:
        options.json.write_text(json.dumps({**about, "rows": document(rows)}, indent=2) + "\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags; `peers` and `servers` become objects."""
    parser = argparse.ArgumentParser(prog="bench.engine", description=__doc__)
    names, places = ",".join(scanners.BY_NAME), ",".join(servers.BY_NAME)
    parser.add_argument("--peers", default=names, type=_choice(scanners.BY_NAME), help=f"default {names}")
    parser.add_argument("--servers", default=places, type=_choice(servers.BY_NAME), help=f"default {places}")
    parser.add_argument(
        "--delays", default=DELAYS_MS, type=_milliseconds, help="added to each round trip, in ms; default 0,20,100"
    )
    parser.add_argument(
        "--repeat", default=3, type=_positive, help="number of scans, of which medians are shown; default 3"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser.parse_args(arguments)


def _choice(known: dict[str, Any]) -> Any:  # noqa: ANN401 - a type for argparse
    def choose(text: str) -> list[Any]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return [known[name] for name in text.split(",")]

    return choose


def _milliseconds(text: str) -> tuple[int, ...]:
    values = tuple(map(int, text.split(",")))
    if min(values) < 0 or max(values) > 1000:
        raise argparse.ArgumentTypeError("from 0 to 1000")
    return values


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def bench(
    peers: Sequence[Peer], places: Sequence[Server], delays_ms: Sequence[int], repeat: int, progress: Console
) -> Iterator[Row]:
    """Rows, server by server and delay by delay."""
    for server in places:
        with tempfile.TemporaryDirectory() as folder, server.running(Path(folder)) as port:
            for delay_ms in delays_ms:
                chosen = [peer for peer in peers if peer.delays or not delay_ms]
                yield from side_by_side(chosen, server, port, delay_ms, repeat, progress)


def side_by_side(  # noqa: PLR0913, PLR0917 - it needs all variables of the loop
    peers: Sequence[Peer], server: Server, port: int, delay_ms: int, repeat: int, progress: Console
) -> Iterator[Row]:
    """Rows of one server and delay. The scanners run in turn, so that other load on the machine affects all of them."""
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    failures: dict[str, str] = {}
    for turn in range(repeat):
        for peer in peers:
            if peer.name in failures:
                continue
            progress.print(f"{server.name}, {delay_ms} ms, {turn + 1} of {repeat}: {peer.title}")
            try:
                runs[peer.name].append(measure(peer, port, delay_ms / 1000))
            except ReportError as error:
                failures[peer.name] = str(error)
    for peer in peers:
        failure = failures.get(peer.name, "")
        yield Row(server.name, delay_ms, peer.name, () if failure else tuple(runs[peer.name]), failure)


def accepted(rows: Sequence[Row], server: Server) -> str:
    """The number of suites that the server accepts, for each protocol, from the scanner that found most."""
    found = [row.facts for row in rows if row.server == server.name and row.runs]
    if not found:
        return "nothing found"
    most = max(found, key=lambda facts: facts.suite_count)
    parts = ", ".join(f"{len(names)} in {protocol}" for protocol, names in sorted(most.suites.items()))
    return f"accepts {most.suite_count} suites: {parts}"


def describe(peers: Sequence[Peer], repeat: int, left_out: dict[str, str | None]) -> dict[str, Any]:
    """Date, machine and versions of the run."""
    nginx = find_program("nginx")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}",
        "versions": {peer.name: peer.program.version() for peer in peers}
        | {
            "nginx": program_version([nginx, "-V"], r"nginx/(\S+)"),
            "nginx's OpenSSL": program_version([nginx, "-V"], r"OpenSSL (\S+)"),
        },
        "repeat": repeat,
        "left_out": left_out,
    }


if __name__ == "__main__":
    main()
