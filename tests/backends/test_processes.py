"""Scans in other processes give what scans in this one give, and no defect of a process becomes a fact of a target."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest

from exporter.app import App
from exporter.backends import process, processes
from exporter.backends.process import Reports
from exporter.backends.processes import ProcessBackend, ScanProcesses
from exporter.config.sections import ResolverSettings
from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.logs.trace import Trace, tracing
from exporter.model import Addresses, Facts, IpProtocol, Reason, ScanResult, Target
from exporter.net.resolve import resolve_all
from exporter.policies import read_config
from exporter.scan import scan_addresses
from tests.support.scripted import End, Hello, Reply, Seen, Stack, scripted_server
from tests.support.targets import make_environment, make_target

pytestmark = pytest.mark.real  # each process loads the program
STACK = Stack({0x0303: (0xC030, 0xC02F)})
T = TypeVar("T")


@dataclass
class Pool:
    """Processes under test, and what they reported."""

    processes: ScanProcesses
    backend: ProcessBackend
    restarts: list[None]
    lags: list[float]
    late: list[str] = field(default_factory=list)

    async def scan(self, target: Target, known: Facts | None = None) -> ScanResult:
        results = await self.backend.run(target, {None: known or Facts()}, lambda: self.late.append(target.name))
        assert len(results) == 1
        return results[0]


@asynccontextmanager
async def pool(number: int = 1) -> AsyncIterator[Pool]:
    restarts, lags = list[None](), list[float]()
    scanning = ScanProcesses(number, Reports(restarted=lambda: restarts.append(None), late=lags.append))
    scanning.use(ResolverSettings.model_validate({"nameservers": ["127.0.0.1"], "port": 9, "timeout": "100ms"}))
    try:
        yield Pool(scanning, ProcessBackend(make_environment(), scanning), restarts, lags)
    finally:
        await scanning.close()
        assert scanning.running == []


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(240):
            return await work()

    return asyncio.run(bounded())


def plain(result: ScanResult) -> ScanResult:
    """The result without times, which differ."""
    zero = result.started_at
    facts = Facts({kind: (result.facts.get(kind), zero) for kind in (HandshakeFacts,)})
    return replace(result, facts=facts, started_at=zero, ended_at=zero, elapsed_seconds=0.0)


def test_a_scan_in_a_process_gives_what_a_scan_here_gives_with_its_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ASKED_EVERY_SECONDS", 0.2)

    async def work() -> None:
        async with pool() as there, scripted_server(STACK) as server:
            target = make_target(server.port, timeout_seconds=10.0)
            here = (await scan_addresses(target, make_environment(), {}))[0]
            trace = Trace()
            with tracing(trace):
                found = await there.scan(target)
            assert replace(
                plain(found), started_at=here.started_at, ended_at=here.started_at, facts=Facts()
            ) == replace(plain(here), facts=Facts())
            assert found.facts.get(HandshakeFacts) == here.facts.get(HandshakeFacts)
            assert 'msg="probe done"' in trace.text()
            count = server.connections
            again = await there.scan(target, found.facts)  # what is known was sent along
            assert again.connections == server.connections - count
            while not there.lags:
                await asyncio.sleep(0.05)
            refused = await there.scan(replace(target, port=9, name="other"))
            assert [failure.reason for failure in refused.failures] == [Reason.CONNECT_REFUSED]
            assert there.late == []

    with caplog.at_level(logging.INFO, "exporter"):
        run(work)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_name_is_resolved_here_once_and_its_failure_is_that_of_the_scan() -> None:
    asked: list[str] = []

    async def lookup(host: str, port: int, protocol: IpProtocol) -> tuple[str, ...]:
        asked.append(host)
        if host == "gone.test.example":
            raise ProbeError(Reason.DNS_NXDOMAIN, "gone.test.example: no such name")
        return await resolve_all("127.0.0.1", port, protocol)

    async def work() -> None:
        async with pool() as there, scripted_server(STACK) as server:
            backend = ProcessBackend(replace(make_environment(), lookup=lookup), there.processes)
            target = make_target(server.port, connect_address=None, timeout_seconds=10.0)
            (found,) = await backend.run(replace(target, addresses=Addresses.ALL), {}, lambda: None)
            assert (found.address, found.addresses_found) == ("127.0.0.1", 1)
            (gone,) = await backend.run(replace(target, host="gone.test.example"), {}, lambda: None)
            assert [(one.reason, one.detail) for one in gone.failures] == [
                (Reason.DNS_NXDOMAIN, "gone.test.example: no such name")
            ]

    run(work)
    assert asked == ["www.test.example", "gone.test.example"]


def test_targets_of_one_address_share_its_connections_whatever_their_names_are() -> None:
    async def work() -> None:
        async with pool(2) as there, scripted_server(STACK) as server:
            names = [f"t{number}.test.example" for number in range(6)]
            targets = [
                make_target(server.port, name=name, host=name, connections_per_host=1, timeout_seconds=10.0)
                for name in names
            ]
            found = await asyncio.gather(*map(there.scan, targets))
            assert all(result.probes["handshake"] for result in found)
            assert server.most_at_once == 1
            assert len(there.processes.running) == 1

    run(work)


class Held:
    """Answers as `STACK` does once it may; the first hello is announced."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    def __call__(self, _hello: Hello) -> Reply:
        self.begun.set()
        return End.SILENCE


def test_a_process_that_dies_costs_its_scans_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processes, "APART_SECONDS", 0.0)

    async def work() -> None:
        held = Held()
        async with pool() as there, scripted_server(held) as silent, scripted_server(STACK) as server:
            waiting = asyncio.create_task(there.scan(make_target(silent.port, timeout_seconds=60.0)))
            await held.begun.wait()
            os.kill(there.processes.running[0], signal.SIGKILL)
            died = await waiting
            assert [(one.reason, one.detail) for one in died.failures] == [
                (Reason.WORKER_CRASHED, "the process of the scan has ended")
            ]
            assert (died.success, died.facts) == (False, Facts())
            assert (await there.scan(make_target(server.port, timeout_seconds=10.0))).probes["handshake"]
            assert len(there.restarts) == 1

    with caplog.at_level(logging.ERROR, "exporter"):
        run(work)
    assert [record.getMessage() for record in caplog.records] == ["a process for scans has ended"]


def test_a_resolver_that_comes_while_a_process_starts_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[ResolverSettings | None] = []
    tell = process.ScanProcess.use

    def use(self: process.ScanProcess, resolver: ResolverSettings | None, level: int) -> None:
        used.append(resolver)
        if len(used) == 1:
            asyncio.get_running_loop().call_soon(there[0].use, late)
        tell(self, resolver, level)

    monkeypatch.setattr(process.ScanProcess, "use", use)
    late = ResolverSettings.model_validate({"nameservers": ["127.0.0.2"], "port": 9, "timeout": "200ms"})
    there: list[ScanProcesses] = []

    async def work() -> None:
        async with pool() as one, scripted_server(STACK) as server:
            there.append(one.processes)
            assert (await one.scan(make_target(server.port, timeout_seconds=10.0))).probes["handshake"]
            assert used[-1] == late

    run(work)


def test_a_process_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ASKED_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(process, "SILENT_SECONDS", 3.0)

    async def work() -> None:
        held = Held()
        async with pool() as there, scripted_server(held) as silent:
            waiting = asyncio.create_task(there.scan(make_target(silent.port, timeout_seconds=200.0)))
            await held.begun.wait()
            os.kill(there.processes.running[0], signal.SIGSTOP)
            died = await waiting
            assert [one.detail for one in died.failures] == ["the process of the scan has not answered for 3 s"]

    run(work)


def test_a_cancelled_scan_closes_its_connections_and_a_slow_one_is_said_to_be_late() -> None:
    async def work() -> None:
        held = Held()
        async with pool() as there, scripted_server(held) as silent:
            target = make_target(silent.port, timeout_seconds=60.0)
            waiting = asyncio.create_task(there.scan(target))
            await held.begun.wait()
            while not there.late:  # the process says so after two seconds
                await asyncio.sleep(0.05)
            assert there.late == ["test"]
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await _none_open(silent)

    run(work)


async def _none_open(server: Seen) -> None:
    while server.open:
        await asyncio.sleep(0.05)


def test_processes_end_when_nobody_talks_to_them() -> None:
    async def work() -> None:
        async with pool() as there, scripted_server(STACK) as server:
            await there.scan(make_target(server.port, timeout_seconds=10.0))
            (pid,) = there.processes.running
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # systemd sends them to all processes
                os.kill(pid, number)
            assert (await there.scan(make_target(server.port, timeout_seconds=10.0))).probes["handshake"]
            assert there.processes.running == [pid]
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    run(work)


def test_the_daemon_scans_in_processes_and_shows_how_many(tmp_path: Path) -> None:
    async def work() -> str:
        async with scripted_server(STACK) as server:
            (tmp_path / "config.yaml").write_text(
                "global: {resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}}\n"
                f"targets:\n  - {{name: one, host: 127.0.0.1, port: {server.port}, vulnerability_interval: never}}\n"
            )
            app = App(read_config(tmp_path / "config.yaml"), processes=1)
            app.start()
            try:
                await app.schedule.scan_now("one")
                return app.metrics("")[0].decode()
            finally:
                await app.stop()

    lines = run(work).splitlines()
    assert "tls_posture_exporter_scan_processes 1.0" in lines
    assert "tls_posture_exporter_scan_process_restarts_total 0.0" in lines
    assert any(line.startswith("tls_posture_protocol_accepted{") for line in lines)
