"""What the daemon shows from outside: its metrics, how fast it answers, and what it uses."""

import gzip
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PAUSE_SECONDS = 0.3
KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "plain": ("/metrics", {"Accept-Encoding": "identity"}),
    "gzip": ("/metrics", {"Accept-Encoding": "gzip"}),
    "healthy": ("/-/healthy", {}),
}
"""Kind of request -> path and header fields."""


class Scraper(threading.Thread):
    """Asks for each kind of page in turn, until it is stopped.

    Attributes:
        page: the last page of metrics.
        seconds: kind -> how long each answer took.
        errors: what went wrong instead.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.page = ""
        self.seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.errors: list[str] = []
        self._port, self._stopped = port, threading.Event()

    def run(self) -> None:
        """Ask, until `stop`."""
        while not self._stopped.wait(PAUSE_SECONDS):
            for kind in KINDS:
                began = time.monotonic()
                try:
                    self._ask(kind, began)
                except (OSError, HTTPException) as error:
                    self.errors.append(f"{kind}: {type(error).__name__} after {time.monotonic() - began:.1f} s")

    def _ask(self, kind: str, began: float) -> None:
        path, fields = KINDS[kind]
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", path, headers=dict(fields))
        response = connection.getresponse()
        body = response.read()
        self.seconds[kind].append(time.monotonic() - began)
        connection.close()
        if response.status != 200:
            self.errors.append(f"{kind}: status {response.status}")
        elif kind == "gzip":
            self.page = gzip.decompress(body).decode()

    def stop(self) -> None:
        """End it, and wait for it."""
        self._stopped.set()
        self.join(70)


_SAMPLE = re.compile(r'^tls_posture_([a-z0-9_]+)\{target="([^"]+)"(?:,(.*))?\} ([^ ]+)$')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a target; `labels` without `target`."""

    family: str
    labels: Mapping[str, str]
    value: float

    def matches(self, pattern: str) -> bool:
        """Whether it is this sample: `family`, `family value` or `family{label value} value`."""
        named, _, value = pattern.partition(" ")
        family, _, label = named.rstrip("}").partition("{")
        return (
            family == self.family
            and (not value or float(value) == self.value)
            and (not label or label in self.labels.values())
        )

    def __str__(self) -> str:
        return f"{self.family}{dict(self.labels)} {self.value:g}"


def samples(page: str) -> dict[str, list[Sample]]:
    """The samples of each target."""
    found: dict[str, list[Sample]] = {}
    for line in page.splitlines():
        match = _SAMPLE.match(line)
        if match:
            labels = dict(_LABEL.findall(match[3] or ""))
            found.setdefault(match[2], []).append(Sample(match[1], labels, float(match[4])))
    return found


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan as the metrics show it.

    Attributes:
        outcomes: probe -> `success` or the reason of its failure.
        ended_at: in seconds since 1970.
    """

    ended_at: float
    seconds: float
    connections: int
    success: bool
    outcomes: Mapping[str, str]
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def began_at(self) -> float:
        """In seconds since 1970."""
        return self.ended_at - self.seconds


def scan_of(found: list[Sample]) -> Scan | None:
    """The last scan of a target, by its samples; None before its first."""
    one = {sample.family: sample.value for sample in found if not sample.labels}
    if "last_scan_timestamp_seconds" not in one:
        return None
    outcomes = {s.labels["probe"]: "success" for s in found if s.family == "probe_success" and s.value}
    outcomes |= {s.labels["probe"]: s.labels["reason"] for s in found if s.family == "probe_failure"}
    return Scan(
        one["last_scan_timestamp_seconds"],
        one["scan_duration_seconds"],
        int(one["scan_connections"]),
        bool(one["scan_success"]),
        outcomes,
        tuple(found),
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """What the daemon uses. Memory of its workers is separate."""

    own_kib: int
    workers_kib: int
    descriptors: int
    threads: int


def usage(pid: int) -> Usage:
    """What the process uses now (proc(5))."""
    process = Path("/proc") / str(pid)
    children = [int(child) for task in (process / "task").iterdir() for child in _children(task)]
    return Usage(
        resident_kib(pid),
        sum(map(resident_kib, children)),
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
    )


def resident_kib(pid: int) -> int:
    """Resident memory of a process (proc(5), statm); 0 if it has just ended."""
    try:
        pages = (Path("/proc") / str(pid) / "statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE") // 1024


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []  # the thread has just ended
