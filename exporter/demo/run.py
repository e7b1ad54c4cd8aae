"""Runs the demonstration: the same daemon as `serve`, with its own services; one of them is repaired."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from exporter.app import App
from exporter.demo.alerts import SHORTER, Firing, prometheus
from exporter.demo.services import Services, services
from exporter.environment import utc_now
from exporter.errors import ExporterError
from exporter.policies import read_config
from exporter.ranking import Condition, condition, ranked
from exporter.stopping import stop_by_signals
from exporter.terminal_overview import print_list
from exporter.web import default_external_url, make_app, serving

_MOST_SECONDS = 120
"""For all first scans, and for an alert to fire or to end; on a machine that is very busy."""
_TRIES = 5
"""Scans after the repair: on a machine that is very busy, a server can be too slow for a complete scan."""
_ALERT, _TARGET, _METRIC = "TLSPostureWeakProtocol", "mail", "tls_posture_weak_protocols"


async def demo(console: Console, addresses: list[tuple[str, int]], *, once: bool) -> int:
    """Start everything, and show the verdicts and an alert that a repair ends. Unless `once`, run until Ctrl-C.

    Returns: the exit code.

    Raises:
        ExporterError: an address cannot be bound, or something takes too long.
    """
    console.print("Six services start on loopback and are scanned. This takes half a minute.\n")
    with tempfile.TemporaryDirectory(prefix="tls-posture-demo-") as name:
        async with services(Path(name), utc_now()) as running:
            app = App(read_config(running.config), lookup=running.lookup)
            return await _Demonstration(app, running, console, Path(name)).run(addresses, once=once)


class _Demonstration:
    """What is shown, in its order."""

    def __init__(self, app: App, running: Services, console: Console, folder: Path) -> None:
        self._app, self._services, self._console, self._folder = app, running, console, folder
        self._stopping = stop_by_signals()

    async def run(self, addresses: list[tuple[str, int]], *, once: bool) -> int:
        """Serve, and show everything; returns the exit code."""
        app = self._app
        async with serving(make_app(app.sources()), addresses, watch=app.watch()) as bound:
            app.show_external_url(default_external_url(socket.gethostname(), bound[0][1], tls=False))
            app.start()
            follow = asyncio.create_task(app.freshness.run(self._stopping))
            await self._until("the first scans", self._all_scanned)
            self._print_targets()
            address = _shown_address(*bound[0])
            if once:
                self._say("Without --once, pages and metrics are served until Ctrl-C.\n")
            else:
                self._say(f"Pages: http://{address}/  Metrics: http://{address}/metrics\n")
            if once or sys.stdin.isatty():
                async with prometheus(self._folder, address, _TARGET) as firing:
                    await self._alert_and_repair(firing, wait=not once)
            if not once and not self._stopping.is_set():
                self._say("Serving until Ctrl-C.")
                await self._stopping.wait()
            self._stopping.set()
            await follow
            await app.stop()
        return 0

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _print_targets(self) -> None:
        by_target = groupby(self._app.reports(), lambda report: report.target.name)
        print_list(self._console, ranked(tuple(reports) for _, reports in by_target))
        self._console.print()

    async def _until(self, what: str, is_so: Callable[[], bool], seconds: int | None = _MOST_SECONDS) -> None:
        """Wait until it is so, or a signal comes.

        Raises:
            ExporterError: this takes longer; it says `what` does.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._stopping.is_set() and not is_so():
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ExporterError(f"{what} took more than {seconds} s") from error

    def _all_scanned(self) -> bool:
        targets, scanned = self._app.counts()
        return scanned == targets

    async def _alert_and_repair(self, firing: Firing | None, *, wait: bool) -> None:
        """Show the alert, repair the service when Enter is pressed or at once, and show that the alert ends."""
        if firing is None:
            self._say(
                f"{_METRIC} of {_TARGET} is {self._metric()}: Prometheus would fire {_ALERT}, but is not installed."
            )
        else:
            self._say(f"Prometheus starts with the alert rules. What they wait is shortened {SHORTER} times.")

            await self._until("the alert", lambda: _ALERT in firing())
            self._say(f"It fires {_ALERT} for {_TARGET}, among others.")
        if wait:
            self._say(f"Press Enter to repair {_TARGET}.")
            with _enter() as pressed:
                await self._until("nothing", pressed, seconds=None)
        if self._stopping.is_set():
            return
        self._services.repair_mail()
        self._say(f"{_TARGET} does not accept TLS 1.0 and 1.1 any more. It is scanned again.\n")
        for _ in range(_TRIES):
            scanned = self._app.schedule.scan_now(_TARGET)
            await self._until("the scan", scanned.done)
            if self._stopping.is_set() or self._complies():
                break
        self._print_targets()
        if firing is None:
            self._say(f"{_METRIC} of {_TARGET} is {self._metric()}: the alert would end.")
        else:
            await self._until("the end of the alert", lambda: _ALERT not in firing())
            self._say(f"{_ALERT} has ended for {_TARGET}.")

    def _complies(self) -> bool:
        reports = [report for report in self._app.reports() if report.target.name == _TARGET]
        return condition(reports) is Condition.COMPLIES

    def _metric(self) -> str:
        page, _ = self._app.metrics("")
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                if sample.name == _METRIC and sample.labels.get("target") == _TARGET:
                    return f"{sample.value:g}"
        return "not known"


@contextmanager
def _enter() -> Iterator[Callable[[], bool]]:
    """Yields what says whether Enter was pressed meanwhile."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        os.read(0, 1024)
        pressed.set()
        loop.remove_reader(0)

    loop.add_reader(0, read)
    try:
        yield pressed.is_set
    finally:
        loop.remove_reader(0)


def _shown_address(host: str, port: int) -> str:
    if host in {"::", "0.0.0.0"}:  # noqa: S104 - all addresses, so also this
        return f"localhost:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
