"""The parts of the daemon together: reports, series, reload, expiry."""

import asyncio
import importlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.app import App, Storage
from exporter.backends import Backend
from exporter.clients.files import shipped_clients
from exporter.config import Config
from exporter.errors import ConfigError
from exporter.files import one_view
from exporter.model import Protocol, ScanResult, Target
from exporter.policies import read_config
from exporter.publisher import Publisher
from exporter.scan import Environment, Known
from exporter.software.files import shipped_table
from exporter.store import Store
from exporter.store.changelog import LogQuery
from exporter.store.database import FILE_NAME
from tests.support.facts import GOOD_SUITES, certificates, deployment, facts, handshake, result
from tests.support.plain import plain_server
from tests.support.scripted import End, Stack, alert, scripted_server
from tests.support.targets import NOW

NO_RESOLVER = "resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}"
STACK = Stack({0x0303: (0xC030, 0xC02F)})


class Clock:
    """The real time plus an offset."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Fixture:
    """An app on a configuration file that the test can rewrite."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.clock = Clock()

    def write(self, targets: str, head: str = "") -> Config:
        self.file.write_text(f"global: {{scan_interval: 1h, timeout: 300ms, {NO_RESOLVER}}}\n{head}targets:\n{targets}")
        return read_config(self.file)


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


def entry(name: str, port: int, more: str = "") -> str:
    return f"  - {{name: {name}, host: {name}.example, port: {port}, connect_address: 127.0.0.1{more}}}\n"


def text(app: App) -> str:
    return app.metrics("")[0].decode()


def run_app(app: App, steps: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        app.start()
        try:
            await steps()
        finally:
            await app.stop()

    asyncio.run(run())


async def scanned(app: App, count: int) -> None:
    async with asyncio.timeout(20):
        while app.counts()[1] < count:
            await asyncio.sleep(0.02)


async def judge_all(app: App) -> None:
    """What happens within two seconds."""
    app.freshness.look_again()
    await app.freshness.settled()


def test_targets_show_before_their_first_scan_without_any_verdict(fixture: Fixture) -> None:
    app = App(fixture.write(entry("a", 443)), now=fixture.clock)

    async def steps() -> None:
        page = text(app)
        assert 'tls_posture_target_info{target="a"' in page
        assert "tls_posture_scan_success{" not in page
        assert "tls_posture_compliant{" not in page

    run_app(app, steps)


def test_a_scan_becomes_series_and_a_removed_target_takes_them_along(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(STACK) as two:
            config = fixture.write(entry("a", one.port) + entry("b", two.port))
            app = App(config, now=fixture.clock)
            app.start()
            await scanned(app, 2)
            page = text(app)
            for name in "ab":
                assert f'tls_posture_protocol_accepted{{target="{name}",protocol="TLSv1.2"}} 1' in page
            assert "tls_posture_exporter_targets 2.0" in page
            fixture.write(entry("a", one.port))
            assert await app.reload(fixture.file)
            page = text(app)
            assert 'target="b"' not in page
            assert 'tls_posture_protocol_accepted{target="a",protocol="TLSv1.2"} 1' in page
            assert "tls_posture_exporter_targets 1.0" in page
            await app.stop()

    asyncio.run(run())


def test_a_name_that_stands_for_another_service_starts_afresh(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(Stack({0x0302: (0xC014,)})) as two:
            app = App(fixture.write(entry("a", one.port)), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            fixture.write(entry("a", two.port))
            assert await app.reload(fixture.file)
            assert "tls_posture_protocol_accepted{" not in text(app)
            await scanned(app, 1)
            assert 'tls_posture_protocol_accepted{target="a",protocol="TLSv1.1"} 1' in text(app)
            await app.stop()

    asyncio.run(run())


def test_a_change_of_labels_shows_at_once_without_a_scan(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as server:
            app = App(fixture.write(entry("a", server.port)), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            before = server.connections
            fixture.write(entry("a", server.port, ", labels: {team: web}"))
            assert await app.reload(fixture.file)
            assert 'tls_posture_protocol_accepted{target="a",team="web",protocol="TLSv1.2"} 1' in text(app)
            assert server.connections == before
            await app.stop()

    asyncio.run(run())


def test_a_reload_judges_only_what_it_changes(fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge_again = Publisher.judge_again

    def counted(publisher: Publisher, name: str) -> set[str]:
        judged.append(name)
        return judge_again(publisher, name)

    monkeypatch.setattr(Publisher, "judge_again", counted)

    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(STACK) as two:
            first = entry("a", one.port)
            app = App(fixture.write(first + entry("b", two.port)), now=fixture.clock)
            app.start()
            await scanned(app, 2)
            await app.freshness.settled()
            judged.clear()
            fixture.write(first + entry("b", two.port, ", labels: {team: web}"))
            assert await app.reload(fixture.file)
            assert judged == ["b"]
            fixture.write(first + entry("b", two.port, ", labels: {team: web}"), "metrics: {detail: full}\n")
            assert await app.reload(fixture.file)
            assert sorted(judged) == ["a", "b", "b"]
            await app.stop()

    asyncio.run(run())


def test_a_bad_file_changes_nothing_but_the_reload_gauge(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as server:
            app = App(fixture.write(entry("a", server.port)), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            fixture.file.write_text("targets: [{host: a, prot: 1}]\n")
            assert not await app.reload(fixture.file)
            page = text(app)
            assert "tls_posture_exporter_config_last_reload_successful 0.0" in page
            assert 'tls_posture_protocol_accepted{target="a",protocol="TLSv1.2"} 1' in page
            await app.stop()

    asyncio.run(run())


def test_facts_expire_and_then_nothing_is_said(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as server:
            app = App(fixture.write(entry("a", server.port)), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            fixture.clock.ahead = timedelta(hours=2, minutes=59)
            await judge_all(app)
            assert 'tls_posture_protocol_accepted{target="a",protocol="TLSv1.2"} 1' in text(app)
            fixture.clock.ahead = timedelta(hours=3, minutes=1)
            await judge_all(app)
            page = text(app)
            assert "tls_posture_protocol_accepted{" not in page
            assert "tls_posture_check_passed{" not in page
            assert 'tls_posture_scan_success{target="a"} 0' in page
            await app.stop()

    asyncio.run(run())


def test_one_bad_target_does_not_hold_up_the_others(fixture: Fixture) -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with scripted_server(STACK) as good, plain_server(silent) as bad:
            fixture.write("  []\n")
            fixture.file.write_text(
                f"global: {{scan_interval: 2s, scan_timeout: 1s, max_concurrent_scans: 2, {NO_RESOLVER}}}\ntargets:\n"
                + entry("good", good.port)
                + entry("bad", bad)
            )
            app = App(read_config(fixture.file), now=fixture.clock)
            app.start()
            async with asyncio.timeout(20):
                while _scans(app, "good") < 3 or _scans(app, "bad") < 2:
                    await asyncio.sleep(0.05)
            page = text(app)
            assert 'tls_posture_probe_failure{target="bad",probe="handshake",reason="deadline_exceeded"} 1' in page
            assert 'tls_posture_scan_success{target="bad"} 0' in page
            assert 'tls_posture_protocol_accepted{target="bad"' not in page
            assert 'tls_posture_protocol_accepted{target="good",protocol="TLSv1.2"} 1' in page
            await app.stop()

    seen: dict[str, set[datetime]] = {}

    def _scans(app: App, name: str) -> int:
        for report in app.reports():
            seen.setdefault(report.target.name, set()).add(report.result.ended_at)
        return len(seen.get(name, ()))

    asyncio.run(run())


def test_last_good_facts_stay_when_a_scan_fails(fixture: Fixture) -> None:
    async def run() -> None:
        broken = False

        async with scripted_server(lambda hello: alert(80) if broken else STACK(hello)) as server:
            fixture.file.write_text(
                f"global: {{scan_interval: 1s, timeout: 300ms, {NO_RESOLVER}}}\ntargets:\n" + entry("a", server.port)
            )
            app = App(read_config(fixture.file), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            broken = True
            async with asyncio.timeout(20):
                while app.reports()[0].result.probes.get("handshake", True):
                    await asyncio.sleep(0.02)
            page = text(app)
            assert 'tls_posture_scan_success{target="a"} 0' in page
            assert 'reason="handshake_error"' in page
            assert 'tls_posture_protocol_accepted{target="a",protocol="TLSv1.2"} 1' in page
            await app.stop()

    asyncio.run(run())


def test_a_reload_does_not_give_a_host_more_connections(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(lambda _hello: End.SILENCE) as server:
            app = App(fixture.write(entry("a", server.port, ", connections_per_host: 1")), now=fixture.clock)
            app.start()
            for number in range(4):
                wanted = server.connections + 1
                async with asyncio.timeout(10):
                    while server.connections < wanted:
                        await asyncio.sleep(0.02)
                fixture.write(entry(f"other{number}", server.port, ", connections_per_host: 1"))
                assert await app.reload(fixture.file)
            await app.stop()
            assert server.most_at_once == 1

    asyncio.run(run())


# --- the table of releases --------------------------------------------------------------------------------------------


def table_age(app: App, table: str = "server-eol") -> float:
    """As of when the table is that the app judges by."""
    start = f'tls_posture_exporter_data_timestamp_seconds{{data="{table}"}} '
    (line,) = [line for line in text(app).splitlines() if line.startswith(start)]
    return float(line.split(" ")[1])


def table_file(folder: Path, generated_at: str) -> Path:
    """A file in the form of endoflife.date's API; with all products that the shipped one has."""
    result = [{"name": name, "releases": [{"name": "9", "isEol": False}]} for name in shipped_table().products]
    file = folder / f"{generated_at[:4]}.json"
    file.write_text(json.dumps({"generated_at": generated_at, "result": result}))
    return file


def test_a_reload_brings_another_table_and_its_age(fixture: Fixture) -> None:
    config = fixture.write("")
    app = App(config, now=fixture.clock)
    files = [table_file(fixture.file.parent, f"{year}-01-01T00:00:00Z") for year in (2030, 2029)]

    async def steps() -> None:
        assert table_age(app) == shipped_table().as_of.timestamp()
        for file, year in zip(files, (2030, 2029), strict=True):
            fixture.write("", head=f"software: {{eol_files: [{file}]}}\n")
            assert await app.reload(fixture.file)
            assert table_age(app) == datetime(year, 1, 1, tzinfo=UTC).timestamp()
        files[1].write_text("[")
        assert not await app.reload(fixture.file)
        assert table_age(app) == datetime(2029, 1, 1, tzinfo=UTC).timestamp()

    run_app(app, steps)


def test_the_age_of_the_table_of_clients_is_shown(fixture: Fixture) -> None:
    app = App(fixture.write(""), now=fixture.clock)
    assert table_age(app, "clients") == shipped_clients().as_of.timestamp()


def test_a_file_that_breaks_between_reading_and_applying_changes_nothing(fixture: Fixture) -> None:
    file = table_file(fixture.file.parent, "2030-01-01T00:00:00Z")
    app = App(fixture.write(entry("a", 443)), now=fixture.clock)

    async def steps() -> None:
        config = fixture.write(entry("b", 443), head=f"software: {{eol_files: [{file}]}}\n")
        file.unlink()
        with pytest.raises(ConfigError):
            app.apply(config)
        assert app.counts()[0] == 1
        assert 'target="a"' in text(app)

    run_app(app, steps)


# --- reload -----------------------------------------------------------------------------------------------------------


def test_a_list_that_became_empty_is_refused_unless_that_is_allowed(fixture: Fixture) -> None:
    app = App(fixture.write(entry("a", 443)), now=fixture.clock)

    async def steps() -> None:
        for emptied in ("targets: []\n", "targets:\n", "global: {}\n", "allow_empty: false\n"):
            fixture.file.write_text(emptied)
            problem = await app.reloader(fixture.file).once()
            assert problem == (
                f"{fixture.file}:1:1: targets: the list has become empty; "
                "set allow_empty: true at the top of the file if that is intended"
            )
            assert app.counts()[0] == 1
        fixture.file.write_text("allow_empty: true\n")
        assert await app.reload(fixture.file)
        assert app.counts()[0] == 0
        fixture.file.write_text("targets: []\n")
        assert await app.reload(fixture.file)  # it has not become empty

    run_app(app, steps)


def test_an_empty_list_is_allowed_at_the_start_with_a_warning(
    fixture: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    fixture.file.write_text("targets: []\n")
    app = App(read_config(fixture.file), now=fixture.clock)

    async def steps() -> None:
        assert app.counts() == (0, 0)

    run_app(app, steps)
    assert "the configuration has no targets" in caplog.text


def test_reloads_are_counted_by_outcome(fixture: Fixture) -> None:
    app = App(fixture.write(entry("a", 443)), now=fixture.clock)

    async def steps() -> None:
        assert 'tls_posture_exporter_config_reloads_total{outcome="success"} 0.0' in text(app)
        assert "tls_posture_exporter_config_last_reload_successful 1.0" in text(app)
        fixture.write(entry("b", 443))
        assert await app.reload(fixture.file)
        fixture.file.write_text("[")
        assert not await app.reload(fixture.file)
        assert 'tls_posture_exporter_config_reloads_total{outcome="success"} 1.0' in text(app)
        assert 'tls_posture_exporter_config_reloads_total{outcome="failure"} 1.0' in text(app)
        assert "tls_posture_exporter_config_last_reload_successful 0.0" in text(app)

    run_app(app, steps)


@pytest.mark.parametrize("broken", ["exporter.publisher.render_target", "exporter.schedule._Newcomer"])
def test_a_defect_halfway_leaves_the_old_configuration(
    fixture: Fixture, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series of the second new target cannot be rendered, or it cannot be scheduled."""

    async def run() -> None:
        async with scripted_server(STACK) as server:
            app = App(fixture.write(entry("a", server.port) + entry("b", server.port)), now=fixture.clock)
            app.start()
            await scanned(app, 2)
            before = text(app)
            fixture.write(entry("a", server.port) + entry("c", server.port) + entry("d", server.port))
            module, name = broken.rsplit(".", 1)
            calls = []

            def fail(*args: object, **more: object) -> object:
                calls.append(args)
                if len(calls) == 2:
                    raise ZeroDivisionError
                return original(*args, **more)

            original = getattr(importlib.import_module(module), name)
            monkeypatch.setattr(broken, fail)
            assert await app.reloader(fixture.file).once() == "internal error: ZeroDivisionError"
            monkeypatch.undo()
            assert _about_targets(text(app)) == _about_targets(before)
            assert len(app.reports()) == 2
            assert app.schedule.intervals == dict.fromkeys("ab", timedelta(hours=1))
            assert await app.reload(fixture.file)
            assert {report.target.name for report in app.reports()} == {"a"}
            await app.stop()

    asyncio.run(run())


def _about_targets(page: str) -> list[str]:
    return [line for line in page.splitlines() if 'target="' in line]


def test_a_target_is_scanned_again_when_the_content_of_its_trust_changes(fixture: Fixture) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(STACK) as two:
            trust = fixture.file.parent / "ca.pem"
            trust.write_text("one")
            text_of_both = entry("a", one.port, f", ca_file: {trust}") + entry("b", two.port)
            with one_view() as view:
                config = fixture.write(text_of_both)
            app = App(config, now=fixture.clock)
            app.start()
            await scanned(app, 2)
            reloader = app.reloader(fixture.file, view.fingerprint())
            began = {report.target.name: report.result.started_at for report in app.reports()}
            others = two.connections
            trust.write_text("two")
            assert await reloader.once() is None
            assert len(app.reports()) == 2  # the facts stay meanwhile
            async with asyncio.timeout(20):
                while app.reports()[0].result.started_at == began["a"]:
                    await asyncio.sleep(0.02)
            assert app.reports()[1].result.started_at == began["b"]
            assert two.connections == others
            await app.stop()

    asyncio.run(run())


def scan_time(page: str) -> float:
    """When the last scan of the first target ended; 0 if there was none."""
    family = "tls_posture_last_scan_timestamp_seconds{"
    return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(family)), 0)


@pytest.mark.parametrize(("column", "kept"), [("seen", False), ("states", True)])
def test_a_record_that_cannot_be_read_does_not_stop_its_target(fixture: Fixture, column: str, kept: bool) -> None:
    storage = Storage(fixture.file.parent / "storage", timedelta(days=400))

    async def run() -> None:
        async with scripted_server(STACK) as server:
            config = fixture.write(entry("a", server.port))
            app = App(config, storage=storage, now=fixture.clock)
            app.start()
            await scanned(app, 1)
            await app.stop()
            with sqlite3.connect(storage.folder / FILE_NAME) as connection:
                connection.execute(f"UPDATE latest SET {column} = x'00'")  # noqa: S608 - a column of the test
            connection.close()
            app, restarted = App(config, storage=storage, now=fixture.clock), fixture.clock()
            app.start()
            await app.freshness.settled()
            assert ("tls_posture_scan_success{" in text(app)) is kept
            assert 'tls_posture_exporter_store_errors_total{error="record"} 1.0' in text(app)
            app.schedule.scan_again({"a"} if kept else ())  # what is not known is scanned without being asked
            async with asyncio.timeout(20):
                while scan_time(text(app)) < restarted.timestamp():
                    await asyncio.sleep(0.02)
            assert 'tls_posture_exporter_store_errors_total{error="record"} 1.0' in text(app)
            await app.stop()

    asyncio.run(run())


def test_a_scan_whose_results_are_being_stored_is_not_begun_again(fixture: Fixture) -> None:
    """It was late, and another target needs its place, but it ends soon anyway."""
    written, scans = asyncio.Event(), list[str]()

    class SlowStore(Store):
        async def written(self) -> None:
            await written.wait()

    class Late(App):
        def _make_backend(self, environment: Environment) -> Backend:
            real = super()._make_backend(environment)

            class LateBackend:
                async def run(self, target: Target, known: Known, late: Callable[[], None]) -> tuple[ScanResult, ...]:
                    scans.append(target.name)
                    late()
                    return await real.run(target, known, lambda: None)

            return LateBackend()

    async def run() -> None:
        async with scripted_server(STACK) as server:
            one_place = "global: {max_concurrent_scans: 1, scan_interval: 1h, timeout: 300ms, " + NO_RESOLVER + "}\n"
            fixture.file.write_text(one_place + "targets:\n" + entry("a", server.port))
            app = Late(read_config(fixture.file), store=SlowStore(), now=fixture.clock)
            app.start()
            await scanned(app, 1)
            fixture.file.write_text(fixture.file.read_text() + entry("b", server.port))
            assert await app.reload(fixture.file)
            async with asyncio.timeout(20):
                while not app.schedule.gauges.waiting:
                    await asyncio.sleep(0.01)
            written.set()
            await scanned(app, 2)
            await app.stop()

    asyncio.run(run())
    assert scans == ["a", "b"]


class Idle(App):
    """An app that scans nothing."""

    async def _scan(self, _name: str, _late: Callable[[], None]) -> bool | None:
        return None


def test_a_start_judges_no_target_before_its_neighbours_are_known(fixture: Fixture) -> None:
    """The last of many targets accepts SSL 2 with the key of the first. The verdict on DROWN is there all the time."""
    names = [f"t{number:03}" for number in range(100)]
    config = fixture.write("".join(entry(name, 443) for name in names))
    storage = Storage(fixture.file.parent / "storage", timedelta(days=400))
    key = certificates(deployment(key_algorithm="RSA", spki_sha256="ab" * 32))
    ssl2 = handshake({Protocol.SSL2: ("SSL_CK_RC4_128_WITH_MD5",), **GOOD_SUITES}, plain_chains=())
    seen = {names[-1]: facts(ssl2, key), names[0]: facts(handshake(plain_chains=()), key)}

    async def run() -> None:
        app = Idle(config, storage=storage, now=lambda: NOW)
        app.start()
        await app.settled()
        for name, one in seen.items():
            await app._publisher.take([result(one, target=app._publisher.setup.targets[name])], 0)  # noqa: SLF001 - as a scan does
        await app.stop()
        app = Idle(config, storage=storage, now=lambda: NOW + timedelta(seconds=1))
        app.start()
        await app.settled()
        assert 'tls_posture_vulnerable{target="t000",vulnerability="drown"} 1' in text(app)
        log = await app.store.read_log(LogQuery())
        await app.stop()
        assert log is not None
        assert log.found == ()

    asyncio.run(run())
