"""The scanners that are compared, and their commands. `oracles` reads their reports."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exporter import __version__
from oracles.facts import Facts
from oracles.reports import read_ours, read_sslscan, read_sslyze, read_testssl
from oracles.scanners import SSLSCAN, SSLYZE, TESTSSL, TESTSSL_QUIET, Program
from tests.support.servers import HOST


@dataclass(frozen=True, slots=True)
class Job:
    """One scan of this port of 127.0.0.1, with its own folder for output."""

    port: int
    folder: Path

    @property
    def report(self) -> Path:
        """The file that the scanner writes."""
        return self.folder / "report"

    @property
    def notes(self) -> Path:
        """The file in which `bench.child` records the cost of the scan without the start."""
        return self.folder / "notes.json"


@dataclass(frozen=True, slots=True)
class Peer:
    """One scanner.

    Attributes:
        name: its name in `--peers`.
        title: its name in the table.
        command: the command of one scan.
        read: returns the facts of the report.
        program: the program that is started.
        delays: whether it also runs with delay.
        limit_seconds: a scan that takes longer has failed.
    """

    name: str
    title: str
    command: Callable[[Job], list[str]]
    read: Callable[[Job], Facts]
    program: Program
    delays: bool = True
    limit_seconds: float = 240


# --- ours ---------------------------------------------------------------------------------------------------------


def _child(name: str, job: Job, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.child", name, str(job.notes), *arguments]


def _ours_command(job: Job) -> list[str]:
    return _child("ours", job, str(job.port), HOST, str(job.report))


# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_SAME = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"),
    *("--compression", "--elliptic_curves"),
)
"""The commands that give suites, compression and curves."""
SSLYZE_MORE = (
    *("--certinfo", "--early_data", "--ems", "--fallback", "--heartbleed", "--http_headers"),
    *("--openssl_ccs", "--reneg", "--resum", "--robot"),
)


def _sslyze_command(*flags: str) -> Callable[[Job], list[str]]:
    return lambda job: _child(
        "sslyze", job, *flags, f"--json_out={job.report}", "--quiet", f"--sni={HOST}", f"127.0.0.1:{job.port}"
    )


# --- sslscan ------------------------------------------------------------------------------------------------------

SSLSCAN_WITHOUT = (
    *("--no-check-certificate", "--no-fallback", "--no-heartbleed", "--no-renegotiation"),
    "--no-colour",
)
"""Leaves protocols, suites, groups and compression."""


def _sslscan_command(job: Job) -> list[str]:
    return ["sslscan", *SSLSCAN_WITHOUT, f"--sni-name={HOST}", f"--xml={job.report}", f"127.0.0.1:{job.port}"]


# --- testssl.sh ---------------------------------------------------------------------------------------------------

TESTSSL_SAME = ("--protocols", "--server-preference", "--cipher-per-proto", "--crime", "--fs")


def _testssl_command(job: Job) -> list[str]:
    return ["testssl", *TESTSSL_QUIET, *TESTSSL_SAME, f"--jsonfile={job.report}", f"{HOST}:{job.port}"]


# --- all ----------------------------------------------------------------------------------------------------------

OURS = "ours"
PEERS = (
    Peer(
        OURS,
        "ours: handshake probe",
        _ours_command,
        lambda job: read_ours(json.loads(job.report.read_text())),
        Program(lambda: __version__),
    ),
    Peer(
        "sslyze-same",
        "sslyze: suites, compression, curves",
        _sslyze_command(*SSLYZE_SAME),
        lambda job: read_sslyze(job.report),
        SSLYZE,
    ),
    Peer(
        "sslyze-all",
        "sslyze: all commands",
        _sslyze_command(*SSLYZE_SAME, *SSLYZE_MORE, "--mozilla_config=disable"),
        lambda job: read_sslyze(job.report),
        SSLYZE,
    ),
    Peer(
        "sslscan",
        "sslscan: protocols, suites, groups, compression",
        _sslscan_command,
        lambda job: read_sslscan(job.report),
        SSLSCAN,
    ),
    Peer(
        "testssl",
        "testssl.sh: -p -P -E -C --fs",
        _testssl_command,
        lambda job: read_testssl(job.report),
        TESTSSL,
        delays=False,
        limit_seconds=600,
    ),
)
BY_NAME = {peer.name: peer for peer in PEERS}
