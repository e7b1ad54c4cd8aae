"""Workers that crash, hang, eat memory and lie, under a whole daemon: the others do not notice."""

import asyncio
import logging
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from exporter.app import App
from exporter.model import Reason, Report, Verdict
from exporter.workers import WorkerLimits, Workers
from tests.support.scripted import Stack, scripted_server
from tests.test_app import Fixture, entry, text
from tests.workers.test_pool import NO_NASSL, children, no_worker_is_left

EVIL = ("segfault", "garbage", "eats_memory", "stuck_in_native_code")
FINE = tuple(f"fine{number}" for number in range(6))
STACK = Stack({0x0303: (0xC030, 0xC02F)})


@pytest.fixture
def evil_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "EvilApp":
    limits = WorkerLimits(memory_bytes=256 << 20)
    monkeypatch.setattr("exporter.app.Workers", partial(Workers, "tests.support.evil_attacks", limits))
    return EvilApp(tmp_path)


class EvilApp:
    """A daemon on one scripted server, known by the names of what it does to workers."""

    def __init__(self, folder: Path) -> None:
        self._fixture = Fixture(folder)

    def make(self, port: int, names: tuple[str, ...]) -> App:
        targets = "".join(entry(name, port, ", scan_timeout: 15s") for name in names)
        return App(self._fixture.write(targets), now=self._fixture.clock)


def tried(report: Report) -> bool | None:
    return report.result.probes.get("vulnerabilities")


def test_bad_workers_cost_their_own_probe_alone(evil_app: EvilApp) -> None:
    pauses: list[float] = []

    async def scrape(app: App) -> None:
        """/metrics, all the time; how long it was not to be had."""
        last = time.monotonic()
        while True:
            assert "tls_posture_target_info" in text(app)
            await asyncio.sleep(0.01)
            pauses.append(time.monotonic() - last)
            last = time.monotonic()

    async def run() -> dict[str, Report]:
        async with scripted_server(STACK) as seen:
            app = evil_app.make(seen.port, (*EVIL, *FINE))
            app.start()
            scraping = asyncio.create_task(scrape(app))
            try:
                async with asyncio.timeout(100):
                    while app.counts()[1] < len(EVIL) + len(FINE):
                        await asyncio.sleep(0.02)
                assert f"tls_posture_exporter_worker_restarts_total {len(EVIL):.1f}" in text(app)
                return {report.target.name: report for report in app.reports()}
            finally:
                scraping.cancel()
                await app.stop()

    reports = asyncio.run(run())
    assert {name: tried(reports[name]) for name in FINE} == dict.fromkeys(FINE, True)
    failures = {
        name: [f.reason for f in reports[name].result.failures if f.probe == "vulnerabilities"] for name in EVIL
    }
    assert failures == {
        "segfault": [Reason.WORKER_CRASHED],
        "garbage": [Reason.WORKER_CRASHED],
        "eats_memory": [Reason.WORKER_CRASHED],
        "stuck_in_native_code": [Reason.DEADLINE_EXCEEDED],
    }
    for report in reports.values():
        assert report.result.duration_seconds < 20, "within the deadline of the scan, and what a busy machine takes"
        assert report.result.probes["handshake"], "what the other probes saw is there"
    assert max(pauses) < 10, "a stuck worker, which stays for 15 s, does not stop the event loop"
    no_worker_is_left()


def test_without_nassl_only_the_attacks_that_have_to_be_tried_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same server twice: with a library that tries them, and without."""

    async def judged(module: str) -> tuple[Report, str]:
        monkeypatch.setattr("exporter.app.Workers", partial(Workers, module, WorkerLimits(memory_bytes=256 << 20)))
        async with scripted_server(STACK) as seen:
            app = EvilApp(tmp_path).make(seen.port, ("fine",))
            app.start()
            try:
                async with asyncio.timeout(100):
                    while app.counts()[1] < 1:
                        await asyncio.sleep(0.02)
                return app.reports()[0], text(app)
            finally:
                await app.stop()

    (there, with_it), (here, page) = asyncio.run(judged("tests.support.evil_attacks")), asyncio.run(judged(NO_NASSL))
    [failure] = [one for one in here.result.failures if one.probe == "vulnerabilities"]
    assert failure.reason is Reason.LIBRARY_UNAVAILABLE
    assert "import of nassl" in failure.detail
    assert 'reason="library_unavailable"' in page
    assert "tls_posture_exporter_worker_restarts_total 0.0" in page
    known, less = (
        dict(re.findall(r'^tls_posture_vulnerable{.*vulnerability="(\w+)"} (\S+)', one, re.MULTILINE))
        for one in (with_it, page)
    )
    assert known.keys() - less.keys() == {"ccs_injection", "client_renegotiation"}, (
        "those that this server makes possible"
    )
    assert less == {name: value for name, value in known.items() if name in less}
    verdicts = [{one.check: one.verdict for one in report.findings} for report in (there, here)]
    assert verdicts[0].keys() == verdicts[1].keys()
    assert {verdicts[1][check] for check in verdicts[0] if verdicts[0][check] != verdicts[1][check]} <= {
        Verdict.UNKNOWN
    }


def test_the_daemon_shows_how_its_workers_are_protected(evil_app: EvilApp, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> str:
        async with scripted_server(STACK) as seen:
            app = evil_app.make(seen.port, ("segfault", *FINE[:2]))
            assert "worker_protection{" not in text(app)
            app.start()
            try:
                async with asyncio.timeout(100):
                    while len(app.reports()) < 3:
                        await asyncio.sleep(0.02)
                return text(app)
            finally:
                await app.stop()

    with caplog.at_level(logging.INFO, "exporter"):
        page = asyncio.run(run())
    assert 'tls_posture_exporter_worker_protection{protection="seccomp"} 1.0' in page
    assert 'tls_posture_exporter_worker_protection{protection="landlock"}' in page
    logged = [record.getMessage() for record in caplog.records if "protections" in record.getMessage()]
    assert len(logged) == 1, "one line, however many workers start"
    assert "seccomp is on" in logged[0]


def test_a_daemon_that_stops_takes_its_workers_along(evil_app: EvilApp) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as seen:
            app = evil_app.make(seen.port, ("stuck_in_native_code",))
            app.start()
            async with asyncio.timeout(100):
                while not children():
                    await asyncio.sleep(0.02)
            await app.stop()

    asyncio.run(run())
    no_worker_is_left()


def test_this_process_never_loads_sslyze_s_openssl() -> None:
    """It parses hostile bytes with code of 2015."""
    program = (
        "import sys, exporter.cli.command, exporter.cli.scan, exporter.cli.serve, exporter.cli.demo\n"
        "import exporter.probes.registry, exporter.workers.pool\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(', '.join(sorted(loaded & {'nassl', 'sslyze', 'tls_parser'})) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
