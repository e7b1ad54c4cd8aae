"""Silent servers next to healthy ones, over real sockets: the healthy ones are scanned as if they were alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.app import App
from exporter.model import Reason, ScanResult
from exporter.policies import read_config
from exporter.scan import scan_addresses
from tests.support.scripted import End, Stack, scripted_server
from tests.support.targets import make_environment, make_target
from tests.support.wires import full_queue

HEAD = """\
global:
  scan_interval: 1h
  scan_timeout: 1m
  timeout: 5s
  connections_per_host: 40
  vulnerability_interval: never
  max_concurrent_scans: 2
  resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}
targets:
"""
STACK = Stack({0x0303: (0xC030, 0xC02F)})
HEALTHY = 3


@asynccontextmanager
async def servers(silent: int, dropping: int) -> AsyncIterator[tuple[list[int], list[int]]]:
    """Ports of silent servers of both kinds, and those of healthy ones."""
    async with AsyncExitStack() as held:
        bad = [(await held.enter_async_context(scripted_server(lambda _: End.SILENCE))).port for _ in range(silent)]
        bad += [held.enter_context(full_queue()) for _ in range(dropping)]
        good = [(await held.enter_async_context(scripted_server(STACK))).port for _ in range(HEALTHY)]
        yield bad, good


def entry(name: str, port: int) -> str:
    return f"  - {{name: {name}, host: {name}.example, port: {port}, connect_address: 127.0.0.1}}\n"


def test_healthy_targets_do_not_wait_for_silent_ones_in_the_first_round(tmp_path: Path) -> None:
    """All of them come after the silent ones, and there are two places."""

    async def run() -> None:
        async with servers(silent=10, dropping=2) as (bad, good):
            file = tmp_path / "config.yaml"
            names = [f"silent{number}" for number in range(len(bad))]
            file.write_text(HEAD + "".join(map(entry, names, bad)))
            app = App(read_config(file), now=lambda: datetime.now(UTC))
            app.start()
            try:
                async with asyncio.timeout(30):
                    while app.schedule.gauges.running < 2:
                        await asyncio.sleep(0.01)
                healthy = {f"healthy{number}" for number in range(HEALTHY)}
                file.write_text(file.read_text() + "".join(map(entry, sorted(healthy), good)))
                assert await app.reload(file)
                async with asyncio.timeout(150):
                    while not healthy <= (scanned := {report.target.name for report in app.reports()}):
                        await asyncio.sleep(0.01)
                assert all(one.result.probes["handshake"] for one in app.reports() if one.target.name in healthy)
                assert len(scanned - healthy) <= len(names) / 2, "the other silent ones are still to be scanned"
            finally:
                await app.stop()

    asyncio.run(run())


def test_silent_ports_do_not_make_a_healthy_port_of_their_address_fail() -> None:
    """There is one place, and each silent port keeps it for a second at a time. The healthy one needs it 20 times."""

    async def run() -> ScanResult:
        async with servers(silent=3, dropping=0) as (bad, good):
            environment = make_environment()
            targets = [
                make_target(
                    port,
                    name=str(port),
                    connections_per_host=1,
                    timeout_seconds=1.0,
                    scan_timeout=timedelta(seconds=12),
                    vulnerability_interval=None,
                )
                for port in (*bad, good[0])
            ]
            scans = await asyncio.gather(*(scan_addresses(target, environment) for target in targets))
            return scans[-1][0]

    result = asyncio.run(run())
    assert result.probes["handshake"]
    assert Reason.DEADLINE_EXCEEDED not in {failure.reason for failure in result.failures}


def test_a_scan_that_waits_for_another_at_the_gate_is_not_late_and_loses_none_of_its_time() -> None:
    late: list[int] = []

    async def run() -> ScanResult:
        async with servers(silent=0, dropping=0) as (_, good):
            environment = make_environment()
            target = make_target(good[0], connections_per_host=1, scan_timeout=timedelta(seconds=8))
            async with environment.gate.admit("127.0.0.1", 1):
                waiting = asyncio.create_task(scan_addresses(target, environment, late=lambda: late.append(1)))
                await asyncio.sleep(4)
            (result,) = await waiting
            return result

    result = asyncio.run(run())
    assert "handshake" not in {failure.probe for failure in result.failures}
    assert result.elapsed_seconds is not None
    assert result.elapsed_seconds < 8
    assert late == []


@pytest.mark.parametrize("silent", [0, 1])
def test_a_scan_says_whether_the_server_is_late(silent: int) -> None:
    late: list[int] = []

    async def run() -> None:
        async with servers(silent=silent, dropping=0) as (bad, good):
            target = make_target((bad or good)[0], timeout_seconds=3.0, scan_timeout=timedelta(seconds=10))
            await scan_addresses(target, make_environment(), late=lambda: late.append(1))

    asyncio.run(run())
    assert len(late) == silent
