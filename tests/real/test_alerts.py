"""Alerts from a server to whoever is told: our daemon, Prometheus and Alertmanager, all real.

The rules and Alertmanager's configuration are those that are shipped, with shorter durations, and with receivers here.
"""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.processes import end, find_program, free_port, running, wait_for
from tests.support.prometheus import Prometheus, hastened, scraping
from tests.support.servers import HOST, Pki, make_pki

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

FOLDER = Path(__file__).parent.parent.parent / "prometheus"
WEAK, GOOD = "TLSv1.1 TLSv1.2 TLSv1.3", "TLSv1.2 TLSv1.3"


class Told(NamedTuple):
    """One alert of a notification."""

    receiver: str
    status: str
    labels: dict[str, str]


@contextmanager
def receivers() -> Iterator[tuple[str, list[Told]]]:
    """A server for webhooks: its address, and what came, in order."""
    told: list[Told] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver = self.path.strip("/")
            told.extend(Told(receiver, alert["status"], alert["labels"]) for alert in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def alertmanager(folder: Path, webhooks: str) -> Iterator[str]:
    """An Alertmanager with the configuration that is shipped; gives its address."""
    text = (FOLDER / "alertmanager.example.yml").read_text(encoding="utf-8").replace("alerts.example.com", webhooks)
    # Long enough that what mutes has come with what it mutes.
    text = re.sub(r"(group_wait): \w+", r"\1: 4s", text)
    text = re.sub(r"(group_interval): \w+", r"\1: 2s", text)
    config, port = folder / "alertmanager.yml", free_port()
    config.write_text(text, encoding="utf-8")
    command = [
        find_program("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder}/alerts",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(command, folder / "alertmanager.log", port=port):
        yield f"127.0.0.1:{port}"


class Nginx:
    """One that takes other protocols without a restart."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        self.port = free_port()
        self.folder = folder
        self._pki = pki
        self._write(WEAK)

    def _write(self, protocols: str) -> None:
        paths = " ".join(f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi"))
        paths += f" uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;"
        (self.folder / "nginx.conf").write_text(
            f"""daemon off; pid {self.folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; {paths}
  server {{
    listen 127.0.0.1:{self.port} ssl; server_name {HOST};
    ssl_certificate {self._pki.rsa}; ssl_certificate_key {self._pki.rsa};
    ssl_protocols {protocols};
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0;
    location / {{ return 200 "hello"; }}
  }}
}}
"""
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [find_program("nginx"), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        with running(command, self.folder / "nginx.log", port=self.port) as process:
            yield process

    def take(self, process: subprocess.Popen[bytes], protocols: str) -> None:
        self._write(protocols)
        process.send_signal(signal.SIGHUP)


@contextmanager
def daemon(folder: Path, pki: Pki, port: int) -> Iterator[str]:
    """Our daemon with one target, of team web, whose policy asks for the protocols alone; gives its address."""
    protocols = {"severity": "critical", "source": "here", "allowed": ["TLSv1.2", "TLSv1.3"]}
    policy = {"name": "own", "title": "Own", "version": "1", "source": "here", "checks": {"protocols": protocols}}
    (folder / "own.yaml").write_text(json.dumps(policy))
    target = {"name": "shop", "host": "127.0.0.1", "port": port, "server_name": HOST, "labels": {"team": "web"}}
    settings = {
        "policy": "./own.yaml",
        "ca_file": str(pki.bundle),
        "scan_interval": "4s",
        "scan_timeout": "4s",
        "max_age": "1h",
        "vulnerability_interval": "never",
    }
    (folder / "exporter.yaml").write_text(json.dumps({"global": settings, "targets": [target]}))
    own = free_port()
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={folder}/exporter.yaml"]
    with running([*command, f"--web.listen-address=127.0.0.1:{own}"], folder / "exporter.log", port=own):
        yield f"127.0.0.1:{own}"


def firing(prometheus: Prometheus) -> set[str]:
    return {sample["metric"]["alertname"] for sample in prometheus.ask('ALERTS{alertstate="firing"}')}


def suppressed(folder: Path, address: str) -> dict[str, bool]:
    """Name of each alert that Alertmanager has -> whether another one mutes it."""
    command = [find_program("amtool"), f"--alertmanager.url=http://{address}", "--output=json"]
    command += ["alert", "query", "--active", "--inhibited"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20, check=True)
    alerts: list[dict[str, Any]] = json.loads(done.stdout)
    return {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in alerts}


def test_an_alert_fires_ends_and_fires_again(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    nginx = Nginx(tmp_path, pki)
    rules = hastened(FOLDER / "tls-posture.rules.yaml", tmp_path)
    with (
        receivers() as (webhooks, told),
        alertmanager(tmp_path, webhooks) as manager,
        nginx.running() as server,
        daemon(tmp_path, pki, nginx.port) as exporter,
        scraping(tmp_path, exporter, rules=[rules], alertmanager=manager) as prometheus,
    ):

        def states(name: str, receiver: str = "team-web") -> list[str]:
            """What one receiver was told of an alert, repetitions left out."""
            seen = [one.status for one in told if one.receiver == receiver and one.labels["alertname"] == name]
            return [status for number, status in enumerate(seen) if number == 0 or seen[number - 1] != status]

        wait_for("the alert", 40, lambda: states("TLSPostureNonCompliant") == ["firing"])
        about = [
            one for one in told if one.receiver == "team-web" and one.labels["alertname"] == "TLSPostureNonCompliant"
        ]
        (labels,) = {tuple(sorted(one.labels.items())) for one in about}
        assert dict(labels) == {
            "alertname": "TLSPostureNonCompliant",
            "instance": exporter,
            "job": "tls-posture",
            "target": "shop",
            "team": "web",
            "policy": "own",
            "check": "protocols",
            "severity": "critical",
        }
        # What the policy says already is muted; security has a copy of what is critical.
        assert "TLSPostureWeakProtocol" in firing(prometheus)
        muted = suppressed(tmp_path, manager)
        muted.pop("TLSPostureGradeBelowA", None)  # the policy does not ask for it; where the grade is known it is told
        assert muted == {"TLSPostureNonCompliant": False, "TLSPostureWeakProtocol": True}
        wait_for("the copy", 10, lambda: states("TLSPostureNonCompliant", "security") == ["firing"])

        nginx.take(server, GOOD)
        wait_for("its end", 40, lambda: states("TLSPostureNonCompliant") == ["firing", "resolved"])
        wait_for("the end of all", 40, lambda: firing(prometheus) == set())

        nginx.take(server, WEAK)
        wait_for("the alert again", 40, lambda: states("TLSPostureNonCompliant") == ["firing", "resolved", "firing"])

        end(server)
        wait_for("the alert that it is gone", 40, lambda: states("TLSPostureTargetUnreachable") == ["firing"])
        others = {"TLSPostureNonCompliant", "TLSPostureWeakProtocol"}
        assert others <= firing(prometheus)
        muted = suppressed(tmp_path, manager)
        assert others <= muted.keys()
        assert muted == dict.fromkeys(muted, True) | {"TLSPostureTargetUnreachable": False}
        # No end was told of what nobody mended.
        assert states("TLSPostureNonCompliant") == ["firing", "resolved", "firing"]
