"""The daemon as operators run it: real servers, a real Prometheus, signals."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.names import name_server
from tests.support.processes import end, find_program, free_port, running, start, wait_for
from tests.support.proxy import counting_proxy
from tests.support.servers import HOST, SEED_NGINX, WEAK_NGINX, Pki, make_pki, nginx, this_distribution

pytestmark = pytest.mark.real

CONNECTION_BUDGET = 45
"""For a whole scan of the server that meets the checklist: two of them for attacks, once a day."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@contextmanager
def caa_server() -> Iterator[int]:
    """A name server, in a thread, that has CAA for the good host alone."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []
    stop = asyncio.Event()

    async def run() -> None:
        answers = {f"good.{HOST}": ['0 issue "ca.test.example"'], f"weak.{HOST}": [], HOST: [], "test.example": []}
        async with name_server({**answers, "example": []}) as (port, _):
            ports.append(port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


def get(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback, http
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - as above
        return str(response.read().decode())


@contextmanager
def daemon(folder: Path, config: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`serve` on this configuration; gives the process and its URL."""
    file, port = folder / "exporter.yaml", free_port()
    file.write_text(config)
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with running(command, folder / "exporter.log", port=port) as process:
        yield process, f"http://127.0.0.1:{port}"


def two_targets(pki: Pki, dns: int, good: int, weak: int) -> str:
    reach = f"server_name: {HOST}, connect_address: 127.0.0.1"
    return f"""
global:
  scan_interval: 1h
  ca_file: {pki.bundle}
  resolver: {{nameservers: [127.0.0.1], port: {dns}}}
targets:
  - {{name: good, host: good.{HOST}, port: {good}, {reach}, labels: {{team: web}}, distribution: {this_distribution()}}}
  - {{name: weak, host: weak.{HOST}, port: {weak}, {reach}}}
"""


def test_prometheus_sees_one_target_that_complies_and_one_that_does_not(pki: Pki, tmp_path: Path) -> None:
    for name in ("good", "weak", "prometheus"):
        (tmp_path / name).mkdir()
    with (
        nginx(tmp_path / "good", SEED_NGINX, [pki.ecdsa, pki.rsa]) as good,
        nginx(tmp_path / "weak", WEAK_NGINX, [pki.rsa]) as weak,
        counting_proxy(good) as counts,
        caa_server() as dns,
        daemon(tmp_path, two_targets(pki, dns, counts.port, weak)) as (_, url),
    ):
        page = str(
            wait_for(
                "both verdicts", 30, lambda: (p := get(f"{url}/metrics")).count("tls_posture_compliant{") == 2 and p
            )
        )
        assert 'tls_posture_compliant{target="good",team="web",policy="kopano-checklist"} 1' in page
        assert 'tls_posture_compliant{target="weak",policy="kopano-checklist"} 0' in page

        # What the scan of the checklist's server cost, by our count and by the proxy's.
        assert counts.connections <= CONNECTION_BUDGET
        assert f'tls_posture_scan_connections{{target="good",team="web"}} {counts.connections}\n' in page
        assert counts.most_at_once <= 4

        check_formats(url, page)
        check_query_api(tmp_path / "prometheus", url)


def check_formats(url: str, page: str) -> None:
    promtool = subprocess.run(
        [find_program("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert promtool.returncode == 0, promtool.stdout + promtool.stderr
    openmetrics = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.endswith("# EOF\n")
    shown = {sample.name for family in parse_text(page) for sample in family.samples}
    also = {sample.name for family in parse_openmetrics(openmetrics) for sample in family.samples}
    ours = {name for name in shown if re.match("tls_posture_(?!exporter_)", name)}
    assert ours == {name for name in also if re.match("tls_posture_(?!exporter_)", name)}
    assert len(ours) > 25


def check_query_api(folder: Path, url: str) -> None:
    port = free_port()
    config = folder / "prometheus.yml"
    address = url.removeprefix("http://")
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs:\n  - job_name: tls\n    static_configs:\n      - targets: ['{address}']\n"
    )
    command = [
        find_program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, folder / "prometheus.log", port=port):
        query = urllib.parse.urlencode({"query": "tls_posture_compliant"})

        def verdicts() -> dict[str, str] | None:
            result = json.loads(get(f"http://127.0.0.1:{port}/api/v1/query?{query}"))["data"]["result"]
            found = {entry["metric"]["target"]: entry["value"][1] for entry in result}
            return found if len(found) == 2 else None

        assert wait_for("a scrape", 30, verdicts) == {"good": "1", "weak": "0"}


def test_sigterm_ends_it_within_ten_seconds_even_with_scans_running(tmp_path: Path) -> None:
    with daemon(tmp_path, _silent_config()) as (process, url):
        wait_for("running scans", 20, lambda: "tls_posture_exporter_scans_running 8.0" in get(f"{url}/metrics"))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began < 10
    log = (tmp_path / "exporter.log").read_text()
    assert "Traceback" not in log
    assert 'level=info logger=exporter.daemon msg="listening on 127.0.0.1 port' in log
    assert log.splitlines()[-1].endswith("level=info logger=exporter.daemon msg=stopping")


def _silent_config() -> str:
    """Eight targets on a server that accepts and says nothing."""
    port = free_port()
    script = (
        "import socket, time\n"
        f"s = socket.create_server(('127.0.0.1', {port}), backlog=128); kept = []\n"
        "s.settimeout(60)\n"
        "while True: kept.append(s.accept()[0])\n"
    )
    process = start([sys.executable, "-c", script], subprocess.DEVNULL)
    _SILENT.append(process)
    targets = "".join(f"  - {{name: t{n}, host: 127.0.0.1, port: {port}}}\n" for n in range(8))
    return f"global: {{scan_interval: 1h, timeout: 30s, connections_per_host: 100}}\ntargets:\n{targets}"


_SILENT: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _end_silent_servers() -> Iterator[None]:
    yield
    while _SILENT:
        end(_SILENT.pop())


def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    target = "  - {{name: {0}, host: 127.0.0.1, port: {1}}}\n"
    port = free_port()
    with daemon(tmp_path, "targets:\n" + target.format("a", port)) as (process, url):
        wait_for("the target", 10, lambda: 'target="a"' in get(f"{url}/metrics"))
        (tmp_path / "exporter.yaml").write_text("targets:\n" + target.format("b", port))
        process.send_signal(signal.SIGHUP)
        page = str(wait_for("the new target", 10, lambda: 'target="b"' in (p := get(f"{url}/metrics")) and p))
        assert 'target="a"' not in page
