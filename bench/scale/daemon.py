"""The daemon as a process of its own, with a store and lists of targets, and what it uses as the kernel counts it."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.scale.farm import ROOT, Group, ScaleFarm, group
from tests.support.processes import end, free_port, start, wait_for

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
START_SECONDS = STOP_SECONDS = 300
ANSWER_SECONDS = 300
MAX_AGE = "72h"
"""As with an interval of a day. Facts of busy targets would be too old after half a minute, and that is recorded."""
BUSY_INTERVAL = "10s"
"""The shortest that the configuration allows."""
_OWN = re.compile(r"^(tls_posture_exporter_\w+|process_\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Setting:
    """How the daemon is configured.

    Attributes:
        attacks: the `vulnerability_interval`.
        concurrent: `max_concurrent_scans`.
        flags: further ones of `serve`.
        timeout: limit of one read.
        interval: of targets that are not busy.
        scan_timeout: limit of one scan.
    """

    attacks: str = "never"
    concurrent: int = 40
    flags: tuple[str, ...] = ()
    timeout: str = "2s"
    interval: str = "24h"
    scan_timeout: str = "10s"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a scrape: its text, its bytes on the wire, and how long it took."""

    text: str
    size: int
    seconds: float

    def own(self, name: str) -> float:
        """The sum of the samples with this name, which is without the prefix of the exporter's own metrics."""
        found = (value for family, _, value in _OWN.findall(self.text) if family == f"tls_posture_exporter_{name}")
        return sum(map(float, found))

    def buckets(self, name: str) -> Mapping[float, float]:
        """The buckets of a histogram: upper limit -> count."""
        wanted = f"tls_posture_exporter_{name}_bucket"
        return {
            float(labels.split('"')[1]): float(value)
            for family, labels, value in _OWN.findall(self.text)
            if family == wanted
        }

    @property
    def rests(self) -> bool:
        """Whether no scan runs or waits."""
        return self.own("scans_running") + self.own("scans_waiting") == 0

    @property
    def targets(self) -> int:
        """Targets with a scan."""
        return self.text.count("\ntls_posture_scan_success{")

    @property
    def series(self) -> int:
        """Series about targets."""
        return self.text.count('{target="')


class ScaleDaemon:
    """The daemon, with lists of targets that it watches: `rest`, which are scanned once, and `busy` ones."""

    def __init__(self, folder: Path, farm: ScaleFarm, setting: Setting, tree: Path = ROOT) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self._farm, self._setting, self._tree = folder, farm, setting, tree
        self.port = free_port()
        self.log = folder / "log"
        self.storage = folder / "storage"
        self.config = folder / "exporter.yaml"
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, note: str = "first") -> None:
        """Write the configuration. It has one target of its own, whose label `note` a reload can change."""
        setting = self._setting
        settings = {
            "scan_interval": setting.interval,
            "scan_timeout": setting.scan_timeout,
            "timeout": setting.timeout,
            "max_age": MAX_AGE,
            "vulnerability_interval": setting.attacks,
            "max_concurrent_scans": setting.concurrent,
            "ca_file": str(self._farm.bundle),
            "resolver": {"nameservers": ["127.0.0.1"], "port": 9, "timeout": "1s"},
        }
        own = {"host": "127.63.0.1", "port": self._farm.ports["refused"], "protocol": "https", "labels": {"note": note}}
        lists = [{"files": [str(self.folder / "*.json")], "allow_empty": True}]
        _write(self.config, json.dumps({"global": settings, "targets": [own], "file_sd_configs": lists}))

    def list_targets(self, name: str, targets: Sequence[str], *, busy: bool = False) -> None:
        """Write a list of targets; busy ones are scanned every ten seconds."""
        labels = {"__scan_interval__": BUSY_INTERVAL} if busy else {}
        self.list_groups(name, group(targets, **labels))

    def list_groups(self, name: str, *several: Group) -> None:
        """Write a list of these groups."""
        _write(self.folder / f"{name}.json", json.dumps(several))

    def start(self) -> None:
        """Start it; it may not be ready yet."""
        own = self._tree / ".venv" / "bin" / "python"
        command = [str(own) if own.exists() else sys.executable, "-m", "exporter", "serve"]
        command += [f"--config.file={self.config}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--storage.path={self.storage}", "--web.enable-lifecycle", "--log.level=warning"]
        with self.log.open("ab") as log:
            environment = {"PYTHONPATH": str(self._tree)}
            self.process = start([*command, *self._setting.flags], log, folder=self.folder, environment=environment)

    @property
    def pid(self) -> int:
        """The process; fails if it has ended."""
        assert self.process is not None  # noqa: S101 - a mistake of the caller
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon ended: {self.log.read_text(errors='replace')[-2000:]}")
        return self.process.pid

    def wait_until(self, path: str) -> None:
        """Wait until this path is answered with 200."""
        give_up = time.monotonic() + START_SECONDS
        while self._status(path) != 200:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{path} is not answered")
            time.sleep(0.02)

    def _status(self, path: str) -> int:
        try:
            return self.ask("GET", path)[0]
        except OSError:
            return int(self.pid < 0)  # which fails if it has ended

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, bytes]:
        """One request: the status and the body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def scrape(self, encoding: str = "gzip") -> Page:
        """One scrape as Prometheus does it."""
        begun = time.monotonic()
        status, body = self.ask("GET", "/metrics", Accept_Encoding=encoding)
        took = time.monotonic() - begun
        if status != 200:
            raise RuntimeError(f"/metrics is answered with {status}")
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return Page(text.decode(), len(body), took)

    def reload(self) -> None:
        """Read the configuration again, and wait for it."""
        status, body = self.ask("POST", "/-/reload")
        if status != 200:
            raise RuntimeError(f"the reload failed: {body.decode(errors='replace')[:500]}")

    def hang_up(self) -> None:
        """Send SIGHUP."""
        os.kill(self.pid, signal.SIGHUP)

    def cpu(self) -> float:
        """Seconds of CPU of the daemon and of all processes that it started."""
        return tree_cpu(self.pid)

    def stop(self) -> tuple[float, float]:
        """End it by SIGTERM: seconds, and seconds of CPU until it ended."""
        pid, before, begun = self.pid, self.cpu(), time.monotonic()
        assert self.process is not None  # noqa: S101 - `pid` has checked it
        os.kill(pid, signal.SIGTERM)
        last = before
        give_up = begun + STOP_SECONDS
        while self.process.poll() is None and time.monotonic() < give_up:
            last = max(last, tree_cpu(pid))
            time.sleep(0.01)
        took = time.monotonic() - begun
        self.end()
        return took, last - before

    def end(self) -> None:
        """Kill what is left of it."""
        if self.process is not None:
            end(self.process)
            self.process = None

    def stored_bytes(self) -> int:
        """Bytes of its store on disk."""
        return sum(file.stat().st_size for file in self.storage.glob("*") if file.is_file())

    def await_targets(self, number: int, seconds: float = START_SECONDS) -> None:
        """Wait until it has this many targets."""
        wait_for(f"{number} targets", seconds, lambda: self.scrape().own("targets") == number)


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text)
    part.rename(file)


def children(pid: int) -> list[int]:
    """The processes that this one started and that run."""
    found: list[int] = []
    try:
        for task in (Path("/proc") / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        pass  # it, or one of its threads, has just ended
    return found


def tree_cpu(pid: int) -> float:
    """Seconds of CPU of a process and of those that it started, with those that have ended (proc(5), stat)."""
    try:
        values = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own = sum(map(int, values[11:15])) * TICK_SECONDS  # utime, stime, cutime, cstime
    return own + sum(map(tree_cpu, children(pid)))


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory of a process and the most it has had, in MiB (proc(5), status)."""
    text = (Path("/proc") / str(pid) / "status").read_text()
    now, peak = (re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE) for key in ("VmRSS", "VmHWM"))
    return tuple(int(found[1]) / 1024 if found else 0.0 for found in (now, peak))  # type: ignore[return-value]
