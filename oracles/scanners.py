"""The scanners: the command of each for all facts that ours also has, with STARTTLS if necessary."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Generic, TypeVar

from exporter import __version__
from exporter.errors import ProbeError
from exporter.model import Target
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.handshake import PROBE
from exporter.probes.handshake.engine import Engine
from oracles.facts import Facts, ReportError
from oracles.reports import read_ours, read_sslscan, read_sslyze, read_testssl
from tests.support.processes import end
from tests.support.servers import HOST

T = TypeVar("T")

OURS = "ours"
OURS_LIMIT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Program:
    """A scanner as an installed program.

    Attributes:
        version: returns its version.
        name: its name on the path; empty for a Python module.
        package: its Debian package.
    """

    version: Callable[[], str]
    name: str = ""
    package: str = ""

    @property
    def missing(self) -> str | None:
        """Why it cannot be used; None if it can."""
        if self.name and not shutil.which(self.name):
            return f"the Debian package {self.package} is not installed"
        return None


@dataclass(frozen=True, slots=True)
class Job:
    """One scan of this port of 127.0.0.1, after this dialogue, with its own folder for output."""

    port: int
    starttls: str | None
    folder: Path

    @property
    def report(self) -> Path:
        """The file that the scanner writes."""
        return self.folder / "report"

    @property
    def output(self) -> Path:
        """The file with its output."""
        return self.folder / "output"


@dataclass(frozen=True, slots=True)
class Scanner(Generic[T]):
    """One scanner that is not ours.

    Attributes:
        name: its name in `--scanners` and the explanations.
        command: the command of one scan. The second argument is the scanner's own name of the dialogue before TLS.
        read: reads the result from its files.
        program: the program that is started.
        dialogues: our STARTTLS names that it supports -> its own names.
        limit_seconds: a scan that takes longer has failed.
    """

    name: str
    command: Callable[[Job, str | None], list[str]]
    read: Callable[[Job], T]
    program: Program
    dialogues: Mapping[str, str] = field(default_factory=dict)
    limit_seconds: float = 180

    def speaks(self, starttls: str | None) -> bool:
        """Whether it supports this dialogue before TLS."""
        return starttls is None or starttls in self.dialogues

    def scan(self, job: Job, stop: threading.Event | None = None, *, reread: bool = False) -> T:
        """Run one scan, or with `reread` use the files of an earlier one.

        Raises:
            ReportError: the scanner ended without a report, took too long, or was stopped.
        """
        if not reread or not job.output.exists():
            job.folder.mkdir(parents=True, exist_ok=True)
            self._run(job, stop or threading.Event())
        return read_report(self.name, lambda: self.read(job), job.output)

    def _run(self, job: Job, stop: threading.Event) -> None:
        command = self.command(job, self.dialogues[job.starttls] if job.starttls else None)
        with job.output.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - a command of this file
                [shutil.which(command[0]) or command[0], *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=job.folder,
            )
        give_up = time.monotonic() + self.limit_seconds
        try:
            while not stop.is_set() and time.monotonic() < give_up:
                try:
                    process.wait(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
                return
        finally:
            end(process)
        raise ReportError(f"{self.name} {'was stopped' if stop.is_set() else f'took over {self.limit_seconds:.0f} s'}")


def read_report(name: str, read: Callable[[], T], output: Path) -> T:
    """Read the report of the scanner with this name.

    Raises:
        ReportError: it cannot be read; the message has the end of the scanner's output.
    """
    try:
        return read()
    except (OSError, ValueError, KeyError, SyntaxError) as error:  # ElementTree's ParseError is a SyntaxError
        printed = output.read_text(errors="replace").strip() if output.exists() else ""
        raise ReportError(f"{name} gave no report ({type(error).__name__}): {printed[-300:]}") from error


def program_version(command: list[str], pattern: str) -> str:
    """The first group of the pattern in the output of the command."""
    path = shutil.which(command[0]) or command[0]
    done = subprocess.run(  # noqa: S603 - a program named in this file
        [path, *command[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"


SSLYZE = Program(lambda: version("sslyze"))
SSLSCAN = Program(lambda: program_version(["sslscan", "--version"], r"(\d+\.\d+\.\d+)"), "sslscan", "sslscan")
TESTSSL = Program(
    lambda: program_version(["testssl", "--version"], r"testssl(?:\.sh)? +(?:version )?(\d[\w.]*)"),
    "testssl",
    "testssl.sh",
)
TESTSSL_QUIET = ("--warnings=off", "--quiet", "--color=0", "--nodns=none", "--ip=127.0.0.1")


# --- ours ---------------------------------------------------------------------------------------------------------


def target_of(job: Job) -> Target:
    """The server as a target of ours."""
    return Target(
        "oracles",
        HOST,
        job.port,
        policies=(),
        starttls=job.starttls,
        server_name=HOST,
        connect_address="127.0.0.1",
    )


def scan_ours(job: Job) -> Facts:
    """The facts of our handshake probe about the server. Its document is kept as the report.

    Raises:
        ReportError: the probe failed or took too long.
    """

    async def read() -> dict[str, object]:
        async with asyncio.timeout(OURS_LIMIT_SECONDS):
            return dict(PROBE.shape.document(await Engine(Dialer(target_of(job), HostGate())).read()))

    try:
        document = json.dumps(asyncio.run(read()))
    except TimeoutError as error:
        raise ReportError(f"ours took over {OURS_LIMIT_SECONDS} s") from error
    except ProbeError as error:
        raise ReportError(f"ours: {error}") from error
    job.folder.mkdir(parents=True, exist_ok=True)
    job.report.write_text(document)
    return read_ours(json.loads(document))


# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_COMMANDS = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--compression"),
    *("--certinfo", "--elliptic_curves", "--ems", "--fallback", "--reneg"),
)


def ask_sslyze(job: Job, dialogue: str | None, commands: Iterable[str] = SSLYZE_COMMANDS) -> list[str]:
    """The command line for these scan commands of sslyze."""
    before = [f"--starttls={dialogue}"] if dialogue else []
    place = [f"--sni={HOST}", f"127.0.0.1:{job.port}"]
    form = [f"--json_out={job.report}", "--quiet", "--mozilla_config=disable"]
    return [sys.executable, "-m", "sslyze", *commands, *form, *before, *place]


# --- sslscan ------------------------------------------------------------------------------------------------------


def _sslscan(job: Job, dialogue: str | None) -> list[str]:
    before = [f"--starttls-{dialogue}"] if dialogue else []
    what = ["--no-heartbleed", "--no-check-certificate", "--show-sigs", "--ocsp", "--no-colour"]
    return ["sslscan", *what, *before, f"--sni-name={HOST}", f"--xml={job.report}", f"127.0.0.1:{job.port}"]


# --- testssl.sh ---------------------------------------------------------------------------------------------------

TESTSSL_TESTS = (
    *("--protocols", "--server-preference", "--cipher-per-proto", "--crime"),
    *("--server-defaults", "--pfs", "--tls-fallback", "--renegotiation", "--heartbleed"),
)


def ask_testssl(job: Job, dialogue: str | None, tests: Iterable[str] = TESTSSL_TESTS) -> list[str]:
    """The command line for these tests of testssl.sh."""
    before = ["--starttls", dialogue] if dialogue else []
    return ["testssl", *TESTSSL_QUIET, *tests, *before, f"--jsonfile={job.report}", f"{HOST}:{job.port}"]


# --- all ----------------------------------------------------------------------------------------------------------

SCANNERS = (
    Scanner(
        "sslyze",
        ask_sslyze,
        lambda job: read_sslyze(job.report),
        SSLYZE,
        dialogues={name: name for name in ("smtp", "imap", "pop3", "ftp", "ldap", "rdp", "postgres")},
    ),
    Scanner(
        "sslscan",
        _sslscan,
        lambda job: read_sslscan(job.report, job.output.read_text(errors="replace")),
        SSLSCAN,
        dialogues={name: name for name in ("smtp", "imap", "pop3", "ftp", "ldap", "irc", "mysql")}
        | {"postgres": "psql"},
    ),
    Scanner(
        "testssl",
        ask_testssl,
        lambda job: read_testssl(job.report),
        TESTSSL,
        dialogues={name: name for name in ("smtp", "lmtp", "imap", "pop3", "ftp", "postgres", "mysql")},
        limit_seconds=420,
    ),
)
BY_NAME = {scanner.name: scanner for scanner in SCANNERS}


def versions(programs: Mapping[str, Program]) -> dict[str, str]:
    """Versions of ours and of the installed ones of these programs, by name."""
    return {OURS: __version__} | {name: program.version() for name, program in programs.items() if not program.missing}
