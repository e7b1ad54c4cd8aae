"""compose.yaml without Docker: what it mounts exists, and its services start with its commands and see each other."""

import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.cli.parser import make_parser
from tests.support.pods import moved
from tests.support.processes import find_program, free_port, running, wait_for
from tests.support.servers import HOST, SEED_NGINX, make_pki, nginx
from tools.write_chart import COMPOSE as COMPOSE_FILE
from tools.write_chart import written

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PORTS = {"exporter": 19443, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def mounts(service: str) -> dict[str, str]:
    """Source by the path in the container."""
    split = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {parts[1]: parts[0] for parts in split}


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_mounts_exists_and_is_read_only(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        source, _, *mode = volume.split(":")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
            assert mode == []


@pytest.mark.parametrize("service", SERVICES)
def test_images_have_a_version_and_ports_are_of_this_machine(service: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])
    assert SERVICES[service]["ports"] == [f"127.0.0.1:{PORTS[service]}:{PORTS[service]}"]


def test_only_the_image_of_the_exporter_has_its_version() -> None:
    """tools/write_chart.py writes it."""
    changed = written()[COMPOSE_FILE]
    assert yaml.safe_load(changed) == COMPOSE
    own = {name for name, one in SERVICES.items() if one["image"].endswith(f":{__version__}")}
    assert own == {"exporter"}


def test_the_exporter_is_hardened_and_is_built_here() -> None:
    exporter = SERVICES["exporter"]
    assert exporter["image"].endswith(f":{__version__}")
    assert exporter["build"] == "."
    assert exporter["read_only"]
    assert exporter["cap_drop"] == ["ALL"]
    options = make_parser().parse_args(exporter["command"])
    assert str(options.storage_path) in mounts("exporter")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "HEALTHCHECK" in dockerfile
    # A new volume belongs to the user of the image only if the image has the folder.
    assert "COPY --from=builder --chown=65532:65532 /opt/state/ /var/lib/\n" in dockerfile
    assert "install --directory /opt/state/tls-posture-exporter" in dockerfile


def test_grafana_has_the_data_source_and_the_dashboards() -> None:
    provisioning = ROOT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{PORTS['prometheus']}"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "tls-posture.yaml").read_text())["providers"]
    folder = mounts("grafana")[provider["options"]["path"]]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (ROOT / folder / home.name).exists()


def test_services_listen_where_the_others_ask() -> None:
    """Each of these ports is the default of its program, which `command` leaves."""
    config = yaml.safe_load((ROOT / mounts("prometheus")["/etc/prometheus/prometheus.yml"]).read_text())
    (job,), (alertmanager,) = config["scrape_configs"], config["alerting"]["alertmanagers"]
    assert job["static_configs"] == [{"targets": [f"exporter:{PORTS['exporter']}"]}]
    assert alertmanager["static_configs"] == [{"targets": [f"alertmanager:{PORTS['alertmanager']}"]}]
    assert not [flag for one in SERVICES.values() for flag in one.get("command", []) if "listen-address" in flag]


class Host:
    """Starts services here: the same commands, with paths below a folder and ports of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, {name: free_port() for name in PORTS}

    def command(self, service: str) -> list[str]:
        """What runs in the container, after its volumes are laid out."""
        paths = {path: self.folder / service / path.lstrip("/") for path in mounts(service)}
        for path, source in mounts(service).items():
            if not source.startswith("./"):
                paths[path].mkdir(parents=True)
                continue
            files = [ROOT / source] if (ROOT / source).is_file() else [*(ROOT / source).iterdir()]
            for file in files:
                copy = paths[path] if len(files) == 1 and file == ROOT / source else paths[path] / file.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(self._here(file.read_text(encoding="utf-8")), encoding="utf-8")
        address = f"--web.listen-address=127.0.0.1:{self.ports[service]}"
        return [*(moved(argument, paths) for argument in SERVICES[service]["command"]), address]

    def _here(self, text: str) -> str:
        for name, port in PORTS.items():
            text = text.replace(f'"{name}:{port}"', f'"127.0.0.1:{self.ports[name]}"')
        # Nobody is notified, and a test does not wait for a minute.
        return text.replace("alerts.example.com", "127.0.0.1:1").replace("interval: 1m", "interval: 1s")

    def ask(self, service: str, path: str) -> Any:  # noqa: ANN401 - JSON
        """The answer of a service as JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=10) as response:
            return json.load(response)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.real
def test_files_for_prometheus_and_alertmanager_are_valid(host: Host) -> None:
    for program, service in (
        (("promtool", "check", "config"), "prometheus"),
        (("amtool", "check-config"), "alertmanager"),
    ):
        file = host.command(service)[0].partition("=")[2]
        done = subprocess.run(
            [find_program(program[0]), *program[1:], file], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rules found" in done.stdout or "SUCCESS" in done.stdout


@pytest.fixture
def target(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "target"
    folder.mkdir()
    with nginx(folder, SEED_NGINX, [make_pki(folder).ecdsa]) as port:
        yield port


@pytest.mark.real
def test_all_services_work_together(host: Host, target: int) -> None:
    """A target that is added to the file is scanned, scraped and judged by the rules."""
    programs = {
        "alertmanager": [find_program("prometheus-alertmanager"), "--cluster.listen-address="],
        "exporter": [sys.executable, "-m", "exporter"],
        "prometheus": [find_program("prometheus")],
    }
    with ExitStack() as stack:
        for service, program in programs.items():
            command = host.command(service)
            stack.enter_context(
                running(
                    [*program, *command] if service != "alertmanager" else [program[0], *command, *program[1:]],
                    host.folder / f"{service}.log",
                    environment={"PYTHONPATH": str(ROOT)},
                    port=host.ports[service],
                )
            )
        assert host.ask("alertmanager", "/api/v2/status")["config"]["original"]
        rules = wait_for("Prometheus", 60, lambda: host.ask("prometheus", "/api/v1/rules"))["data"]["groups"]
        assert {group["name"] for group in rules} >= {"tls-posture-certificates", "tls-posture-exporter"}
        assert wait_for(
            "Alertmanager", 60, lambda: host.ask("prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        )

        file = host.folder / "exporter" / "etc" / "tls-posture-exporter" / "config.yaml"
        entry = (
            f"{{name: shop, host: {HOST}, connect_address: 127.0.0.1, port: {target}, vulnerability_interval: never}}"
        )
        file.write_text(file.read_text().replace("targets: []", f"targets: [{entry}]"))
        wait_for(
            "the certificate", 90, lambda: found(host, 'tls_posture_scan_success{job="tls-posture"}') == {"shop": "1"}
        )
        # It is signed by nobody that Prometheus' host trusts: an alert of the rules.
        wait_for("a rule", 60, lambda: "shop" in found(host, 'ALERTS{alertname="TLSPostureCertificateUntrusted"}'))


def found(host: Host, query: str) -> Mapping[str, str]:
    """Target -> value."""
    result = host.ask("prometheus", f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")["data"]["result"]
    return {entry["metric"]["target"]: entry["value"][1] for entry in result}
