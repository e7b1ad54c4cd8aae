"""The exporter that watches the fleet, and a Prometheus that scrapes it."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from tests.support.names import name_server
from tests.support.processes import find_program, free_port, running
from tools.pictures.fleet import DOMAIN, WITH_CAA, Fleet, accepted, caa_answers

ROOT = Path(__file__).parents[2]
SCRAPE_SECONDS = 5
SCRAPE_LABELS = {"job": "tls-posture", "instance": "exporter.demo.example:19443"}
EXTERNAL_URL = "https://tls-posture.demo.example"
SCAN_INTERVAL = "20s"
FIRST_SCANS_SECONDS = 90
DAY_SECONDS = 24 * 3600
PAST_MINUTES = 20
"""Minutes of data before and after the moment a day ago."""


def _exporter_config(fleet: Fleet, folder: Path, dns_port: int) -> Path:
    """The configuration, as an operator would write it, but in JSON, which is also YAML."""
    defaults = {
        "policies": ["kopano-checklist", "mozilla-intermediate"],
        "scan_interval": SCAN_INTERVAL,
        "scan_timeout": "20s",
        "timeout": "2s",
        "vulnerability_interval": "2m",
        "connections_per_host": 8,
        "max_concurrent_scans": 3,
        "clients": ["android-2.3.7", "android-4.4.2", "java-8u161", "openssl-1.0.2e", "safari-9-ios"],
        "ca_file": str(folder / "ca.pem"),
        "resolver": {"nameservers": ["127.0.0.1"], "port": dns_port},
    }
    file = folder / "exporter.yaml"
    config = {
        "global": defaults,
        "metrics": {"detail": "full"},
        "targets": fleet.targets,
        "exceptions": accepted(datetime.now(UTC).date()),
    }
    file.write_text(json.dumps(config, indent=1))
    return file


@contextmanager
def _exporter(fleet: Fleet, folder: Path, dns_port: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The daemon; yields the process and its port. It alone resolves the names of the fleet, by nss_wrapper."""
    hosts = folder / "hosts"
    names = {f"{target['name']}.{DOMAIN}" for target in fleet.targets}
    lines = [f"127.0.0.1 {name}" for name in sorted(names)] + [f"127.0.0.2 api.{DOMAIN}"]
    hosts.write_text("\n".join(lines) + "\n")
    port, config = free_port(), _exporter_config(fleet, folder, dns_port)
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={config}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url={EXTERNAL_URL}"]
    environment = {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": str(hosts), "PYTHONPATH": str(ROOT)}
    with running(command, folder / "exporter.log", port=port, environment=environment) as process:
        yield process, port


async def _first_page(port: int, targets: int) -> str:
    """The metrics page after every target has been scanned.

    Raises:
        TimeoutError: the first scans take too long.
    """
    async with asyncio.timeout(FIRST_SCANS_SECONDS):
        while True:
            page = await asyncio.to_thread(_page, port)
            scanned = set(re.findall(r'tls_posture_scan_success{target="(.+?)"', page))
            if len(scanned) == targets:
                return page
            await asyncio.sleep(1)


def _page(port: int) -> str:
    """The metrics page; empty while the exporter is not ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return ""


def a_day_ago(page: str, now: float, minutes: int) -> str:
    """The series about targets and `build_info` on a page, as OpenMetrics text with timestamps of a day ago.

    They are for panels that compare with a day ago, and cover `minutes` before and after that moment.
    """
    times = range(round(now) - DAY_SECONDS - minutes * 60, round(now) - DAY_SECONDS + minutes * 60, 60)
    scraped = "".join(f',{name}="{value}"' for name, value in SCRAPE_LABELS.items())
    series = re.findall(r"^(tls_posture_(?!exporter_(?!build_info))\w+{.+)} (\S+)$", page, re.MULTILINE)
    lines = [f"{labels}{scraped}}} {value} {time}" for time in times for labels, value in series]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def _prometheus(folder: Path, exporter_port: int, page: str) -> Iterator[str]:
    """Prometheus, scraping the exporter under the name that operators would see; yields its URL."""
    port, config, past = free_port(), folder / "prometheus.yml", folder / "a-day-ago.txt"
    past.write_text(a_day_ago(page, time.time(), PAST_MINUTES))
    command = [find_program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(past), f"{folder}/data"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - a command of this file
    job = {
        "job_name": SCRAPE_LABELS["job"],
        "static_configs": [{"targets": [f"127.0.0.1:{exporter_port}"]}],
        "relabel_configs": [{"target_label": "instance", "replacement": SCRAPE_LABELS["instance"]}],
    }
    intervals = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"}
    config.write_text(json.dumps({"global": intervals, "scrape_configs": [job]}))
    command = [
        find_program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, folder / "prometheus.log", port=port):
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Watched:
    """A fleet that is being watched.

    Attributes:
        prometheus: URL.
    """

    fleet: Fleet
    exporter: subprocess.Popen[bytes]
    prometheus: str

    def reload(self) -> None:
        """Make the exporter reload its configuration."""
        self.exporter.send_signal(signal.SIGHUP)


@asynccontextmanager
async def watched_fleet(folder: Path) -> AsyncIterator[Watched]:
    """Run everything in this folder while the block runs. Each target has been scanned before the block starts.

    Servers that drop root privileges must be able to enter the folder.

    Raises:
        TimeoutError: the first scans take too long.
    """
    answers = caa_answers([f"{name}.{DOMAIN}" for name in WITH_CAA])
    with ExitStack() as stack:
        fleet = Fleet(folder, stack)
        async with name_server(answers) as (dns_port, _):
            exporter, port = stack.enter_context(_exporter(fleet, folder, dns_port))
            page = await _first_page(port, len(fleet.targets))
            yield Watched(fleet, exporter, stack.enter_context(_prometheus(folder, port, page)))
