"""Loops around other scanners: what a scan of the same targets costs them, and how many of the suites they find."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench.measure import children_cpu
from bench.peers import SSLSCAN_WITHOUT
from bench.scale.daemon import tree_cpu
from bench.scale.farm import ROOT
from oracles.reports import read_sslscan, read_sslyze
from tests.support.processes import free_port, running
from tests.support.servers import HOST

LIMIT_SECONDS = 300
ANY = "any protocol"
"""Instead of a protocol, for a scanner that does not say in which one a suite is accepted."""
_TLSX_NAMES = {"tls13": "TLSv1.3", "tls12": "TLSv1.2", "tls11": "TLSv1.1", "tls10": "TLSv1.0", "ssl30": "SSLv3"}
_SUPPORTED = re.compile(r'^ssl_cipher_suite_supported\{cipher_suite="(\w+)"[^}]*\} 1$', re.MULTILINE)

Suites = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class PeerCost:
    """What a scanner needed.

    Attributes:
        scans: how many.
        cpu: seconds of all of them, without the start of a program that scans many.
        suites: of the first target.
        missing: why there are no figures.
    """

    name: str
    scans: int = 0
    cpu: float = 0.0
    suites: Suites = field(default_factory=dict)
    missing: str = ""

    @property
    def scan_cpu(self) -> float:
        """Seconds of CPU of one scan."""
        return self.cpu / self.scans if self.scans else 0.0


def found(theirs: Suites, ours: Suites) -> tuple[int, int, int]:
    """How many of our suites they found too, how many we found, and how many only they found."""
    if ANY in theirs:
        us, them = frozenset[str]().union(*ours.values()), theirs[ANY]
        return len(us & them), len(us), len(them - us)
    pairs = {(protocol, name) for protocol, names in ours.items() for name in names}
    other = {(protocol, name) for protocol, names in theirs.items() for name in names}
    return len(pairs & other), len(pairs), len(other - pairs)


def _sslyze(which: str) -> Callable[[Path, Sequence[str]], PeerCost]:
    def measure(folder: Path, places: Sequence[str]) -> PeerCost:
        notes, report = folder / "notes", folder / "report"
        command = [sys.executable, "-m", "bench.scale.sslyze_loop", which, str(notes), str(report), *places]
        _run(command)
        told = json.loads(notes.read_text())
        return PeerCost("", told["scans"], told["cpu"], _named(read_sslyze(report).suites))

    return measure


def _sslscan(folder: Path, places: Sequence[str]) -> PeerCost:
    report, before = folder / "report", children_cpu()
    for number, place in enumerate(places):
        output = report if number == 0 else folder / "other"
        _run(["sslscan", *SSLSCAN_WITHOUT, f"--sni-name={HOST}", f"--xml={output}", place])
    return PeerCost("", len(places), children_cpu() - before, _named(read_sslscan(report).suites))


def _ssl_exporter(folder: Path, places: Sequence[str]) -> PeerCost:
    port, config = free_port(), folder / "ssl.yaml"
    probe = {"prober": "tls_cipher", "tls_cipher": {"cipher_set": "all", "key_exchange_set": "all"}}
    config.write_text(json.dumps({"modules": {"tls_cipher": probe}}))
    program = shutil.which("ssl_exporter") or ""
    command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, folder / "log", port=port) as process:
        before, pages = tree_cpu(process.pid), []
        for place in places:
            connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
            connection.request("GET", f"/probe?module=tls_cipher&target={place}")
            pages.append(connection.getresponse().read().decode())
            connection.close()
        spent = tree_cpu(process.pid) - before
    return PeerCost("", len(places), spent, {ANY: frozenset(_SUPPORTED.findall(pages[0]))})


def _tlsx(folder: Path, places: Sequence[str]) -> PeerCost:
    targets, before = folder / "targets", children_cpu()
    targets.write_text("\n".join(places) + "\n")
    command = ["tlsx", "-l", str(targets), "-ve", "-ce", "-json", "-silent", "-duc", "-sni", HOST, "-c", "4"]
    lines = [json.loads(line) for line in _run(command).splitlines() if line.startswith("{")]
    suites: dict[str, frozenset[str]] = {}
    for part in lines[0]["cipher_enum"] if lines else ():
        names = (name for several in part["ciphers"].values() for name in several if name.startswith("TLS_"))
        suites[_TLSX_NAMES.get(part["version"], part["version"])] = frozenset(names)
    return PeerCost("", len(lines), children_cpu() - before, suites)


PEERS: Mapping[str, tuple[str, Callable[[Path, Sequence[str]], PeerCost]]] = {
    "sslyze": ("", _sslyze("same")),
    "sslyze-all": ("", _sslyze("all")),
    "sslscan": ("sslscan", _sslscan),
    "ssl_exporter": ("ssl_exporter", _ssl_exporter),
    "tlsx": ("tlsx", _tlsx),
}
"""Name -> its program, empty for a Python module, and a function that scans these places with it."""
HOW = {
    "sslscan": "the Debian package sslscan is not installed",
    "ssl_exporter": "ssl_exporter is not on PATH (docs/scale.md says how it is built)",
    "tlsx": "tlsx is not on PATH (docs/scale.md says how it is built)",
}


def measure_peer(name: str, folder: Path, places: Sequence[str]) -> PeerCost:
    """What this scanner needs for these targets, or why it has no figures."""
    program, measure = PEERS[name]
    if program and not shutil.which(program):
        return PeerCost(name, missing=HOW[name])
    folder.mkdir()
    try:
        cost = measure(folder, places)
    except (OSError, ValueError, KeyError, LookupError, subprocess.SubprocessError, AssertionError) as error:
        return PeerCost(name, missing=f"failed: {type(error).__name__}: {str(error)[:200]}")
    return PeerCost(name, cost.scans, cost.cpu, cost.suites, "" if cost.scans else "it reported nothing")


def _named(suites: Mapping[str, frozenset[str]]) -> Suites:
    return {str(protocol): names for protocol, names in suites.items() if names}


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - a command of this module
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode not in {0, 1}:
        raise OSError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr[-300:]}")
    return done.stdout
