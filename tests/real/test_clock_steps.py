"""The system's clock is set under a running daemon: scans go on, no verdict becomes wrong, no alert is untrue.

Debian's libfaketime sets the clock of the daemon alone. The server and the test keep the true time. The alerts are seen
from two sides: a Prometheus on another machine has the true time, one on the same machine has the daemon's.
"""

import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.certificates import dns, issue, pem_file
from tests.support.faked_clock import FakedClock, library
from tests.support.processes import free_port, running, wait_for
from tests.support.servers import HOST, nginx
from tests.support.step_alerts import Scrape, firing

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

HOUR, DAY, YEAR = 3600, 86_400, 365 * 86_400
LONG = (0, 1, -1, HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR, 0)
STEPS = LONG if os.environ.get("CLOCK_STEPS") == "all" else (0, -1, HOUR, -DAY, YEAR, 0)
"""What the daemon's clock is ahead of the true time, one after the other: steps of each size, and back. The long
form (`make clocks`) has them both ways."""
SETTLED_WITHIN_SECONDS = 150
"""For a busy machine, where scans may end at their deadline. Else a scan begins within 8 seconds, and takes 0.4."""
BEFORE_MINUTES, AFTER_MINUTES = 10, 80
"""How long all is as it was, and as it is then: longer than the hour for which facts count, and than each `for:` of an
alert that can fire here. Before the step it is too short for TLSPostureScanStale, which then is about the new time."""

POLICY = """
name: lasting
title: Demands without dates
version: "1"
source: this test
checks:
  protocols: {severity: critical, source: "1", allowed: [TLSv1.3]}
  certificate_valid: {severity: critical, source: "2"}
  certificate_expiry: {severity: warning, source: "3", min_days: 1, min_lifetime_share: 0.01}
"""
CONFIG = """
global:
  scan_interval: 8s
  max_age: 1m
  vulnerability_interval: never
  ca_file: ca.pem
  policy: ./lasting.yaml
targets:
  - {{name: www, host: 127.0.0.1, server_name: {host}, port: {port}}}
"""
COMPLIANT = 'tls_posture_compliant{policy="lasting",target="www"}'
LAST_SCAN = 'tls_posture_last_scan_timestamp_seconds{target="www"}'
_MAY_DIFFER = re.compile(r"tls_posture_(scan_|probe_|last_|exporter_|check_unknown)")
"""What two scans of the same server need not have in common. A scan can fail on a busy machine; then checks are unknown
until the next one."""


def verdicts(scrape: Scrape) -> dict[str, float]:
    """What the server decides. It is the same after each scan."""
    return {name: value for name, value in scrape.values.items() if not _MAY_DIFFER.match(name)}


def _is_complete(scrape: Scrape) -> bool:
    """Whether every probe has given facts, and nothing waits to be written: the scrape is repeated as if for hours."""
    if scrape.values["tls_posture_exporter_store_pending_targets{}"]:
        return False
    probes = [value for name, value in scrape.values.items() if name.startswith("tls_posture_probe_success{")]
    return bool(probes) and set(probes) == {1} and COMPLIANT in scrape.values


class Daemon:
    """`serve` under a clock that is set, and what it shows.

    Attributes:
        clock: what the daemon sees.
        scrapes: each with the true time; only those that say something new of the target.
    """

    def __init__(self, folder: Path, server: int, *options: str) -> None:
        self.folder, self.clock = folder, FakedClock(folder)
        self.scrapes: list[Scrape] = []
        self._port = free_port()
        (folder / "lasting.yaml").write_text(POLICY)
        (folder / "exporter.yaml").write_text(CONFIG.format(host=HOST, port=server))
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={folder}/exporter.yaml"]
        self._command = [*command, f"--web.listen-address=127.0.0.1:{self._port}", *options]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        log = self.folder / f"exporter-{time.monotonic_ns()}.log"
        with running(self._command, log, port=self._port, environment=self.clock.environment) as process:
            yield process
        said = log.read_text()
        assert "Traceback" not in said, said
        assert set(re.findall(r"reason=(\w+)", said)) <= {"deadline_exceeded"}, said

    def scrape(self) -> Scrape:
        at = time.time()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
            scrape = Scrape.of(answer.read().decode(), at)
        if not self.scrapes or not scrape.says_as(self.scrapes[-1]):
            self.scrapes.append(scrape)
        return scrape

    def settle(self, expected: Mapping[str, float] | None = None) -> Scrape:
        """The first scrape of a scan that ended after now by the daemon's clock, with all that is expected.

        Until then, what is shown is as expected or absent.
        """
        since = self.clock.now()

        def settled() -> Scrape | None:
            one = self.scrape()
            known = verdicts(one)
            assert expected is None or known.items() <= expected.items(), known.items() - expected.items()
            complete = _is_complete(one) and (expected is None or known == expected)
            return one if complete and since <= one.values.get(LAST_SCAN, 0) <= self.clock.now() else None

        what = f"a scan by a clock that is {self.clock.ahead_seconds} s ahead"
        found = wait_for(what, SETTLED_WITHIN_SECONDS, settled)
        assert found is not None
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """A server whose certificates are valid for ten years both ways; gives its port."""
    now, long = datetime.now(UTC), timedelta(days=3650)
    authority = issue("Test CA", ca=True, valid=(now - long, now + long))
    leaf = issue(HOST, authority, names=dns(HOST), valid=(now - long, now + long))
    pem_file(tmp_path / "ca.pem", authority)
    with nginx(tmp_path, "ssl_protocols TLSv1.3;", [pem_file(tmp_path / "server.pem", leaf, key=leaf)]) as port:
        yield port


def test_scans_go_on_and_no_alert_is_untrue_when_the_clock_is_set(tmp_path: Path, server: int) -> None:
    """With Prometheus on another machine, alerts say that one of the two clocks is wrong."""
    daemon = Daemon(tmp_path, server, f"--storage.path={tmp_path}/data")
    histories, expected_alerts = dict[str, list[Scrape]](), dict[str, set[str]]()
    with daemon.running():
        before = daemon.settle()
        expected = verdicts(before)
        assert expected[COMPLIANT] == 1
        for old, ahead in pairwise(STEPS):
            daemon.scrapes.clear()
            daemon.clock.set(ahead)
            after = daemon.settle(expected)
            elsewhere, same = f"{old} to {ahead} elsewhere", f"{old} to {ahead} on the same machine"
            since = daemon.scrapes[:-1]
            histories[elsewhere] = [before.lasting(BEFORE_MINUTES), *since, after.lasting(AFTER_MINUTES)]
            histories[same] = [one.lasting(1, ahead) for one in since] + [after.lasting(AFTER_MINUTES, ahead)]
            wrong = {"TLSPostureClockWrong"} if abs(ahead) >= HOUR else set[str]()
            expected_alerts[elsewhere] = wrong | ({"TLSPostureScanStale"} if ahead >= HOUR else set())
            expected_alerts[same] = set()
            before = after
    found = firing(tmp_path, histories)
    # How old the tables of releases are is true by each clock of Prometheus.
    assert {history: alerts - {"TLSPostureDataFilesOld"} for history, alerts in found.items()} == expected_alerts


def test_a_restart_under_another_clock_shows_no_facts_of_the_future_and_loses_no_history(
    tmp_path: Path, server: int
) -> None:
    folder = tmp_path / "data"
    daemon = Daemon(tmp_path, server, f"--storage.path={folder}", "--storage.retention=30d")
    with daemon.running() as process:
        expected = verdicts(daemon.settle())
        process.kill()
    with closing(sqlite3.connect(folder / "exporter.db")) as database, database:
        change = (time.time() - DAY, "www", "", "grade ", '"A"', '"B"')
        database.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)", change)
    for ahead in (YEAR, 0):
        daemon.scrapes.clear()
        daemon.clock.set(ahead)
        with daemon.running() as process:
            daemon.settle(expected)
            for one in daemon.scrapes:
                of_the_future = one.values.get(LAST_SCAN, 0) > one.at + ahead + HOUR
                assert COMPLIANT not in one.values or not of_the_future
            process.kill()
        with closing(sqlite3.connect(folder / "exporter.db")) as database:
            assert change in database.execute("SELECT * FROM changes").fetchall()


def test_the_library_that_sets_the_clock_is_installed() -> None:
    assert library().is_file()
