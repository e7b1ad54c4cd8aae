"""Fixtures: the demonstration with its targets scanned, and a Prometheus server that scrapes it. Once a session."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.prometheus import Prometheus, hastened, scraping

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def demo_address() -> Iterator[str]:
    """`host:port` of the demonstration, its targets scanned."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    environment = os.environ | {"COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"Metrics: http://([^/]+)/metrics", line) for line in process.stdout)
            yield next(match[1] for match in found if match)
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="session")
def prometheus(demo_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus server that scrapes the demonstration, and goes by our rules."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = hastened(ROOT / "prometheus" / "tls-posture.rules.yaml", folder)
    with scraping(folder, demo_address, rules=[rules]) as server:
        server.wait_for("count(tls_posture_scan_success) == 2")
        yield server
