"""Run as a program: CPU time of commands from start to end, compared with commands of other scanners.

The ratios matter: seconds depend on the machine. The commands run in turn, and the output has the smallest value of
several runs, because other load on the machine can only increase it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.measure import children_cpu
from bench.peers import SSLSCAN_WITHOUT, SSLYZE_SAME
from bench.servers import BY_NAME
from tests.support.servers import HOST

LIMIT_SECONDS = 240
PEER = "sslyze"
"""The ratios are relative to this: sslyze without flags, which runs all of its default commands."""


def commands(port: int, folder: Path) -> dict[str, list[str]]:
    """Title -> command. The target of the scans is nginx as the checklist requires it, on this port."""
    ours = [sys.executable, "-m", "exporter"]
    sslyze = [sys.executable, "-m", "sslyze", f"--sni={HOST}"]
    place = f"127.0.0.1:{port}"
    found = {
        "--version": [*ours, "--version"],
        "--help": [*ours, "--help"],
        "scan without attacks": [*ours, "scan", f"--config.file={_config(folder, port, 'never')}"],
        "scan": [*ours, "scan", f"--config.file={_config(folder, port, '24h')}"],
        PEER: [*sslyze, place],
        "sslyze: suites, compression, curves": [*sslyze, "--mozilla_config=disable", *SSLYZE_SAME, place],
    }
    if shutil.which("sslscan"):
        found["sslscan"] = ["sslscan", *SSLSCAN_WITHOUT, f"--sni-name={HOST}", place]
    return found


def _config(folder: Path, port: int, attacks: str) -> Path:
    file = folder / f"attacks-{attacks}.yaml"
    target = {"host": HOST, "port": port, "connect_address": "127.0.0.1", "protocol": "https"}
    nobody = {"nameservers": ["127.0.0.1"], "port": 9, "timeout": "1s"}
    settings = {"resolver": nobody, "vulnerability_interval": attacks}
    file.write_text(json.dumps({"global": settings, "targets": [{**target, "http": {"port": "off"}}]}))  # JSON is YAML
    return file


def cpu_seconds(command: Sequence[str], tree: Path) -> float:
    """User and system seconds of one run, including the child processes that it waited for."""
    before = children_cpu()
    subprocess.run(  # noqa: S603 - a command of this module
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS,
        check=False,  # a target that does not comply also causes an exit code
    )
    return children_cpu() - before


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="bench.commands", description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of each; default 5")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[1], help="whose program is measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, BY_NAME["checklist"].running(Path(name)) as port:
        known = commands(port, Path(name))
        runs: dict[str, list[float]] = {title: [] for title in known}
        for _ in range(options.repeat):
            for title, command in known.items():
                runs[title].append(cpu_seconds(command, options.tree.resolve()))
    _print({title: min(several) for title, several in runs.items()})


def _print(least: dict[str, float]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("command", "CPU, s", f"of {PEER}"):
        table.add_column(heading, justify="left" if heading == "command" else "right")
    for title, seconds in least.items():
        table.add_row(title, f"{seconds:.2f}", f"{seconds / least[PEER]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
