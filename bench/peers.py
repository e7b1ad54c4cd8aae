"""The scanners that are compared: how each is started, and its report read into one form."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from exporter import __version__
from exporter.model import Protocol
from exporter.probes.handshake.registry import suite_name
from tests.support.servers import HOST


class PeerError(Exception):
    """A scanner gave no report that can be compared."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a scanner told; what it did not tell is absent.

    Attributes:
        protocols: accepted or refused.
        suites: IANA names by protocol, of protocols with any.
        orders: whose order decides, by protocol; under `all` where one verdict is given for all of them.
        compression: TLS compression is accepted; None when not told.
    """

    protocols: Mapping[str, bool] = field(default_factory=dict)
    suites: Mapping[str, frozenset[str]] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    compression: bool | None = None

    @property
    def suite_count(self) -> int:
        """Suites over all protocols."""
        return sum(map(len, self.suites.values()))


@dataclass(frozen=True, slots=True)
class Job:
    """One scan: of this port of 127.0.0.1, with a folder of its own for what is written."""

    port: int
    folder: Path

    @property
    def report(self) -> Path:
        """Where the scanner is told to write."""
        return self.folder / "report"

    @property
    def notes(self) -> Path:
        """Where `bench.child` writes what the scan took without the start."""
        return self.folder / "notes.json"


@dataclass(frozen=True, slots=True)
class Peer:
    """One scanner.

    Attributes:
        name: for `--peers`.
        title: for the table.
        command: starts one scan.
        read: facts from the report.
        version: of the program.
        program: what must be on the path, if it is not Python.
        package: the Debian package that has it.
        delays: whether it is also run with delay.
        limit_seconds: a scan that takes longer has failed.
    """

    name: str
    title: str
    command: Callable[[Job], list[str]]
    read: Callable[[Job], Facts]
    version: Callable[[], str]
    program: str = ""
    package: str = ""
    delays: bool = True
    limit_seconds: float = 240

    @property
    def missing(self) -> str | None:
        """Why it cannot take part, if so."""
        if self.program and not shutil.which(self.program):
            return f"the Debian package {self.package} is not installed"
        return None


def program_version(command: list[str], pattern: str) -> str:
    """The first group of the pattern in what the command prints."""
    path = shutil.which(command[0]) or command[0]
    done = subprocess.run(  # noqa: S603 - a program named in this file
        [path, *command[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"


# --- ours ---------------------------------------------------------------------------------------------------------


def _child(name: str, job: Job, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.child", name, str(job.notes), *arguments]


def _ours_command(job: Job) -> list[str]:
    return _child("ours", job, str(job.port), HOST, str(job.report))


def _read_ours(job: Job) -> Facts:
    told = json.loads(job.report.read_text())
    return Facts(
        protocols={name: accepted for name, accepted in told["protocols"].items() if accepted is not None},
        suites={name: frozenset(suites) for name, suites in told["cipher_suites"].items() if suites},
        orders={name: order for name, order in told["cipher_order"].items() if order},
        compression=told["compression"],
    )


# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_PROTOCOLS = {
    Protocol.SSL2: "ssl_2_0_cipher_suites",
    Protocol.SSL3: "ssl_3_0_cipher_suites",
    Protocol.TLS1_0: "tls_1_0_cipher_suites",
    Protocol.TLS1_1: "tls_1_1_cipher_suites",
    Protocol.TLS1_2: "tls_1_2_cipher_suites",
    Protocol.TLS1_3: "tls_1_3_cipher_suites",
}
SSLYZE_SAME = ("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--compression")
"""The commands that give the facts of our handshake probe, as far as sslyze has them."""
SSLYZE_MORE = (
    *("--certinfo", "--early_data", "--elliptic_curves", "--ems", "--fallback", "--heartbleed", "--http_headers"),
    *("--openssl_ccs", "--reneg", "--resum", "--robot"),
)


def _sslyze_command(*flags: str) -> Callable[[Job], list[str]]:
    return lambda job: _child(
        "sslyze", job, *flags, f"--json_out={job.report}", "--quiet", f"--sni={HOST}", f"127.0.0.1:{job.port}"
    )


def _read_sslyze(job: Job) -> Facts:
    (server,) = json.loads(job.report.read_text())["server_scan_results"]
    if server["connectivity_status"] != "COMPLETED":
        raise PeerError(f"sslyze did not reach the server: {server['connectivity_error_trace']}")
    results = {key: attempt["result"] for key, attempt in server["scan_result"].items() if attempt["result"]}
    told = {protocol: results[key] for protocol, key in SSLYZE_PROTOCOLS.items() if key in results}
    suites = {p: frozenset(s["cipher_suite"]["name"] for s in r["accepted_cipher_suites"]) for p, r in told.items()}
    return Facts(
        protocols={protocol: bool(names) for protocol, names in suites.items()},
        suites={protocol: names for protocol, names in suites.items() if names},
        compression=results.get("tls_compression", {}).get("supports_compression"),
    )


# --- sslscan ------------------------------------------------------------------------------------------------------

SSLSCAN_WITHOUT = (
    *("--no-check-certificate", "--no-fallback", "--no-groups", "--no-heartbleed", "--no-renegotiation"),
    "--no-colour",
)
"""Leaves protocols, suites and compression."""


def _sslscan_command(job: Job) -> list[str]:
    return ["sslscan", *SSLSCAN_WITHOUT, f"--sni-name={HOST}", f"--xml={job.report}", f"127.0.0.1:{job.port}"]


def _read_sslscan(job: Job) -> Facts:
    # The file was written by a program of this machine's packages, about a server of ours.
    test = ElementTree.parse(job.report).getroot().find("ssltest")  # noqa: S314
    if test is None:
        raise PeerError("sslscan did not reach the server")
    suites: dict[str, set[str]] = {}
    for cipher in test.iter("cipher"):
        suites.setdefault(cipher.attrib["sslversion"], set()).add(suite_name(int(cipher.attrib["id"], 16)))
    compression = test.find("compression")
    return Facts(
        protocols={_sslscan_protocol(p.attrib): p.attrib["enabled"] == "1" for p in test.iter("protocol")},
        suites={protocol: frozenset(names) for protocol, names in suites.items()},
        compression=None if compression is None else compression.attrib["supported"] == "1",
    )


def _sslscan_protocol(attributes: Mapping[str, str]) -> str:
    return f"{attributes['type'].upper()}v{attributes['version']}"


# --- testssl.sh ---------------------------------------------------------------------------------------------------

TESTSSL_SAME = ("--protocols", "--server-preference", "--cipher-per-proto", "--crime")
TESTSSL_PROTOCOLS = dict(zip(("ssl2", "ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3"), Protocol, strict=True))

TESTSSL_ORDERS = {
    "server": "server",
    "server (TLS 1.3)": "server",
    "NOT a cipher order configured": "client",
    "not a cipher order for TLS 1.3 configured": "client",
}
"""Its words for one order in all protocols; where TLS 1.3 differs, which no server here does, it has others."""


def _testssl_command(job: Job) -> list[str]:
    quiet = ("--warnings=off", "--quiet", "--color=0", "--nodns=none", "--ip=127.0.0.1")
    return ["testssl", *quiet, *TESTSSL_SAME, f"--jsonfile={job.report}", f"{HOST}:{job.port}"]


def _read_testssl(job: Job) -> Facts:
    findings: list[dict[str, Any]] = json.loads(job.report.read_text())
    told = {finding["id"]: finding["finding"] for finding in findings}
    protocols, suites = {}, dict[str, set[str]]()
    for key, text in told.items():
        protocol = TESTSSL_PROTOCOLS.get(key.lower().replace("sslv", "ssl"))
        if protocol and text.startswith(("offered", "not offered")):
            protocols[protocol.value] = text.startswith("offered")
        if suite := re.fullmatch(r"cipher-([a-z0-9_]+)_x([0-9a-f]+)", key):
            suites.setdefault(TESTSSL_PROTOCOLS[suite[1]], set()).add(suite_name(int(suite[2], 16)))
    order = TESTSSL_ORDERS.get(told.get("cipher_order", ""))
    crime = told.get("CRIME_TLS", "")
    return Facts(
        protocols=protocols,
        suites={protocol: frozenset(names) for protocol, names in suites.items()},
        orders={"all": order} if order else {},
        compression=crime.startswith("VULNERABLE") if crime.startswith(("VULNERABLE", "not vulnerable")) else None,
    )


# --- all ----------------------------------------------------------------------------------------------------------

OURS = "ours"
PEERS = (
    Peer(OURS, "ours: handshake probe", _ours_command, _read_ours, lambda: __version__),
    Peer(
        "sslyze-same",
        "sslyze: suites and compression",
        _sslyze_command(*SSLYZE_SAME),
        _read_sslyze,
        lambda: version("sslyze"),
    ),
    Peer(
        "sslyze-all",
        "sslyze: all commands",
        _sslyze_command(*SSLYZE_SAME, *SSLYZE_MORE, "--mozilla_config=disable"),
        _read_sslyze,
        lambda: version("sslyze"),
    ),
    Peer(
        "sslscan",
        "sslscan: protocols, suites, compression",
        _sslscan_command,
        _read_sslscan,
        lambda: program_version(["sslscan", "--version"], r"(\d+\.\d+\.\d+)"),
        program="sslscan",
        package="sslscan",
    ),
    Peer(
        "testssl",
        "testssl.sh: -p -P -E -C",
        _testssl_command,
        _read_testssl,
        lambda: program_version(["testssl", "--version"], r"testssl(?:\.sh)? +(?:version )?(\d[\w.]*)"),
        program="testssl",
        package="testssl.sh",
        delays=False,
        limit_seconds=600,
    ),
)
BY_NAME = {peer.name: peer for peer in PEERS}
