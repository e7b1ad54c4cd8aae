"""Run as a program: CPU time of complete scans as the daemon makes them, by probe, in this tree and in others.

The trees scan the same servers alternately, so that other load on the machine affects all of them. The output has the
median of the rounds. README.md in this folder explains the figures.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.servers import SEED_NGINX, WEAK_NGINX, make_pki, nginx

HERE = Path(__file__).parents[1]
WARM_UP = 5
"""Scans of each tree before the first that counts."""
SERVERS = {"checklist": (SEED_NGINX, ("ecdsa", "rsa")), "weak": (WEAK_NGINX, ("rsa",))}
"""Name -> directives of nginx, and kinds of its certificates."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: the program of a tree, with asyncio's event loop or another."""

    tree: Path
    loop: str = "asyncio"

    def __str__(self) -> str:
        return f"{self.tree}{'' if self.loop == 'asyncio' else f', {self.loop}'}"


class Scanner:
    """The process that scans for one subject."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, line: str) -> dict[str, Any]:
        """The answer of `bench.scanner` to this line."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process has no pipes")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def scanner(subject: Subject, port: int) -> Iterator[Scanner]:
    """The process, until the end of the block."""
    python = subject.tree / ".venv/bin/python"
    command = [str(python if python.exists() else sys.executable), str(HERE / "bench/scanner.py"), str(port)]
    command += [] if subject.loop == "asyncio" else [subject.loop]
    environment = {**os.environ, "PYTHONPATH": str(subject.tree)}
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=subject.tree, env=environment
    ) as process:
        try:
            yield Scanner(process)
        finally:
            process.terminate()


@contextmanager
def server(name: str) -> Iterator[int]:
    """The port of the server of this name, while the block runs."""
    directives, kinds = SERVERS[name]
    with tempfile.TemporaryDirectory() as folder:
        pki = make_pki(Path(folder))
        with nginx(Path(folder), directives, [{"ecdsa": pki.ecdsa, "rsa": pki.rsa}[kind] for kind in kinds]) as port:
            yield port


@dataclass(frozen=True, slots=True)
class Result:
    """What one scan of a subject costs: CPU milliseconds by probe, and connections.

    Attributes:
        differs: names of the probes whose facts differ from those of the first subject.
    """

    milliseconds: dict[str, float]
    connections: int
    differs: tuple[str, ...]


def measure(name: str, subjects: Sequence[Subject], rounds: int, scans: int, profile: bool = False) -> list[Result]:
    """The results of the subjects, in their order."""
    with ExitStack() as held:
        port = held.enter_context(server(name))
        scanners = [held.enter_context(scanner(subject, port)) for subject in subjects]
        for one in scanners:
            one.ask(str(WARM_UP))
        answers: list[list[dict[str, Any]]] = [[] for _ in subjects]
        for _ in range(rounds):
            for place, one in enumerate(scanners):
                answers[place].append(one.ask(str(scans)))
        facts = [one.ask("facts") for one in scanners]
        if profile:
            scanners[-1].ask(f"profile {scans * rounds}")
    return [_result(answers[place], scans, facts[place], facts[0]) for place in range(len(subjects))]


def _result(answers: Sequence[dict[str, Any]], scans: int, facts: dict[str, Any], others: dict[str, Any]) -> Result:
    facts, others = _comparable(facts), _comparable(others)
    if not all(answer["success"] for answer in answers):
        raise ValueError("a scan failed")
    names = sorted({name for answer in answers for name in answer["cpu"]})
    spent = {name: statistics.median(answer["cpu"].get(name, 0.0) for answer in answers) / scans for name in names}
    rest = spent["scan"] - sum(seconds for name, seconds in spent.items() if name != "scan")
    by_name = {name: 1000 * seconds for name, seconds in {**spent, "rest": rest}.items()}
    differs = tuple(probe for probe in sorted(facts | others) if facts.get(probe) != others.get(probe))
    return Result(by_name, answers[0]["connections"] // scans, differs)


def _comparable(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without the Date fields of responses (RFC 9110, 5.6.7) and the time of the last complete scan."""
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "", json.dumps(facts))
    shown: dict[str, Any] = json.loads(text)
    shown.get("handshake", {}).pop("enumerated_at", None)
    return shown


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure as the command line says, and print a table for each server."""
    parser = argparse.ArgumentParser(prog="bench.scans", description=__doc__)
    parser.add_argument("--tree", type=Path, action="append", default=[], help="another work tree to compare with")
    parser.add_argument("--uvloop", action="store_true", help="measure this tree with uvloop too")
    parser.add_argument("--servers", default=",".join(SERVERS), help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=10, help="of each tree; default %(default)s")
    parser.add_argument("--scans", type=int, default=20, help="in one round; default %(default)s")
    parser.add_argument("--profile", action="store_true", help="also print a profile of the last tree's functions")
    options = parser.parse_args(arguments)
    subjects = [*map(Subject, (tree.resolve() for tree in options.tree)), Subject(HERE)]
    subjects += [Subject(HERE, "uvloop")] if options.uvloop else []
    for name in options.servers.split(","):
        results = measure(name, subjects, options.rounds, options.scans, options.profile)
        Console(width=150).print(_table(name, subjects, results))


def _table(name: str, subjects: Sequence[Subject], results: Sequence[Result]) -> Table:
    columns = sorted({column for result in results for column in result.milliseconds} - {"scan", "rest"})
    table = Table("CPU ms of a scan", "scan", *columns, "rest", "connections", "facts that differ", title=name)
    for subject, result in zip(subjects, results, strict=True):
        figures = [f"{result.milliseconds.get(column, 0.0):.1f}" for column in ("scan", *columns, "rest")]
        table.add_row(str(subject), *figures, str(result.connections), ", ".join(result.differs) or "none")
    return table


if __name__ == "__main__":
    main()
