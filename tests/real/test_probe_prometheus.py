"""The scrape configuration of docs/probe.md in real Prometheus servers."""

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.support.processes import find_program, free_port, running
from tests.support.prometheus import Prometheus
from tests.support.proxy import counting_proxy
from tests.support.servers import SEED_NGINX, make_pki, nginx

pytestmark = pytest.mark.real

PAGE = Path(__file__).parent.parent.parent / "docs" / "probe.md"
EXPORTER, TARGETS = "127.0.0.1:19443", ("www.example.com", "smtp+starttls://mail.example.com")


def example(exporter: str, targets: tuple[str, str]) -> str:
    """The example of the page, with these addresses in it, asked more often."""
    found = re.search(r"```yaml\n(scrape_configs:\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    text = found[1]
    for old, new in ((EXPORTER, exporter), *zip(TARGETS, targets, strict=True), ("1m", "10s"), ("50s", "10s")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def test_the_rules_of_the_page_are_valid(tmp_path: Path) -> None:
    rules = PAGE.read_text(encoding="utf-8").split("```yaml\nprobe:\n")[1].split("```")[0]
    file = tmp_path / "config.yaml"
    file.write_text(f"probe:\n{rules}")
    with running([sys.executable, "-m", "exporter", "check-config", f"--config.file={file}"], tmp_path / "log") as done:
        assert done.wait(60) == 0
    assert len(yaml.safe_load(file.read_text())["probe"]["allow"]) == 3


def test_two_prometheus_servers_get_the_series_of_one_scan(tmp_path: Path) -> None:
    for folder in ("nginx", "one", "two"):
        (tmp_path / folder).mkdir()
    pki, port = make_pki(tmp_path), free_port()
    with (
        nginx(tmp_path / "nginx", SEED_NGINX, [pki.ecdsa]) as server,
        counting_proxy(server) as counts,
        ExitStack() as on,
    ):
        asked = f"127.0.0.1:{counts.port}"
        file = tmp_path / "exporter.yaml"
        file.write_text(
            "global: {resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}}\n"
            f"probe: {{allow: [{{cidrs: [127.0.0.1/32], ports: [{counts.port}]}}]}}\n"
        )
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        on.enter_context(running(command, tmp_path / "exporter.log", port=port))
        servers = []
        for folder in ("one", "two"):
            config, address = tmp_path / folder / "prometheus.yml", f"127.0.0.1:{free_port()}"
            config.write_text(example(f"127.0.0.1:{port}", (asked, "169.254.169.254")))
            command = [find_program("prometheus"), f"--config.file={config}", f"--web.listen-address={address}"]
            command.append(f"--storage.tsdb.path={tmp_path / folder}/data")
            log = tmp_path / folder / "log"
            on.enter_context(running(command, log, port=int(address.rpartition(":")[2])))
            servers.append(Prometheus(address))
        for prometheus in servers:
            prometheus.wait_for(f'count_over_time(tls_posture_scan_success{{instance="{asked}"}}[5m]) > 1')
            (success,) = prometheus.ask("tls_posture_scan_connections")
            assert success["metric"]["instance"] == success["metric"]["target"] == asked
            assert success["metric"]["job"] == "tls-posture-probe"
            assert int(success["value"][1]) == counts.connections > 10
            assert prometheus.ask('tls_posture_check_passed{policy="mozilla-intermediate"}')
            assert not prometheus.ask('tls_posture_check_passed{policy!="mozilla-intermediate"}')
            assert prometheus.number('up{instance="169.254.169.254"}') in {0.0, None}  # not permitted
