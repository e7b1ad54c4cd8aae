"""Run as a program: the daemon with many targets, next to loops around other scanners.

`make scale` runs all of it. docs/scale.md explains the figures.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.scale.farm import ROOT, scale_farm
from bench.scale.namespace import run_inside
from bench.scale.peers import PEERS, PeerCost, measure_peer
from bench.scale.phases import Ground, KindCost, Plan, Size, measure_kind, measure_size
from bench.scale.report import document, show_peers, show_sizes

KINDS = ("checklist", "weak")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says; 1 if a part failed."""
    options = _parse(arguments)
    if not options.no_namespace:
        code = run_inside("bench.scale", sys.argv[1:] if arguments is None else arguments)
        if code is not None:
            return code
    console = Console(width=140)
    begun = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {line}", file=sys.stderr, flush=True)  # noqa: T201

    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="tls-posture-scale-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers run as other users
        with scale_farm(folder / "farm") as farm:
            measured.run(Ground(farm, folder, options.tree, tell), options)
    if measured.sizes:
        show_sizes(console, measured.sizes)
    if measured.ours:
        show_peers(console, measured.ours, measured.peers)
    for failure in measured.failures:
        console.print(failure, markup=False)
    if options.json:
        told = document(measured.sizes, measured.ours, measured.peers)
        options.json.write_text(json.dumps(told, indent=1, default=sorted) + "\n")
    return 1 if measured.failures else 0


class Measured:
    """What was measured, and what failed; a part that fails does not stop the others."""

    def __init__(self) -> None:
        self.sizes: list[Size] = []
        self.ours: list[KindCost] = []
        self.peers: list[tuple[str, PeerCost]] = []
        self.failures: list[str] = []

    def run(self, ground: Ground, options: argparse.Namespace) -> None:
        """Measure all parts in turn."""
        plan = Plan(options.window, options.first, options.busy, options.alike)
        for kind in options.kinds:
            for attacks in (False, True):
                ground.tell(f"{kind}: the daemon{' with attacks in each scan' if attacks else ''}")
                with self._part(f"{kind}, attacks: {attacks}"):
                    self.ours.append(measure_kind(ground, kind, plan, attacks=attacks))
            targets = [ground.farm.target(number, kind).removeprefix("https://") for number in range(options.sample)]
            for peer in options.peers:
                ground.tell(f"{kind}: {peer}")
                self.peers.append((kind, measure_peer(peer, ground.folder / f"{kind}-{peer}", targets)))
        for number in options.sizes:
            with self._part(f"{number} targets"):
                self.sizes.append(measure_size(ground, number, plan))

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            self.failures.append(f"{name}: failed: {type(error).__name__}: {error}")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=_numbers, default=[100, 1_000, 10_000], help="default 100,1000,10000")
    parser.add_argument(
        "--kinds", type=_names, default=list(KINDS), help="compared with others; default checklist,weak"
    )
    parser.add_argument("--peers", type=_names, default=list(PEERS), help=f"default {','.join(PEERS)}")
    parser.add_argument("--sample", type=int, default=10, help="targets that the others scan; default 10")
    parser.add_argument(
        "--window", type=float, default=Plan().window_seconds, help="seconds of a measurement; default 45"
    )
    parser.add_argument(
        "--first", type=float, default=Plan().first_seconds, help="most seconds for all first scans; default 600"
    )
    parser.add_argument(
        "--busy", type=int, default=Plan().busy, help="targets that are scanned every 10 s; default 100"
    )
    parser.add_argument("--alike", type=int, default=Plan().alike, help="the same, of one kind; default 20")
    parser.add_argument("--tree", type=Path, default=ROOT, help="whose daemon is measured")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--no-namespace", action="store_true", help="on this machine's own loopback")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
