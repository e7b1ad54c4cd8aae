"""The daemon is killed at random moments: during scans, writes and reloads. Nothing is lost, and nothing is invented.

`make kills` does it two hundred times.
"""

import asyncio
import os
import random
import re
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from exporter.monotonic import EPOCH
from exporter.schedule import phase
from exporter.store.changelog import LogQuery
from exporter.store.database import FILE_NAME
from exporter.store.history import StateChange
from exporter.store.saved import Saved
from exporter.store.tables import Tables
from tests.support.processes import end, free_port, start
from tests.support.servers import HOST, SEED_NGINX, WEAK_NGINX, make_pki, nginx
from tests.support.wires import pump

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("KILLS", "5"))
INTERVAL = timedelta(seconds=10)
"""The shortest: a target is due again and again while the daemon starts."""
EARLY_SECONDS = 0.2
"""The daemon reads two clocks, one after the other."""
CHANGING = re.compile(r"^tls_posture_(last_|scan_duration|scan_bytes|scan_connections)")
"""Families whose values change with each scan."""

Samples = Mapping[str, float]


@dataclass
class Front:
    """Forwards a port to a server.

    Attributes:
        times: when each connection came.
    """

    port: int = 0
    times: list[float] = field(default_factory=list)


@asynccontextmanager
async def front(upstream: int) -> AsyncIterator[Front]:
    seen = Front()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.times.append(time.time())
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()


class Daemon:
    """The program, with a folder for its storage."""

    def __init__(self, folder: Path, targets: str) -> None:
        self.storage, self._folder, self._port = folder / "storage", folder, free_port()
        (folder / "exporter.yaml").write_text(targets)

    def start(self) -> None:
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={self._folder / 'exporter.yaml'}"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}", f"--storage.path={self.storage}"]
        with (self._folder / "log").open("ab") as log:
            self.process = start(command, log)

    async def samples(self) -> Samples:
        """The samples of targets, as soon as there is a page."""

        def get() -> str:
            for _ in range(3000):
                assert self.process.poll() is None, (self._folder / "log").read_text()
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as page:
                        return str(page.read().decode())
                except OSError:
                    time.sleep(0.02)
            raise AssertionError("no page")

        page = await asyncio.to_thread(get)
        lines = (line.rpartition(" ") for line in page.splitlines() if 'target="' in line)
        return {series: float(value) for series, _, value in lines}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        end(self.process)

    def stored(self) -> tuple[Mapping[str, Saved], list[StateChange]]:
        """What the next start will find: the latest of each target, and the history.

        Read from a copy: closing a database writes its log into the file, and the start has to do without that.
        """
        with TemporaryDirectory() as folder:
            for file in self.storage.glob(f"{FILE_NAME}*"):
                shutil.copy(file, folder)
            tables = Tables(Path(folder) / FILE_NAME)
            try:
                return tables.latest(), [
                    one.change for one in tables.read_log(LogQuery(), EPOCH, lambda *_: None).found
                ]
            finally:
                tables.close()


def constant(samples: Samples) -> Samples:
    """Those that are the same after each scan."""
    return {series: value for series, value in samples.items() if not CHANGING.search(series.partition("{")[0])}


def times(samples: Samples) -> Samples:
    """When each target was last scanned."""
    return {series: value for series, value in samples.items() if series.startswith("tls_posture_last_")}


def due(name: str, saved: Saved | None) -> float:
    """When the target is due next."""
    if saved is None:
        return 0
    first = phase(name, INTERVAL)
    return (first + ((saved.begun_at - first) // INTERVAL + 1) * INTERVAL).timestamp()


async def kill_often(daemon: Daemon, fronts: Mapping[str, Front]) -> str:
    """Kill and start the daemon again and again; returns the counts."""
    chance = random.Random(0)  # noqa: S311 - no secret
    async with asyncio.timeout(120):
        while sum(one.startswith("tls_posture_scan_success{") for one in await daemon.samples()) < len(fronts):
            await asyncio.sleep(0.2)
    scans, series, slowest = 0, 0, 0.0
    for number in range(KILLS):
        for _ in range(chance.randrange(3)):
            daemon.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(chance.random() / 2)
        await asyncio.sleep(chance.random() * 2)
        before = await daemon.samples()
        daemon.kill()
        stored, changes = daemon.stored()
        assert changes == [], f"after {number} kills"
        await asyncio.sleep(0.1)  # connections that were on their way
        for each in fronts.values():
            each.times.clear()
        begun = time.monotonic()
        daemon.start()
        after = await daemon.samples()
        slowest = max(slowest, time.monotonic() - begun)
        assert constant(after) == constant(before), f"after {number} kills"
        assert {one for one, at in times(before).items() if after[one] < at} == set(), f"after {number} kills"
        series += len(constant(before))
        await asyncio.sleep(chance.random() * 2)
        begun_at = {name: each.times[0] for name, each in fronts.items() if each.times}
        early = {name for name, at in begun_at.items() if at < due(name, stored.get(name)) - EARLY_SECONDS}
        assert not early, f"after {number} kills"
        scans += len(begun_at)
    return (
        f"{KILLS} kills: {series} samples restored, 0 lost, 0 invented; {scans} scans begun soon after a start, "
        f"0 early; first page after {slowest:.2f} s at most"
    )


def test_a_daemon_that_is_killed_forgets_nothing_and_scans_nothing_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pki = make_pki(tmp_path)
    for name in ("good", "weak"):
        (tmp_path / name).mkdir()
    head = (
        f"global:\n  scan_interval: {INTERVAL.seconds}s\n  max_age: 1d\n  ca_file: {pki.bundle}\n"
        "  resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}\ntargets:\n"
    )

    async def run(upstreams: Mapping[str, int]) -> None:
        async with AsyncExitStack() as stack:
            fronts = {name: await stack.enter_async_context(front(port)) for name, port in upstreams.items()}
            reach = f"host: {HOST}, connect_address: 127.0.0.1"
            lines = [f"  - {{name: {name}, port: {each.port}, {reach}}}\n" for name, each in fronts.items()]
            daemon = Daemon(tmp_path, head + "".join(lines))
            daemon.start()
            try:
                counts = await kill_often(daemon, fronts)
            finally:
                daemon.kill()
        with capsys.disabled():
            print(f"\n{counts}")  # noqa: T201 - for who asks for it

    with (
        nginx(tmp_path / "good", SEED_NGINX, [pki.ecdsa, pki.rsa]) as good,
        nginx(tmp_path / "weak", WEAK_NGINX, [pki.rsa]) as weak,
    ):
        asyncio.run(run({"a": good, "b": good, "c": good, "d": weak, "e": weak}))
