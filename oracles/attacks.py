"""Run as a program: compare ours with sslyze and testssl.sh on servers that are made vulnerable to attacks.

`make oracles` runs it too. README.md in this folder explains the output. The run fails if a disagreement is not
explained in attacks.yaml, if an explanation there no longer explains anything, or if ours contradicts what a server is
made to be.
"""

import asyncio
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.scan import scan
from exporter.workers import Workers
from oracles import attack_reports as reports
from oracles import explanations as book
from oracles import matrix, runs, scanners
from oracles.attack_reports import Told
from oracles.certificates import Certificates
from oracles.compare import SCAN, Statement, not_started, word
from oracles.explanations import Explanation
from oracles.facts import ReportError
from oracles.matrix import Comparison
from oracles.scanners import OURS, Job, Scanner
from oracles.servers import Server
from tests.support import vulnerable
from tests.support.facts import KOPANO
from tests.support.judging import report_after
from tests.support.targets import make_environment

FILE = Path(__file__).with_name("attacks.yaml")
ABSENT = "–"


# --- servers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """What a server is made to be.

    Attributes:
        about: the attack that it is made for.
        has: whether it is vulnerable to that attack.
    """

    about: Attack
    has: bool

    def open_to(self, attack: Attack) -> bool | None:
        """Whether it is vulnerable to the attack; None if that is not known."""
        if attack is self.about:
            return self.has
        return False if attack in ON_PURPOSE else None


ON_PURPOSE = {Attack.HEARTBLEED, Attack.CCS_INJECTION, Attack.ROBOT}
"""No server program here has these by itself. Servers made for them change the bytes on the wire."""


VARIANTS: Mapping[str, Made] = {
    "CCS injection with CBC": Made(Attack.CCS_INJECTION, has=True),
    "CCS injection with RC4": Made(Attack.CCS_INJECTION, has=True),
    "weak oracle": Made(Attack.ROBOT, has=True),
    "oracle that depends on nothing": Made(Attack.ROBOT, has=False),  # so it reveals nothing
    "no RSA key exchange": Made(Attack.ROBOT, has=False),
    "Logjam without an export suite": Made(Attack.LOGJAM, has=True),
    "Logjam by a common prime": Made(Attack.LOGJAM, has=True),
    "BEAST without CBC": Made(Attack.BEAST, has=False),
    "no renegotiation that closes": Made(Attack.CLIENT_RENEGOTIATION, has=False),
    "three renegotiations, then closes": Made(Attack.CLIENT_RENEGOTIATION, has=False),
    "renegotiation by OpenSSL 1.0.2": Made(Attack.CLIENT_RENEGOTIATION, has=True),
    "no renegotiation by Apache": Made(Attack.CLIENT_RENEGOTIATION, has=False),
    "no renegotiation by OpenSSL 3": Made(Attack.CLIENT_RENEGOTIATION, has=False),
    # RFC 5746, 4.1: a server that never renegotiates is not vulnerable.
    "neither RFC 5746 nor renegotiation": Made(Attack.INSECURE_RENEGOTIATION, has=False),
    "only TLS 1.3": Made(Attack.CLIENT_RENEGOTIATION, has=False),
}


@dataclass(frozen=True, slots=True)
class Vulnerable(Server):
    """A server that is made for an attack."""

    made: Made = field(kw_only=True)


def _servers() -> Iterator[Vulnerable]:
    def server(name: str, start: vulnerable.Start, made: Made) -> Vulnerable:
        return Vulnerable(name, lambda folder, certificates: start(folder, certificates.pki), made=made)

    for prefix, starts in (("has", vulnerable.HAS), ("has-not", vulnerable.HAS_NOT)):
        for attack, start in starts.items():
            name = f"{prefix}-{attack.replace('_', '-')}"
            yield server(name, start, Made(Attack(attack), has=starts is vulnerable.HAS))
    for name, start in vulnerable.VARIANTS.items():
        yield server(re.sub(r"\W+", "-", name.lower()), start, VARIANTS[name])


SERVERS = {server.name: server for server in _servers()}


# --- scanners -----------------------------------------------------------------------------------------------------


def _sslyze(_about: Attack) -> Scanner[Told]:
    command = partial(scanners.ask_sslyze, commands=reports.SSLYZE_COMMANDS)
    return Scanner("sslyze", command, lambda job: reports.read_sslyze(job.report), scanners.SSLYZE)


def _testssl(about: Attack) -> Scanner[Told]:
    tests = reports.flags_for(about)

    def read(job: Job) -> Told:
        return reports.read_testssl(job.report, tests, job.output.read_text(errors="replace"))

    return Scanner("testssl", partial(scanners.ask_testssl, tests=tests), read, scanners.TESTSSL)


@dataclass(frozen=True, slots=True)
class Kind:
    """A scanner that is set up separately for each attack."""

    name: str
    program: scanners.Program
    set_up: Callable[[Attack], Scanner[Told]]


SCANNERS = {
    kind.name: kind for kind in (Kind("sslyze", scanners.SSLYZE, _sslyze), Kind("testssl", scanners.TESTSSL, _testssl))
}


def scan_ours(job: Job) -> Told:
    """The verdicts of a complete scan of ours, including attacks.

    Raises:
        ReportError: no attack could be tested.
    """
    target = replace(scanners.target_of(job), vulnerability_interval=timedelta(days=1))

    async def run() -> Vulnerabilities | None:
        workers = Workers()
        environment = replace(make_environment(), workers=workers)
        try:
            result = await scan(target, environment)
        finally:
            await workers.close()
        return report_after(result, (KOPANO,), environment.now()).facts.get(Vulnerabilities)

    found = asyncio.run(run())
    if found is None:
        raise ReportError("ours tested no attack")
    return Told({attack: verdict.vulnerable for attack, verdict in found.verdicts.items()})


# --- comparison ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """All verdicts about one server.

    Attributes:
        told: the report of each scanner, including ours, or why there is none.
        comparisons: ours compared with each of the others.
    """

    server: Vulnerable
    told: Mapping[str, Told | str]
    comparisons: Sequence[Comparison]

    @property
    def wrong(self) -> list[Attack]:
        """The attacks for which ours contradicts what the server is made to be."""
        ours = self.told.get(OURS, "")
        verdicts = {} if isinstance(ours, str) else ours.verdicts
        return [
            attack
            for attack, verdict in verdicts.items()
            if verdict is not None and self.server.made.open_to(attack) is (not verdict)
        ]

    @property
    def bad(self) -> int:
        """The number of things that make the run fail."""
        return sum(len(comparison.unexplained) for comparison in self.comparisons) + len(self.wrong)

    def said_by(self, scanner: str, attack: Attack) -> str:
        """`yes`, `no`, `unknown`, or a dash."""
        told = self.told.get(scanner, "")
        return ABSENT if isinstance(told, str) or attack not in told.verdicts else word(told.verdicts[attack])


def statements(ours: Told, theirs: Told) -> Iterator[Statement]:
    """Every attack that both report. Ours reports all, some as unknown."""
    for attack, verdict in theirs.verdicts.items():
        yield Statement(attack.value, "", word(ours.verdicts.get(attack)), word(verdict))


def compare_on(  # noqa: PLR0913 - the parts of a run
    server: Vulnerable,
    stop: threading.Event,
    *,
    kinds: Sequence[Kind],
    explained: Sequence[Explanation],
    made: Certificates,
    scratch: Path,
    folder: Path,
    reread: bool,
) -> Result:
    """Compare ours with these scanners on one server."""
    place = scratch / server.name
    place.mkdir()
    told: dict[str, Told | str] = {}
    comparisons = []
    try:
        with server.start(place, made) as port:
            told[OURS] = runs.or_why(partial(scan_ours, Job(port, None, folder / server.name / OURS)))
            for kind in kinds:
                scanner = kind.set_up(server.made.about)
                job = Job(port, None, folder / server.name / kind.name)
                told[kind.name] = runs.or_why(partial(scanner.scan, job, stop, reread=reread))
                said = runs.said(told[OURS], told[kind.name], statements)
                comparisons.append(matrix.compare(server.name, kind.name, said, explained))
    except AssertionError as error:  # it did not start
        comparisons = [matrix.compare(server.name, kind.name, [not_started(error)], ()) for kind in kinds]
    return Result(server, told, comparisons)


# --- output -------------------------------------------------------------------------------------------------------


def show(console: Console, results: Sequence[Result], names: Sequence[str]) -> None:
    """Print the table: for each server the attack that it is made for, and others with a disagreement."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title="Vulnerable to the attack?", title_style="bold")
    for heading in ("server", "attack", "made to be", OURS, *names, "others the same"):
        table.add_column(heading, no_wrap=True)
    for result in results:
        about = result.server.made.about
        different = {statement.fact for comparison in result.comparisons for statement in comparison.explained}
        different |= {*result.wrong}
        for attack in (about, *(other for other in Attack if other is not about and other in different)):
            first = attack is about
            ours = Text(result.said_by(OURS, attack), style="bold red" if attack in result.wrong else "")
            cells = [_cell(result, comparison, attack) for comparison in result.comparisons]
            same = sum(
                number
                for comparison in result.comparisons
                for fact, number in comparison.agreed.items()
                if fact != about
            )
            known = result.server.made.open_to(attack)
            made = ABSENT if known is None else word(known)
            place, others = (result.server.name, str(same)) if first else ("", "")
            table.add_row(place, attack.value, made, ours, *cells, others)
    console.print(table)
    console.print(
        f"{ABSENT} not reported; a name after an answer: who is right, by attacks.yaml; !: not explained", style="dim"
    )


def _cell(result: Result, comparison: Comparison, attack: Attack) -> Text:
    said = result.said_by(comparison.scanner, attack)
    for statement, explanation in comparison.explained.items():
        if statement.fact == attack:
            return Text(f"{said} ({explanation.right})", "yellow") if explanation else Text(f"{said} !", "bold red")
    return Text(said, style="dim" if said == ABSENT else "")


def left_out(results: Sequence[Result]) -> list[str]:
    """What was not reported, by scanner and reason, a line each."""
    where: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in results:
        for scanner, told in result.told.items():
            gaps = {} if isinstance(told, str) else told.left_out
            for attack, why in gaps.items():
                where.setdefault((scanner, why), {}).setdefault(result.server.name, []).append(attack.value)
    lines = []
    for (scanner, why), servers in where.items():
        attacks = ", ".join(dict.fromkeys(attack for names in servers.values() for attack in names))
        places = next(iter(servers)) if len(servers) == 1 else f"{len(servers)} servers"
        lines.append(f"{scanner}, {attacks}, on {places}: {why}")
    return lines


def document(results: Sequence[Result]) -> list[dict[str, object]]:
    """One object for each server."""
    return [
        {
            "server": result.server.name,
            "attack": result.server.made.about.value,
            "made_to_be": result.server.made.has,
            "told": {name: told if isinstance(told, str) else told.verdicts for name, told in result.told.items()},
            "comparisons": matrix.document(result.comparisons),
        }
        for result in results
    ]


# --- run ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says; returns the exit status."""
    options = runs.parse("oracles.attacks", __doc__, SCANNERS, SERVERS, arguments)
    output, progress = runs.consoles()
    explained = load()
    kinds = [kind for kind in options.scanners if not kind.program.missing]
    began = time.monotonic()
    with runs.folder_for(options.reports) as folder, tempfile.TemporaryDirectory(prefix="oracles-") as scratch:
        task = partial(
            compare_on,
            kinds=kinds,
            explained=explained,
            made=Certificates(Path(scratch)),
            scratch=Path(scratch),
            folder=folder,
            reread=options.reports is not None,
        )
        results = runs.on_each(options.servers, task, progress, lambda result: result.bad)
    comparisons = [comparison for result in results for comparison in result.comparisons]
    compared = {(comparison.server, comparison.scanner) for comparison in comparisons}
    stale = book.stale(explained, SERVERS, compared, matrix.used(comparisons))
    show(output, results, [kind.name for kind in kinds])
    for line in left_out(results):
        output.print(f"left out: {line}", style="dim", markup=False, highlight=False)
    matrix.show_remarks(output, comparisons, stale)
    wrong = [f"{result.server.name}, {attack}" for result in results for attack in result.wrong]
    for line in wrong:
        output.print(f"ours is wrong: {line}", style="bold red", markup=False, highlight=False)
    about = runs.describe({kind.name: kind.program for kind in options.scanners})
    about["seconds"] = round(time.monotonic() - began)
    output.print_json(data={**about, "answers": matrix.totals(comparisons)})
    if options.json:
        whole = {**about, "servers": document(results), "stale": stale, "wrong": wrong}
        options.json.write_text(json.dumps(whole, indent=2) + "\n")
    return int(bool(stale) or any(result.bad for result in results))


def load() -> tuple[Explanation, ...]:
    """The explanations of attacks.yaml.

    Raises:
        ConfigError: with every mistake in it.
    """
    return book.load(SERVERS, SCANNERS, FILE, (SCAN, *Attack))


if __name__ == "__main__":
    sys.exit(main())
