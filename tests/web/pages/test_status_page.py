"""`/status`: what the daemon uses and how it does, without secrets."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from exporter import __version__
from exporter.app import App, Storage
from exporter.config.discovery import FileSource
from exporter.policies import read_config
from exporter.sharding import Shard
from exporter.targets.discovered import Rejected, TargetList
from exporter.targets.discovery import SourceState
from exporter.web import make_app, serving
from tests.support.known_fleet import FleetApi
from tests.support.processes import free_port
from tests.support.targets import NOW, make_target
from tests.web.client import ask_on
from tests.web.pages.reading import on, source, words, words_of

HOSTILE = '"><script>alert(1)</script>\u202e'
CONFIG = """
global: {scan_interval: 1h, resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}, proxy_url: PROXY}
targets: []
"""
PROXY = "http://user:hunter2@127.0.0.1:9"


def test_without_a_daemon_it_has_what_is_known() -> None:
    async def steps(api: FleetApi) -> None:
        text = await words(api, "/status")
        assert "Targets 1" in text
        assert "Changes are known since 2026-11-22 12:00" in text
        assert f"TLS Posture Exporter {__version__}" in text
        assert "configuration file in use 0 Pools of threads" in text

    on([make_target()], steps)


def test_sources_and_rejected_targets() -> None:
    async def steps(api: FleetApi) -> None:
        works = SourceState("file_sd_configs.0", FileSource(files=["a.yaml"]), refreshed_at=NOW)
        works.answered.set()
        fails = SourceState("http_sd_configs.0", FileSource(files=["a.yaml"]), error=f"no answer {HOSTILE}")
        fails.answered.set()
        waits = SourceState("dns_sd_configs.0", FileSource(files=["a.yaml"]))
        api.fleet.sources = [works, fails, waits]
        labels = {"__address__": f"https://a:hunter2@{HOSTILE}", "token": "hunter3"}
        rejected = Rejected("file_sd_configs.0", labels, f"is wrong {HOSTILE}")
        outcomes = {"file_sd_configs.0": dict.fromkeys(("used", "merged", "dropped"), 4)}
        outcomes["file_sd_configs.0"]["rejected"] = 1
        api.fleet.listing = TargetList((), {"test": ("targets",), "b": ("file_sd_configs.0",)}, outcomes, (rejected,))
        page, text = await source(api, "/status"), await words(api, "/status")
        assert "configuration file in use 1 file_sd_configs.0 works" in text
        assert "file_sd_configs.0 works 2026-11-22 12:00 4 4 4 1" in text
        assert 'http_sd_configs.0 fails: no answer "><script>' in text
        assert "dns_sd_configs.0 no answer yet never – – – –" in text
        assert "1 target cannot be used" in text
        assert not any(one in page for one in ("<script>alert", "\u202e", "hunter2", "hunter3"))

    on([make_target()], steps)


def test_a_history_that_cannot_be_read_is_said() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.store.keep_log(None)
        assert "the history cannot be read now" in await words(api, "/status")

    on((), steps)


def test_parameters_are_refused() -> None:
    async def steps(api: FleetApi) -> None:
        assert 'Invalid parameter "x": it is unknown here.' in await words(api, "/status?x=1", 400)

    on((), steps)


def on_app(
    folder: Path,
    storage: Storage | None,
    steps: Callable[[App, int, Path], Awaitable[None]],
    config: str = CONFIG,
    shard: Shard | None = None,
) -> None:
    """Serve the pages of a daemon with this configuration file, and take these steps."""

    async def run() -> None:
        file = folder / "config.yaml"
        file.write_text(config.replace("PROXY", PROXY), encoding="utf-8")
        app = App(read_config(file), storage=storage)
        if shard is not None:
            app.use_shard(shard)
        reloader = app.reloader(file)
        sources = app.sources(reloader.reload)
        async with serving(make_app(sources), [("127.0.0.1", 0)]) as [(_, port)]:
            started = asyncio.Event()
            app.show_external_url("https://tls.example.com")
            app.start(started.set)
            reloader.start()
            try:
                async with asyncio.timeout(60):
                    await started.wait()
                await steps(app, port, file)
            finally:
                await reloader.stop()
                await app.stop()

    asyncio.run(run())


def broken(file: Path) -> None:
    file.write_text("targets: [", encoding="utf-8")


async def status(port: int) -> tuple[str, str]:
    """The page as HTML, and its words."""
    answer = await ask_on(port, "/status")
    assert answer.status == 200
    return answer.body.decode(), words_of(answer.body.decode())


def test_a_daemon_in_memory(tmp_path: Path) -> None:
    async def steps(app: App, port: int, file: Path) -> None:
        page, text = await status(port)
        assert f"File {file} Last reload worked In use since 20" in text
        assert "Reloads 0 worked, 0 failed Address of these pages https://tls.example.com Targets 0" in text
        assert "Running 0 Due and waiting 0 Next one is due not known" in text
        assert "Since the start 0 successful, 0 failed Targets that keep failing 0" in text
        assert "Oldest fact nothing is known yet" in text
        assert "Results in memory: a restart loses them Changes are known since 20" in text
        assert "OpenSSL OpenSSL 3" in text
        assert "sslyze 6" in text
        assert "Table “server-eol” as of 20" in text
        assert "openssl 0 4 0" in text
        assert "hunter2" not in page
        assert not any(one in text for one in ("Shard", "Broker", "Zone"))
        for anchor in ("configuration", "discovery", "scans", "store", "pools", "versions"):
            assert f'id="{anchor}"' in page
        broken(file)
        assert not await app.reload(file)
        assert (
            "Last reload failed: the reason is in the log; the configuration before is still used"
            in (await status(port))[1]
        )

    on_app(tmp_path, None, steps)


def test_a_daemon_with_a_database(tmp_path: Path) -> None:
    async def steps(app: App, port: int, _file: Path) -> None:
        page, text = await status(port)
        assert "Results on disk; the history is kept for 30 d Not yet written nothing Restored at the start 0" in text
        assert "Errors none" in text
        assert str(tmp_path / "data") not in page
        app._own.store_errors.labels("write").inc()  # noqa: SLF001 - a disk that fails is tested elsewhere
        assert "Errors write: 1" in (await status(port))[1]

    on_app(tmp_path, Storage(tmp_path / "data", timedelta(days=30)), steps)


def test_a_shard(tmp_path: Path) -> None:
    async def steps(_app: App, port: int, _file: Path) -> None:
        assert "Targets 0 Shard 1 of 3 (from 0); other targets are in other shards" in (await status(port))[1]

    on_app(tmp_path, None, steps, shard=Shard(1, 3))


ZONES = f"""
global: {{backend: celery}}
celery:
  broker_url: redis://127.0.0.1:{free_port()}
  zones: {{office: {{key_file: office.key}}, dmz: {{key_file: dmz.key}}}}
targets: []
"""


def test_zones_with_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    """No worker is known to be good before it has begun a scan."""
    for zone in ("office", "dmz"):
        (tmp_path / f"{zone}.key").write_text(zone[0] * 64)

    async def steps(_app: App, port: int, _file: Path) -> None:
        page, text = await status(port)
        assert "Broker not connected: scans wait, and the reason is in the log" in text
        assert "Zone “dmz” no scan has begun yet Zone “office” no scan has begun yet" in text
        assert "oooo" not in page

    on_app(tmp_path, None, steps, ZONES)
