"""Fixtures, once per session: the demonstration with its targets scanned, and a Prometheus that scrapes it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import running, wait_for
from tests.support.prometheus import Prometheus, hastened, scraping

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def demo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of the demonstration, its targets scanned."""
    log = tmp_path_factory.mktemp("demo") / "demo.log"
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address", "127.0.0.1:0"]
    with running(command, log, environment={"COLUMNS": "200"}):
        found = wait_for("the demo", 120, lambda: re.search(r"Metrics: http://([^/]+)/metrics", log.read_text()))
        assert found is not None
        yield found[1]


@pytest.fixture(scope="session")
def prometheus(demo_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus server that scrapes the demonstration and evaluates our rules."""
    folder = tmp_path_factory.mktemp("prometheus")
    rules = hastened(ROOT / "prometheus" / "tls-posture.rules.yaml", folder)
    with scraping(folder, demo_address, rules=[rules]) as server:
        server.wait_for("count(tls_posture_scan_success) == 7")
        yield server
