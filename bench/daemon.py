"""What the start, reloads and the end of a daemon with many targets cost: CPU, memory, the longest callback.

A real `serve` with a full store. All targets are at one port of loopback that refuses connections, so that scans cost
next to nothing. CPU is that of the process, so other work on the machine changes little.

.venv/bin/python -m bench.daemon 1000 10000
"""

import argparse
import asyncio
import gc
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from asyncio import Handle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.judge import Judge, alone, seen_after
from exporter.loading import Loader
from exporter.model import Target
from exporter.policies import read_config
from exporter.publisher import Setup, service_key
from exporter.store import Store
from exporter.store.database import Database
from exporter.store.saved import Saved
from exporter.targets.discovery import Discovery
from tests.support.facts import good_facts, result

LONG_SECONDS = 0.03
"""Callbacks that take less CPU than this are not listed."""
WAIT_SECONDS = 600.0
TICKS = os.sysconf("SC_CLK_TCK")


# --- in the daemon ----------------------------------------------------------------------------------------------------


def traced(log: Path, arguments: list[str]) -> None:
    """Run the program with these arguments; each long callback of its event loop becomes a line of the log."""
    run = Handle._run  # noqa: SLF001 - the one place that every callback passes
    collecting: list[float] = [0.0, 0.0]

    def on_collection(phase: str, _details: object) -> None:
        if phase == "start":
            collecting[0] = time.thread_time()
        else:
            collecting[1] += time.thread_time() - collecting[0]

    def timed(handle: Handle) -> None:
        what, begun, before = repr(handle), time.thread_time(), collecting[1]
        run(handle)
        took = time.thread_time() - begun
        if took > LONG_SECONDS:
            with log.open("a") as file:
                file.write(f"{took:.3f} {collecting[1] - before:.3f} {what[:160]}\n")

    gc.callbacks.append(on_collection)
    Handle._run = timed  # type: ignore[assignment]  # noqa: SLF001 - the same
    sys.argv = ["tls-posture-exporter", *arguments]
    runpy.run_module("exporter", run_name="__main__")


# --- the measurement --------------------------------------------------------------------------------------------------


def write_config(path: Path, number: int, port: int, *, interval: str = "1h") -> None:
    """A configuration with so many targets."""
    lines = ["global:", "  scan_interval: 6h", "  http: {port: off}", "targets:"]
    for index in range(number):
        host = f"127.{1 + index // 62_500}.{index // 250 % 250}.{1 + index % 250}"
        lines += [f"  - host: {host}", f"    port: {port}", f"    name: service-{index:05}.example.com"]
        lines += [f"    labels: {{team: team-{index % 40}, site: site-{index % 7}}}"]
        if index == 0:
            lines += [f"    scan_interval: {interval}"]
    path.write_text("\n".join(lines) + "\n")


async def fill(folder: Path, config_file: Path) -> None:
    """Store the same scan for each target, ended now."""
    now = datetime.now(UTC)
    setup = Loader(Setup, alone).load(config := read_config(config_file), Discovery(lambda: now).stage(config)).setup
    database = Database(folder, timedelta(days=30), now=lambda: now, failed=print, everything=dict)
    database.open()
    for name, target in setup.targets.items():
        database.put(name, saved(target, service_key(target), setup.judge, now))
    if not database.close(timedelta(minutes=5)):
        raise SystemExit("the store could not be written")


_first: list[Saved] = []


def saved(target: Target, service: str, judge: Judge, now: datetime) -> Saved:
    """What is kept of a target; all of them have the same facts."""
    if not _first:
        seen = seen_after([result(good_facts(now), target=target, ended_at=now)], now)
        _first.append(Store().put(seen, judge.reports(seen, target, now), service, 0, now))
    return replace(_first[0], service=service)


class Measured:
    """A daemon that runs."""

    def __init__(self, folder: Path, config_file: Path, port: int) -> None:
        self.log, self.port, self.begun = folder / "callbacks", port, time.monotonic()
        flags = [f"--config.file={config_file}", f"--storage.path={folder / 'store'}", "--log.level=warning"]
        flags += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle"]
        command = [sys.executable, "-m", "bench.daemon", "--traced", str(self.log), "serve", *flags]
        self.process = subprocess.Popen(command)  # noqa: S603 - our own program

    @property
    def cpu(self) -> float:
        """Seconds of CPU until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, key: str) -> int:
        """MiB, by a key of /proc/PID/status."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{key}:\s+(\d+) kB", status)
        return int(found[1]) // 1024 if found else -1

    def get(self, path: str) -> bytes | None:
        """The body of the answer; None while there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=WAIT_SECONDS) as answer:
                body: bytes = answer.read()
                return body
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def until(self, reached: Callable[[], object]) -> None:
        """Wait until this is true."""
        end = time.monotonic() + WAIT_SECONDS
        while not reached():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("the daemon did not get there")
            time.sleep(0.02)

    def step(self, what: str, reached: Callable[[], object]) -> None:
        """Print what a step costs, from now until this is true."""
        cpu, begun = self.cpu, time.monotonic()
        self.until(reached)
        took, seconds = self.cpu - cpu, time.monotonic() - begun
        longest = self.longest()
        rss = f"RSS {self.memory('VmRSS')} MiB, peak {self.memory('VmHWM')} MiB"
        print(f"{what:24} CPU {took:6.2f} s  wall {seconds:6.2f} s  {rss}  {longest}", flush=True)  # noqa: T201

    def longest(self) -> str:
        """The longest callbacks since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        if not lines:
            return f"no callback over {LONG_SECONDS * 1000:.0f} ms"
        worst = sorted(lines, reverse=True)[:3]
        return f"{len(lines)} long callbacks\n    " + "\n    ".join(worst)

    def reload(self) -> bool:
        """Reload, and wait for the answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/-/reload", method="POST")
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:  # noqa: S310
            return bool(answer.status == 200)

    def page(self) -> bytes:
        """The metrics."""
        return self.get("/metrics") or b""


def measure(number: int) -> None:
    """Print the figures for so many targets."""
    print(f"{number} targets", flush=True)  # noqa: T201
    with TemporaryDirectory() as scratch, socket.socket() as refusing, socket.socket() as free:
        folder, config_file = Path(scratch), Path(scratch) / "config.yaml"
        refusing.bind(("127.0.0.1", 0))  # without `listen`
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        write_config(config_file, number, refusing.getsockname()[1])
        asyncio.run(fill(folder / "store", config_file))
        for life in (judge_all, steps):
            daemon = Measured(folder, config_file, port)
            try:
                life(daemon, config_file, number, refusing.getsockname()[1])
            finally:
                daemon.process.kill()


def judge_all(daemon: Measured, *_: object) -> None:
    """A life that finds facts in the store, and has to judge all of them."""
    daemon.step("healthy", lambda: daemon.get("/-/healthy"))
    daemon.step("ready, all judged", lambda: daemon.get("/-/ready"))
    end(daemon)


def steps(daemon: Measured, config_file: Path, number: int, refused: int) -> None:
    """The life of one daemon."""
    daemon.step("healthy", lambda: daemon.get("/-/healthy"))
    daemon.step("ready", lambda: daemon.get("/-/ready"))
    daemon.step("first scrape", daemon.page)
    for what, interval in (("reload, nothing changed", "1h"), ("reload, one changed", "2h")):
        write_config(config_file, number, refused, interval=interval)
        daemon.step(what, daemon.reload)
    daemon.step("scrape", daemon.page)
    time.sleep(5)
    daemon.step("5 s later", lambda: True)
    end(daemon)


def end(daemon: Measured) -> None:
    """Ask it to end."""
    begun = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    _, _, used = os.wait4(daemon.process.pid, 0)
    whole = used.ru_utime + used.ru_stime
    print(f"{'SIGTERM':24} wall {time.monotonic() - begun:6.2f} s; CPU of the complete life {whole:.2f} s", flush=True)  # noqa: T201
    print(f"    {daemon.longest()}", flush=True)  # noqa: T201


def main() -> None:
    """Measure, or be the daemon that is measured."""
    if sys.argv[1:2] == ["--traced"]:
        traced(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", type=int, default=[1000], help="how many targets")
    for number in parser.parse_args().targets:
        measure(number)


if __name__ == "__main__":
    main()
