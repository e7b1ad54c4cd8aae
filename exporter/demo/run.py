"""Runs the demonstration: the same daemon as `serve`, with its own servers."""

import asyncio
import socket
import tempfile
from itertools import groupby
from pathlib import Path

from rich.console import Console

from exporter.app import App
from exporter.demo.certificates import Authority
from exporter.demo.servers import (
    GOOD_FIELDS,
    WEAK_FIELDS,
    good_context,
    https_server,
    name_server,
    weak_context,
    write_config,
)
from exporter.environment import utc_now
from exporter.errors import ExporterError
from exporter.policies import read_config
from exporter.ranking import ranked
from exporter.stopping import stop_by_signals
from exporter.terminal_overview import print_overview
from exporter.web import default_external_url, make_app, serving

_FIRST_SCANS_SECONDS = 30


async def demo(console: Console, addresses: list[tuple[str, int]], *, once: bool) -> int:
    """Start everything, and print the verdicts and the address. Unless `once`, run until Ctrl-C. Returns the exit code.

    Raises:
        ExporterError: an address cannot be bound, or the first scans take too long.
    """
    with tempfile.TemporaryDirectory(prefix="tls-posture-demo-") as name:
        folder = Path(name)
        now = utc_now()
        authority = Authority(folder, now)
        async with (
            https_server(good_context(authority), GOOD_FIELDS) as good,
            https_server(weak_context(authority), WEAK_FIELDS) as weak,
            name_server() as dns,
        ):
            config = read_config(write_config(authority, good, weak, dns, now.date()))
            return await _run(App(config), console, addresses, once=once)


async def _run(app: App, console: Console, addresses: list[tuple[str, int]], *, once: bool) -> int:
    stopping = stop_by_signals()
    async with serving(make_app(app.sources()), addresses, watch=app.watch()) as bound:
        app.show_external_url(default_external_url(socket.gethostname(), bound[0][1], tls=False))
        app.start()
        try:
            async with asyncio.timeout(_FIRST_SCANS_SECONDS):
                while app.counts()[1] < app.counts()[0] and not stopping.is_set():
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise ExporterError(f"the first scans took more than {_FIRST_SCANS_SECONDS} s") from error
        by_target = groupby(app.reports(), lambda report: report.target.name)
        print_overview(console, ranked(tuple(reports) for _, reports in by_target))
        console.print()
        host, port = bound[0]
        shown = "localhost" if host in {"::", "0.0.0.0"} else f"[{host}]" if ":" in host else host  # noqa: S104
        url = f"http://{shown}:{port}/"
        console.print(f"Pages: {url}  Metrics: {url}metrics", highlight=False, soft_wrap=True)
        if not once:
            console.print("Serving until Ctrl-C.")
            await app.freshness.run(stopping)
        await app.stop()
    return 0
