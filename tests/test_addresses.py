"""Hosts with several addresses, from the scan to the page: each on its own, and what they disagree on."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.__main__ import main
from exporter.app import App
from exporter.facts.dns import DnsFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.model import MOST_ADDRESSES, Addresses, IpProtocol, Reason, ScanResult
from exporter.net.resolve import resolve_all
from exporter.policies import read_config
from exporter.scan import Environment, scan_addresses
from tests.support.addresses import Names, shared_port
from tests.support.clock import MovedLoop
from tests.support.names import name_server
from tests.support.processes import free_port
from tests.support.scripted import End, Script, Stack, scripted_server
from tests.support.servers import SEED_NGINX, WEAK_NGINX, make_pki, nginx
from tests.support.targets import make_environment, make_target

HERE, THERE, SIX = "127.0.0.1", "127.0.0.2", "::1"
NOBODY = "127.0.0.11"
"""A loopback address that nobody listens at."""
GOOD = Stack({0x0303: (0xC030, 0xC02F)})
OLD = Stack({0x0303: (0xC030, 0xC02F), 0x0302: (0xC014,)})


@asynccontextmanager
async def machines(scripts: Mapping[str, Script]) -> AsyncIterator[int]:
    """A scripted server at each address; gives the port that they share."""
    async with AsyncExitStack() as stack:
        upstreams = {
            address: (await stack.enter_async_context(scripted_server(script))).port
            for address, script in scripts.items()
        }
        yield await stack.enter_async_context(shared_port(upstreams))


# --- the scan ---------------------------------------------------------------------------------------------------------


def looking_up(names: Names, dns_port: int = 9) -> Environment:
    return replace(make_environment(dns_port), lookup=names)


async def scanned(port: int, environment: Environment, **changes: Any) -> dict[str | None, ScanResult]:  # noqa: ANN401 - any field of Target
    fields = {"addresses": Addresses.ALL, "connect_address": None, "timeout_seconds": 5.0, **changes}
    return {one.address: one for one in await scan_addresses(make_target(port, **fields), environment)}


def test_each_address_is_scanned_on_its_own_and_by_number() -> None:
    async def run() -> dict[str | None, ScanResult]:
        async with machines({HERE: GOOD, THERE: OLD, SIX: GOOD}) as port:
            return await scanned(port, looking_up(Names(SIX, THERE, HERE)))

    found = asyncio.run(run())
    assert list(found) == [HERE, THERE, SIX]
    seen = {address: result.facts.get(HandshakeFacts) for address, result in found.items()}
    assert {address: one and one.protocols["TLSv1.1"] for address, one in seen.items()} == {  # type: ignore[index]
        HERE: False,
        THERE: True,
        SIX: False,
    }
    assert {result.addresses_found for result in found.values()} == {3}


def test_waiting_for_another_scan_of_one_address_takes_no_time_from_the_next_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.scan.RESERVED_SHARE", 0.01)

    async def run() -> dict[str | None, ScanResult]:
        async with machines({HERE: lambda _: End.SILENCE, THERE: GOOD}) as port:
            environment = looking_up(Names(HERE, THERE))
            fields = {"connections_per_host": 1, "timeout_seconds": 20.0, "scan_timeout": timedelta(seconds=12)}
            async with environment.gate.admit(HERE, 1):
                scan = asyncio.create_task(scanned(port, environment, **fields))
                await asyncio.sleep(6.5)  # this address has six
            return await scan

    found = asyncio.run(run())
    assert not found[HERE].probes["handshake"]
    assert Reason.DEADLINE_EXCEEDED not in {failure.reason for failure in found[THERE].failures}


def test_the_name_is_looked_up_once_and_its_records_too() -> None:
    async def run() -> None:
        async with machines({HERE: GOOD, THERE: GOOD}) as port, name_server({}) as (dns_port, asked):
            names = Names(NOBODY, HERE, THERE)
            found = await scanned(port, looking_up(names, dns_port))
            assert names.asked == [("www.test.example", IpProtocol.ANY)]
            assert asked == ["www.test.example", "test.example", "example"]
            assert found[HERE].facts.seen_at(DnsFacts) == found[THERE].facts.seen_at(DnsFacts)
            assert found[HERE].probes["dns"] is found[THERE].probes["dns"] is True
            assert "dns" not in found[NOBODY].probes

    asyncio.run(run())


def test_an_address_that_fails_costs_the_others_nothing() -> None:
    async def run() -> dict[str | None, ScanResult]:
        async with machines({THERE: GOOD}) as port:
            return await scanned(port, looking_up(Names(NOBODY, THERE, SIX)))

    found = asyncio.run(run())
    assert {address: [one.reason for one in result.failures][:1] for address, result in found.items()} == {
        NOBODY: [Reason.CONNECT_REFUSED],
        THERE: [Reason.HANDSHAKE_ERROR],  # a scripted server has no certificate to show
        SIX: [Reason.CONNECT_REFUSED],
    }
    assert found[THERE].facts.get(HandshakeFacts) is not None


def test_a_silent_address_has_its_share_of_the_time_and_no_more() -> None:
    async def run() -> dict[str | None, ScanResult]:
        async with machines({HERE: lambda _hello: End.SILENCE, THERE: GOOD}) as port:
            changes = {"timeout_seconds": 30.0, "scan_timeout": timedelta(seconds=8)}
            return await scanned(port, looking_up(Names(HERE, THERE)), **changes)

    found = asyncio.run(run())
    assert [one.reason for one in found[HERE].failures] == [Reason.DEADLINE_EXCEEDED]
    assert found[HERE].duration_seconds < 8, "the time of all"
    assert found[THERE].facts.get(HandshakeFacts) is not None
    assert found[THERE].target.scan_timeout == timedelta(seconds=8)


def test_a_name_with_very_many_addresses_shows_the_same_few_each_time(caplog: pytest.LogCaptureFixture) -> None:
    many = tuple(f"127.0.1.{number}" for number in range(1, 101))

    async def run() -> tuple[list[str | None], list[str | None]]:
        port = free_port()
        first = await scanned(port, looking_up(Names(*many)))
        assert {result.addresses_found for result in first.values()} == {100}
        return list(first), list(await scanned(port, looking_up(Names(*many[50:], *many[:50]))))

    with caplog.at_level(logging.WARNING):
        first, second = asyncio.run(run())
    assert first == second
    assert len(first) == MOST_ADDRESSES
    assert "the target has 100 addresses, 16 of them are scanned" in caplog.messages


@pytest.mark.parametrize("reason", [Reason.DNS_NXDOMAIN, Reason.DNS_ERROR])
def test_a_name_that_does_not_resolve_is_one_failure_without_address(reason: Reason) -> None:
    names = Names()
    names.answer = reason
    (result,) = asyncio.run(scanned(443, looking_up(names))).values()
    assert (result.address, result.addresses_found, result.success, result.connections) == (None, None, False, 0)
    assert [(one.probe, one.reason) for one in result.failures] == [("handshake", reason)]
    assert result.probes == {"handshake": False}


def test_a_lookup_without_end_meets_the_deadline() -> None:
    async def never(_host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        await asyncio.Event().wait()
        raise AssertionError

    environment = replace(make_environment(), lookup=never)
    (result,) = asyncio.run(scanned(443, environment, scan_timeout=timedelta(seconds=0.1))).values()
    assert [one.reason for one in result.failures] == [Reason.DEADLINE_EXCEEDED]


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"host": HERE, "server_name": None}, HERE),
        ({"host": "::ffff:127.0.0.1", "server_name": None}, HERE),
        ({"host": SIX, "server_name": None}, SIX),
        ({"connect_address": SIX}, SIX),
    ],
)
def test_a_host_that_is_an_address_has_that_one(changes: dict[str, Any], address: str) -> None:
    environment = replace(make_environment(), lookup=resolve_all)
    (result,) = asyncio.run(scanned(free_port(), environment, **changes)).values()
    assert (result.address, result.addresses_found) == (address, 1)


def test_one_address_is_scanned_unless_all_are_asked_for() -> None:
    async def run() -> dict[str | None, ScanResult]:
        async with machines({THERE: GOOD}) as port:
            return await scanned(port, looking_up(Names(NOBODY, THERE)), addresses=Addresses.ONE)

    (result,) = asyncio.run(run()).values()
    assert (result.address, result.addresses_found) == (None, None)
    assert result.facts.get(HandshakeFacts) is not None


# --- the daemon -------------------------------------------------------------------------------------------------------


class Fixture:
    """A daemon over one target `a`, whose addresses and configuration the test can change."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.names = Names(HERE, THERE)

    def write(self, port: int, more: str = "addresses: all", *, interval: str = "1m", attacks: str = "never") -> None:
        timeout = "5s" if attacks == "never" else "1s"  # a scripted server leaves most messages unanswered
        self.file.write_text(
            f"global: {{scan_interval: {interval}, timeout: {timeout}, max_age: 1h, vulnerability_interval: {attacks},"
            f" resolver: {{nameservers: [127.0.0.1], port: 9, timeout: 100ms}}}}\n"
            f"targets:\n  - {{name: a, host: a.example, port: {port}, labels: {{team: web}}, {more}}}\n"
        )

    def run(
        self, scripts: Mapping[str, Script], steps: Callable[[App, int], Awaitable[None]], *, attacks: str = "never"
    ) -> None:
        async def run() -> None:
            async with machines(scripts) as port:
                self.write(port, attacks=attacks)
                app = App(read_config(self.file), now=_moved_loop().now, lookup=self.names)
                app.start()
                try:
                    await steps(app, port)
                finally:
                    await app.stop()

        with asyncio.Runner(loop_factory=MovedLoop) as runner:
            runner.run(run())


def _moved_loop() -> MovedLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MovedLoop)
    return loop


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


Series = dict[tuple[str, str | None], list[float]]


def page(app: App) -> Series:
    """(Name without its prefix, address) -> values, of the target; the same in both formats."""
    pages = (
        parse_text(app.metrics("")[0].decode()),
        parse_openmetrics(app.metrics("application/openmetrics-text")[0].decode()),
    )
    found: list[Series] = [{}, {}]
    for series, families in zip(found, pages, strict=True):
        for family in families:
            for sample in family.samples:
                if "target" in sample.labels:
                    assert sample.labels["team"] == "web"
                    key = sample.name.removeprefix("tls_posture_"), sample.labels.get("address")
                    series.setdefault(key, []).append(float(sample.value))
    assert found[0] == found[1]
    return found[0]


def addresses(found: Series) -> set[str | None]:
    return {address for name, address in found if name not in {"addresses", "addresses_disagree"}}


def seen(*expected: str) -> Callable[[Series], bool]:
    """Whether something is known of each of these addresses: a scan may fail on a busy machine, and the next comes."""
    return lambda found: all(("protocol_accepted", address) in found for address in expected)


async def until(app: App, check: Callable[[Series], object]) -> Series:
    """The page once it is as it should be; the time between scans passes at once."""
    while not check(found := page(app)):
        await asyncio.sleep(0.02)
        if not app.schedule.gauges.running:
            _moved_loop().ahead_seconds += 5
    return found


def test_every_series_of_an_address_carries_it(fixture: Fixture) -> None:
    async def steps(app: App, _port: int) -> None:
        assert addresses(page(app)) == {None}, "nothing is known before the first scan"
        found = await until(app, seen(HERE, THERE))
        assert addresses(found) == {HERE, THERE}
        assert found["protocol_accepted", HERE] == found["protocol_accepted", THERE]
        for name in ("target_info", "scan_interval_seconds", "check_passed", "scan_connections", "probe_failure"):
            assert (name, HERE) in found, name
        assert found["addresses", None] == [2]
        assert found["addresses_disagree", None] == [0]
        assert app.counts() == (1, 1)

    fixture.run({HERE: GOOD, THERE: GOOD}, steps, attacks="24h")


def test_addresses_that_disagree_are_told(fixture: Fixture) -> None:
    async def steps(app: App, _port: int) -> None:
        found = await until(app, seen(HERE, THERE))
        assert found["addresses_disagree", None] == [1]
        for report in app.reports():
            assert {one.fact for one in report.disagreements or ()} == {"protocols"}

    fixture.run({HERE: GOOD, THERE: OLD}, steps)


def test_addresses_come_and_go_with_the_name(fixture: Fixture) -> None:
    async def steps(app: App, _port: int) -> None:
        await until(app, seen(HERE, THERE))
        fixture.names.answer = (THERE, SIX)
        found = await until(app, lambda found: ("scan_success", SIX) in found)
        assert addresses(found) == {THERE, SIX}
        fixture.names.answer = (SIX,)
        found = await until(app, lambda found: ("scan_success", THERE) not in found)
        assert addresses(found) == {SIX}
        assert found["addresses", None] == [1]
        assert ("addresses_disagree", None) not in found, "there is nobody to disagree with"

    fixture.run({HERE: GOOD, THERE: GOOD, SIX: GOOD}, steps)


def test_while_the_name_does_not_resolve_the_known_addresses_show_their_facts(fixture: Fixture) -> None:
    async def steps(app: App, _port: int) -> None:
        await until(app, seen(HERE, THERE))
        fixture.names.answer = Reason.DNS_ERROR
        found = await until(app, lambda found: ("probe_failure", HERE) in found and ("addresses", None) not in found)
        assert addresses(found) == {HERE, THERE}
        for address in (HERE, THERE):
            assert found["scan_success", address] == [0]
            assert found["probe_failure", address] == [1]
            assert ("protocol_accepted", address) in found
        assert ("addresses_disagree", None) not in found
        assert 'reason="dns_error"' in app.metrics("")[0].decode()

    fixture.run({HERE: GOOD, THERE: GOOD}, steps)


def test_a_name_that_never_resolved_has_series_without_address(fixture: Fixture) -> None:
    fixture.names.answer = Reason.DNS_NXDOMAIN

    async def steps(app: App, _port: int) -> None:
        found = await until(app, lambda found: ("scan_success", None) in found)
        assert addresses(found) == {None}
        assert found["scan_success", None] == [0]
        fixture.names.answer = (HERE,)
        found = await until(app, lambda found: ("scan_success", HERE) in found)
        assert addresses(found) == {HERE}

    fixture.run({HERE: GOOD}, steps)


def test_going_from_all_to_one_and_back_leaves_nothing_behind(fixture: Fixture) -> None:
    async def steps(app: App, port: int) -> None:
        await until(app, seen(HERE, THERE))
        for more, expected in (("addresses: one", {None}), ("addresses: all", {HERE, THERE})):
            fixture.write(port, more, interval="1h")
            assert await app.reload(fixture.file)
            assert set(page(app)) == {("target_info", None), ("scan_interval_seconds", None)}
            found = await until(app, lambda found: any(name == "protocol_accepted" for name, _ in found))
            assert addresses(found) == expected

    fixture.run({HERE: GOOD, THERE: GOOD}, steps)


def test_a_change_of_ip_protocol_starts_afresh(fixture: Fixture) -> None:
    async def steps(app: App, port: int) -> None:
        await until(app, seen(HERE, THERE))
        fixture.write(port, "addresses: all, ip_protocol: ip6")
        assert await app.reload(fixture.file)
        assert addresses(page(app)) == {None}
        await until(app, lambda found: ("scan_success", HERE) in found)
        assert fixture.names.asked[-1] == ("a.example", IpProtocol.IP6)

    fixture.run({HERE: GOOD, THERE: GOOD}, steps)


def test_a_reload_that_changes_nothing_of_it_keeps_every_address(fixture: Fixture) -> None:
    async def steps(app: App, port: int) -> None:
        before = await until(app, seen(HERE, THERE))
        fixture.write(port, interval="1h")
        assert await app.reload(fixture.file)
        after = page(app)
        assert set(after) == set(before)
        assert after["scan_interval_seconds", HERE] == [3600]

    fixture.run({HERE: GOOD, THERE: OLD}, steps)


def test_a_target_that_is_removed_takes_the_series_of_all_addresses_along(fixture: Fixture) -> None:
    async def steps(app: App, _port: int) -> None:
        await until(app, seen(HERE, THERE))
        fixture.file.write_text("allow_empty: true\ntargets: []\n")
        assert await app.reload(fixture.file)
        assert page(app) == {}
        assert app.reports() == []

    fixture.run({HERE: GOOD, THERE: OLD}, steps)


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_scan_tells_what_two_machines_disagree_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pki = make_pki(tmp_path)
    for name in ("good", "weak"):
        (tmp_path / name).mkdir()

    def command(port: int) -> list[str]:
        file = tmp_path / "config.yaml"
        file.write_text(
            f"global: {{addresses: all, ca_file: {pki.bundle},"
            f" resolver: {{nameservers: [127.0.0.1], port: 9, timeout: 200ms}}}}\n"
            f"targets:\n  - {{name: shop, host: www.test.example, port: {port}}}\n"
        )
        return ["scan", f"--config.file={file}"]

    monkeypatch.setattr("exporter.cli.scanning.Environment", partial(Environment, lookup=Names(HERE, SIX)))

    async def run(form: str, there: int, here: int) -> int:
        async with shared_port({HERE: here, SIX: there}) as port:
            return await asyncio.to_thread(main, [*command(port), f"--format={form}"])

    with (
        nginx(tmp_path / "good", SEED_NGINX, [pki.ecdsa, pki.rsa]) as good,
        nginx(tmp_path / "weak", WEAK_NGINX, [pki.rsa]) as weak,
    ):
        assert asyncio.run(run("table", good, good)) == 3, "the CAA lookup fails here, and unknown is not a pass"
        assert "disagree" not in capsys.readouterr().out

        assert asyncio.run(run("table", weak, good)) == 1, "one address is enough"
        table = capsys.readouterr().out
        assert table.startswith("shop  DOES NOT COMPLY  at 1 of 2 addresses\n")
        assert f"shop  {HERE}  unknown" in table
        assert f"shop  {SIX}  DOES NOT COMPLY" in table
        assert "addresses disagree on protocols" in table

        assert asyncio.run(run("json", weak, good)) == 1
        here, there = json.loads(capsys.readouterr().out)["reports"]
        assert [(one["target"], one["address"], one["addresses_found"]) for one in (here, there)] == [
            ("shop", HERE, 2),
            ("shop", SIX, 2),
        ]
        assert here["disagreements"] == there["disagreements"]
        said = {one["fact"]: one["said"] for one in here["disagreements"]}
        assert {"protocols", "cipher_suites", "certificate", "http"} <= set(said)
        assert said["protocols"][SIX] == {"TLSv1.0": "true", "TLSv1.1": "true"}
        assert said["protocols"][HERE] == {"TLSv1.0": "false", "TLSv1.1": "false"}

        assert asyncio.run(run("prometheus", weak, good)) == 1
        text = capsys.readouterr().out
        assert 'tls_posture_addresses_disagree{target="shop"} 1' in text
        assert f'tls_posture_weak_protocols{{target="shop",address="{SIX}"}} 2' in text
        assert f'tls_posture_weak_protocols{{target="shop",address="{HERE}"}} 0' in text
        assert f'tls_posture_compliant{{target="shop",address="{SIX}",policy="kopano-checklist"}} 0' in text
        assert f'tls_posture_compliant{{target="shop",address="{HERE}"' not in text, "unknown is absent"


def test_an_address_that_cannot_be_reached_is_3_whatever_the_others_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"targets: [{{host: 127.0.0.1, port: {free_port()}, addresses: all}}]\n")
    assert main(["scan", f"--config.file={file}", "--format=prometheus"]) == 3
    text = capsys.readouterr().out
    assert 'address="127.0.0.1",probe="handshake",reason="connect_refused"' in text
    assert "tls_posture_addresses{" in text
    assert "tls_posture_addresses_disagree" not in text
