"""A list in a file that changes while targets are scanned and scrapes go on; `make lists`: a thousand times."""

import asyncio
import json
import logging
import os
import random
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from exporter import app as app_module
from exporter.app import App
from exporter.policies import read_config
from exporter.targets import files
from tests.support.scripted import Stack, scripted_server

CHANGES = int(os.environ.get("CHANGES", "150"))
STABLE = [f"stable{number}.example" for number in range(10)]
OTHERS = [f"other{number}.example" for number in range(20)]
CONFIG = """
global: {scan_interval: 100d, timeout: 300ms, resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}}
file_sd_configs:
  - files: [list.json]
    relabel_configs: [{target_label: __connect_address__, replacement: 127.0.0.1}]
"""
TARGET = re.compile(r'^tls_posture_\w+\{target="([^"]+)"', re.MULTILINE)

ACCEPTED = re.compile(
    r'^tls_posture_protocol_accepted\{target="([^"]+)",tier="\d+",protocol="TLSv1.2"\} 1$', re.MULTILINE
)


class Flock:
    """A list, and the daemon that reads it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        (folder / "config.yaml").write_text(CONFIG)
        self.app = App(read_config(folder / "config.yaml"))
        self.scrapes = 0

    def write(self, hosts: list[str], tier: int = 0) -> set[str]:
        """Replace the list; returns the names of its targets."""
        targets = [f"{host}:{self.port}" for host in hosts]
        new = self.folder / "new"
        new.write_text(json.dumps([{"targets": targets, "labels": {"tier": str(tier)}}]))
        new.replace(self.folder / "list.json")
        return set(targets)

    def page(self) -> str:
        return self.app.metrics("")[0].decode()

    async def until(self, names: set[str], tier: int) -> str:
        """The page once it has these targets, with this label."""
        while True:
            page = self.page()
            shown = set(re.findall(r'^tls_posture_target_info\{target="([^"]+)",tier="(\d+)"', page, re.MULTILINE))
            if shown == {(name, str(tier)) for name in names}:
                return page
            await asyncio.sleep(0.002)

    async def scrape(self) -> None:
        while True:
            self.page()
            self.scrapes += 1
            await asyncio.sleep(0.01)


def dues(app: App, names: set[str]) -> dict[str, datetime]:
    """When each of these targets is due."""
    return {name: at for name in names if (at := app.schedule.next_due_of(name)) is not None}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is used at once, not after seconds."""
    monkeypatch.setattr(files, "LOOK_EVERY", timedelta(milliseconds=1))
    monkeypatch.setattr(app_module, "_LISTS_APART", timedelta(0))


@pytest.mark.timeout(900)
def test_changes_lose_nothing_and_cause_no_scans(quick: None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with scripted_server(Stack({0x0303: (0xC030, 0xC02F)})) as server:
            flock, chance = Flock(tmp_path, server.port), random.Random(16)  # noqa: S311 - the same changes in each run
            flock.write(STABLE)
            app = flock.app
            app.start()
            names = {f"{host}:{server.port}" for host in STABLE}
            while app.counts()[1] < len(STABLE):
                await asyncio.sleep(0.01)
            due = dues(app, names)
            connections, began = server.connections, asyncio.get_running_loop().time()
            scraping = asyncio.create_task(flock.scrape())
            hosts = set[str]()
            for change in range(1, CHANGES + 1):
                hosts ^= set(chance.sample(OTHERS, chance.randint(1, 5)))
                tier = change // 30
                wanted = flock.write([*STABLE, *sorted(hosts)], tier)
                page = await flock.until(wanted, tier)
                assert set(TARGET.findall(page)) == wanted
                assert {name for name in ACCEPTED.findall(page) if name.startswith("stable")} == names
            scraping.cancel()
            again = dues(app, names)
            assert all(abs(again[name] - due[name]) < timedelta(seconds=1) for name in names)
            assert flock.scrapes > 0
            # A scan is cut off when its target leaves, and begins again a minute later at the earliest.
            minutes = (asyncio.get_running_loop().time() - began) // 60 + 1
            assert server.connections <= connections * (1 + len(OTHERS) / len(STABLE) * minutes)
            await app.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    scanned = Counter(record.__dict__["fields"]["target"] for record in caplog.records if record.message == "scanned")
    assert max(scanned.values()) == 1
    assert sum(name.startswith("stable") for name in scanned) == len(STABLE)
