"""Run as a program: how many connections the handshake probe opens, by purpose, in one tree or two.

Each server of `oracles.servers` is scanned twice by each tree: once without knowledge, and once with the facts of the
first scan. Facts that differ are printed: between the two scans, and between the trees. Numbers of connections do not
depend on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from oracles.certificates import Certificates
from oracles.servers import BY_NAME, Server

HERE = Path(__file__).parents[1]
CHILD = HERE / "bench" / "hellos_child.py"
LIMIT_SECONDS = 700
OF_ONE_SCAN = frozenset({"hellos", "notes", "enumerated_at"})
PURPOSES = ("cipher_suites", "groups", "signature_schemes", "alpn", "fallback_scsv")
DEFAULT = (
    "nginx-checklist,nginx-weak,openssl-everything,gnutls,gnutls-old,go,go-everything,"
    "jsse,jsse-old,node-old,tlslite-old"
)

Documents = Mapping[str, Mapping[str, Any]]


def measure(tree: Path, port: int, starttls: str | None) -> Documents:
    """The facts of both scans by the program of this tree."""
    command = [sys.executable, str(CHILD), str(port), *([starttls] if starttls else [])]
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    documents: Documents = json.loads(done.stdout)
    return documents


def total(document: Mapping[str, Any]) -> int:
    """All connections of one scan."""
    return sum(document["hellos"].values())


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Facts that differ, apart from those about the scan itself."""
    for key in sorted((one.keys() | other.keys()) - OF_ONE_SCAN):
        if one.get(key) != other.get(key):
            yield f"{key}: {one.get(key)} and {other.get(key)}"


def _measure_all(servers: Sequence[Server], trees: Sequence[Path], console: Console) -> None:
    table = Table(box=box.MARKDOWN)
    for title in ("server", "tree", "scan", *PURPOSES, "all"):
        table.add_column(title, justify="left" if title in {"server", "tree", "scan"} else "right")
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        made = Certificates(Path(name))
        Path(name).chmod(0o755)
        for server in servers:
            if reason := server.missing:
                notes.append(f"{server.name}: left out, {reason}")
                continue
            folder = Path(name) / server.name
            folder.mkdir()
            folder.chmod(0o777)
            with server.start(folder, made) as port:
                found = [measure(tree, port, server.starttls) for tree in trees]
            for number, documents in enumerate(found, 1):
                for scan, document in documents.items():
                    counts = [str(document["hellos"].get(purpose, 0)) for purpose in PURPOSES]
                    table.add_row(server.name, str(number), scan, *counts, str(total(document)))
                changed = differences(documents["first"], documents["later"])
                notes += [f"{server.name}, tree {number}, first and later: {text}" for text in changed]
            for documents in found[1:]:
                changed = differences(found[0]["first"], documents["first"])
                notes += [f"{server.name}, between trees: {text}" for text in changed]
    console.print(table)
    for note in notes or ["no facts differ"]:
        console.print(note, markup=False)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hellos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", default=DEFAULT, help="names of oracles.servers, or `all`")
    parser.add_argument("--tree", type=Path, action="append", default=[], help="another work tree to compare with")
    wanted = parser.parse_args(arguments)
    names = list(BY_NAME) if wanted.servers == "all" else wanted.servers.split(",")
    trees = [*(tree.resolve() for tree in wanted.tree), HERE]
    _measure_all([BY_NAME[name] for name in names], trees, Console(width=160))


if __name__ == "__main__":
    main(sys.argv[1:])
