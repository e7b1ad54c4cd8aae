"""Targets from sources in the daemon: nothing is lost, nothing is shown twice, nothing is scanned more than needed."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter import app as app_module
from exporter.app import App, Storage
from exporter.config import Config
from exporter.policies import read_config
from exporter.web import make_app, serving
from tests.support.scripted import Stack, scripted_server
from tests.support.sources import LedSource, led_sources
from tests.web.client import ask_on

STACK = Stack({0x0303: (0xC030, 0xC02F)})
HEAD = "global: {scan_interval: 100d, timeout: 300ms, resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}}\n"
FOUND = "file_sd_configs: [{files: [a.yaml]}]\n"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[LedSource]]:
    monkeypatch.setattr(app_module, "_LISTS_APART", timedelta(0))
    with led_sources(monkeypatch) as sources:
        yield sources


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def written(file: Path, text: str) -> Config:
    file.write_text(HEAD + text)
    return read_config(file)


def text(app: App) -> str:
    return app.metrics("")[0].decode()


def shown(app: App) -> set[str]:
    """The targets with series about them."""
    return {line.split('"')[1] for line in text(app).splitlines() if line.startswith("tls_posture_target_info{")}


async def until(app: App, names: set[str]) -> None:
    async with asyncio.timeout(30):
        while shown(app) != names or app.counts()[0] != len(names):
            await asyncio.sleep(0.01)


async def scanned(app: App, count: int) -> None:
    async with asyncio.timeout(30):
        while app.counts()[1] < count:
            await asyncio.sleep(0.01)


def test_found_targets_are_scanned_and_shown_and_gone_targets_are_not(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(STACK) as two:
            app = App(written(file, FOUND))
            app.start()
            first, second = f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"
            made[0].find(first, second, "not a target")
            await until(app, {first, second})
            await scanned(app, 2)
            page = text(app)
            assert f'tls_posture_protocol_accepted{{target="{first}",protocol="TLSv1.2"}} 1' in page
            assert 'discovery_successful{source="file_sd_configs.0"} 1.0' in page
            assert 'discovered_targets{outcome="used",source="file_sd_configs.0"} 2.0' in page
            assert 'discovered_targets{outcome="rejected",source="file_sd_configs.0"} 1.0' in page
            made[0].find(second)
            await until(app, {second})
            assert first not in text(app)
            assert f'tls_posture_protocol_accepted{{target="{second}",protocol="TLSv1.2"}} 1' in text(app)
            made[0].find()
            await made[0].settled()
            assert 'discovery_successful{source="file_sd_configs.0"} 0.0' in text(app)
            assert shown(app) == {second}
            await app.stop()

    asyncio.run(run())


def test_a_target_that_comes_back_has_its_facts_and_is_not_scanned_again(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one, scripted_server(STACK) as two:
            app = App(written(file, FOUND))
            app.start()
            first, second = f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"
            made[0].find(first, second)
            await scanned(app, 2)
            due, connections = app.schedule.next_due(), one.connections
            for _ in range(20):
                made[0].find(second)
                await until(app, {second})
                made[0].find(first, second)
                await until(app, {first, second})
            await app.freshness.settled()
            assert app.counts() == (2, 2)
            assert f'tls_posture_protocol_accepted{{target="{first}",protocol="TLSv1.2"}} 1' in text(app)
            assert one.connections == connections
            again = app.schedule.next_due()
            assert due is not None
            assert again is not None
            assert abs(again - due) < timedelta(seconds=1)
            await app.stop()

    asyncio.run(run())


def test_moving_targets_from_the_file_to_a_source_keeps_their_facts(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        async with scripted_server(STACK) as one:
            name = f"127.0.0.1:{one.port}"
            app = App(written(file, f"targets: ['{name}']\n"))
            app.start()
            await scanned(app, 1)
            connections = one.connections
            written(file, FOUND)
            reload = asyncio.create_task(app.reload(file))
            async with asyncio.timeout(30):
                while not made:
                    await asyncio.sleep(0.01)
            made[0].find(name)
            assert await reload
            assert app.counts() == (1, 1)
            assert one.connections == connections
            written(file, f"targets: ['{name}']\n")
            assert await app.reload(file)
            await asyncio.sleep(0)
            assert (app.counts(), one.connections, made[0].ended) == ((1, 1), connections, True)
            assert "file_sd_configs" not in text(app)
            await app.stop()

    asyncio.run(run())


def test_a_reload_that_is_refused_leaves_the_sources_as_they_are(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        app = App(written(file, FOUND))
        app.start()
        made[0].find("127.0.0.1:9")
        await until(app, {"127.0.0.1:9"})
        written(file, "targets: []\n")
        assert not await app.reload(file)
        made[0].find("127.0.0.1:9", "127.0.0.2:9")
        await until(app, {"127.0.0.1:9", "127.0.0.2:9"})
        await app.stop()

    asyncio.run(run())


def test_found_targets_and_their_facts_are_there_after_a_restart(made: list[LedSource], file: Path) -> None:
    storage = Storage(file.parent / "storage", timedelta(days=1))

    async def run() -> None:
        async with scripted_server(STACK) as one:
            name = f"127.0.0.1:{one.port}"
            app = App(written(file, FOUND), storage=storage)
            app.start()
            made[0].find(name)
            await scanned(app, 1)
            await app.stop()
            connections = one.connections
            app, ready = App(written(file, FOUND), storage=storage), asyncio.Event()
            app.start(ready.set)
            made[-1].fail()
            async with asyncio.timeout(30):
                await ready.wait()
            assert f'tls_posture_protocol_accepted{{target="{name}",protocol="TLSv1.2"}} 1' in text(app)
            assert 'discovery_successful{source="file_sd_configs.0"} 0.0' in text(app)
            await app.stop()
            assert one.connections == connections

    asyncio.run(run())


def test_a_policy_that_is_named_for_the_first_time_is_loaded(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        app = App(written(file, FOUND))
        app.start()
        made[0].find("127.0.0.1:9")
        await until(app, {"127.0.0.1:9"})
        await app.stop()
        assert 'policy="kopano-checklist"' in text(app)

    asyncio.run(run())


def test_the_metrics_are_ready_when_all_sources_have_answered(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        app, ready = App(written(file, FOUND)), asyncio.Event()
        app.start(ready.set)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not ready.is_set()
        made[0].find("127.0.0.1:9")
        async with asyncio.timeout(30):
            await ready.wait()
        assert shown(app) == {"127.0.0.1:9"}
        await app.stop()

    asyncio.run(run())


def test_the_api_says_where_targets_come_from(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        app, ready = App(written(file, "targets: ['127.0.0.1:9']\n" + FOUND)), asyncio.Event()
        app.start(ready.set)
        made[0].find("127.0.0.1:9", "127.0.0.2:9", "https://user:hidden@x")
        await ready.wait()
        async with serving(make_app(app.sources()), [("127.0.0.1", 0)]) as [(_, port)]:
            targets = await ask_on(port, "/api/v1/targets")
            sources = await ask_on(port, "/api/v1/sources")
            made[0].find("127.0.0.1:9")
            await until(app, {"127.0.0.1:9"})
            fewer = await ask_on(port, "/api/v1/targets")
        await app.stop()
        places = {one["name"]: one["found_in"] for one in json.loads(targets.body)["data"]["targets"]}
        assert places == {"127.0.0.1:9": ["targets", "file_sd_configs.0"], "127.0.0.2:9": ["file_sd_configs.0"]}
        [source] = json.loads(sources.body)["data"]["sources"]
        assert source["outcomes"] == {"used": 1, "merged": 1, "dropped": 0, "rejected": 1}
        assert (source["place"], source["up"], source["targets"]) == ("file_sd_configs.0", True, 3)
        assert "hidden" not in sources.body.decode()
        assert [one["name"] for one in json.loads(fewer.body)["data"]["targets"]] == ["127.0.0.1:9"]

    asyncio.run(run())


def test_a_list_that_changes_during_a_reload_is_used_at_once(made: list[LedSource], file: Path) -> None:
    async def run() -> None:
        app = App(written(file, FOUND))
        app.start()
        made[0].find("127.0.0.1:9")
        await until(app, {"127.0.0.1:9"})
        config = written(file, f"metrics: {{detail: full}}\n{FOUND}")
        # There is no other way to change the list at this moment.
        loaded = app._loader.load(config, app.discovery.stage(config))  # noqa: SLF001
        made[0].find("127.0.0.1:9", "127.0.0.2:9")
        await made[0].settled()
        app._switch(loaded)  # noqa: SLF001
        assert shown(app) == {"127.0.0.1:9", "127.0.0.2:9"}
        await app.stop()

    asyncio.run(run())
