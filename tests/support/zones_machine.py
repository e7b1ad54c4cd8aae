r"""A machine with an exporter, a broker and two zones, set up by the commands and files of docs/zones.md.

Each zone is a network namespace with a web server at 10.9.0.1, which only its own worker can reach. It runs as root in
namespaces of its own, so that nothing is left when it ends:

    unshare --mount --net --pid --fork --kill-child --mount-proc \
        python -m tests.support.zones_machine BROKER FOLDER [long]

BROKER is redis or rabbitmq. FOLDER/found.json has what was seen.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ETC = Path("/etc/tls-posture-exporter")
PROGRAM = [sys.executable, "-m", "exporter"]
BROKER_NAME, HUB = "broker.example.com", "10.1.0.1"
ZONES = {"office": "10.1.0.2", "dmz": "10.1.0.3"}
TARGETS = {"office": "office-intranet", "dmz": "dmz-gateway"}
START_WITHIN = "3s"
SECONDS = 90


def shell(command: str) -> str:
    """The output of a command."""
    return subprocess.run(["bash", "-ec", command], check=True, capture_output=True, text=True).stdout


@dataclass
class Machine:
    """What runs on it, by name."""

    broker: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: list[str], zone: str | None = None, **environment: str) -> None:
        """Start a program, in the namespace of a zone if one is given."""
        inside = ["ip", "netns", "exec", zone] if zone else []
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*inside, *command], stdout=log, stderr=log, env={**os.environ, **environment}, start_new_session=True
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a program, and wait for it."""
        process = self.processes.pop(name)
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(SECONDS)

    def start_broker(self) -> None:
        """Start the broker, and wait until it listens."""
        if self.broker == "redis":
            port = 6379
            self.start("broker", ["redis-server", str(ETC / "redis.conf"), "--dir", str(self.folder), "--save", ""])
        else:
            port = 5671
            data = self.folder / "rabbitmq"
            data.mkdir(exist_ok=True)
            self.start(
                "broker",
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                HOME=str(data),
                RABBITMQ_NODENAME="rabbit@localhost",
                RABBITMQ_CONFIG_FILE=str(ETC / "rabbitmq.conf"),
                RABBITMQ_MNESIA_BASE=str(data / "mnesia"),
                RABBITMQ_LOG_BASE=str(data / "log"),
                RABBITMQ_ENABLED_PLUGINS_FILE=str(data / "enabled_plugins"),
                RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1",
            )
        wait_for(lambda: f":{port} " in shell("ss -Htln"), "the broker listens")

    def start_worker(self, zone: str) -> None:
        """Start the worker of a zone."""
        command = ["worker", f"--config.file={ETC}/worker-{zone}.yaml", f"--zone={zone}", "--processes=1"]
        self.start(f"worker-{zone}", [*PROGRAM, *command, "--web.listen-address=127.0.0.1:19500"], zone)

    def start_exporter(self) -> None:
        """Start the exporter."""
        command = ["serve", f"--config.file={ETC}/exporter.yaml", "--web.listen-address=127.0.0.1:19443"]
        self.start("exporter", [*PROGRAM, *command])
        wait_for(lambda: bool(metrics()), "the exporter answers")


def wait_for(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - what the condition gives
    """What the condition gives, when it is true."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"in vain: {what}")


def metrics() -> dict[str, float]:
    """The exporter's samples, by their text."""
    with urllib.request.urlopen("http://127.0.0.1:19443/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def worker_metrics(zone: str) -> dict[str, float]:
    """The samples of a worker."""
    try:
        text = shell(f"ip netns exec {zone} curl -sf http://127.0.0.1:19500/metrics")
    except subprocess.CalledProcessError:
        return {}
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines()) if "#" not in name
    }


def api(path: str) -> Any:  # noqa: ANN401 - JSON
    """A document of the exporter."""
    with urllib.request.urlopen(f"http://127.0.0.1:19443/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)


def scanned_at(zone: str) -> float:
    """The end of the last scan of a zone's target that worked; 0 before the first."""
    name = f'tls_posture_last_success_timestamp_seconds{{target="{TARGETS[zone]}"}}'
    return metrics().get(name, 0)


def scan(zone: str) -> None:
    """Wait for the next scan of a zone's target that works."""
    before = scanned_at(zone)
    wait_for(lambda: scanned_at(zone) > before, f"a scan in {zone}")


def refused() -> dict[str, float]:
    """Messages that the exporter refused, by cause."""
    pattern = re.compile(r'tls_posture_exporter_results_refused_total\{cause="(\w+)"\}')
    return {match[1]: value for name, value in metrics().items() if (match := pattern.match(name)) and value}


def refused_by_worker() -> dict[str, float] | None:
    """Tasks that the worker of dmz refused, by sample, when they include the repeated one, which comes last."""
    found = {name: number for name, number in worker_metrics("dmz").items() if "tasks_refused_total" in name and number}
    return found if any("repeated" in name for name in found) else None


def set_up(machine: Machine) -> None:
    """Make namespaces, and run the commands and write the files of the document."""
    text = (ROOT / "docs/zones.md").read_text(encoding="utf-8")
    hosts = machine.folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{HUB} {BROKER_NAME}\n", encoding="utf-8")
    shell(f"ip link set lo up; mount --bind {hosts} /etc/hosts; mount -t tmpfs tmpfs /run; mkdir -p /run/netns")
    shell("mkdir -p /etc/tls-posture-exporter && mount -t tmpfs tmpfs /etc/tls-posture-exporter")
    shell(f"ip link add hub type bridge; ip addr add {HUB}/24 dev hub; ip link set hub up")
    for zone, address in ZONES.items():
        shell(
            f"ip netns add {zone}; ip link add {zone} type veth peer name eth0 netns {zone};"
            f"ip link set {zone} master hub up; ip -n {zone} addr add {address}/24 dev eth0;"
            f"ip -n {zone} link set eth0 up; ip -n {zone} link set lo up; ip -n {zone} addr add 10.9.0.1/32 dev lo"
        )
    for name, content in re.findall(r"^`([\w.-]+)`:\n\n```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        url = "rediss://broker.example.com:6379" if machine.broker == "redis" else "amqps://broker.example.com:5671"
        (ETC / name).write_text(content.replace("rediss://broker.example.com:6379", url), encoding="utf-8")
    for commands in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        shell(commands)
    config = yaml.safe_load((ETC / "exporter.yaml").read_text(encoding="utf-8"))
    config["celery"]["start_within"] = START_WITHIN
    config["global"] |= {"vulnerability_interval": "never", "scan_timeout": "10s", "scan_interval": "10s"}
    (ETC / "exporter.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for zone in ZONES:
        serve_target(machine, zone)


def serve_target(machine: Machine, zone: str) -> None:
    """A web server in a zone, with a certificate of its own."""
    key, certificate = machine.folder / f"{zone}.key", machine.folder / f"{zone}.pem"
    shell(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={zone} "
        f"-addext subjectAltName=IP:10.9.0.1 -keyout {key} -out {certificate}"
    )
    server = ["openssl", "s_server", "-accept", "10.9.0.1:8443", "-cert", str(certificate), "-key", str(key), "-www"]
    machine.start(f"server-{zone}", [*server, "-quiet"], zone)


def forge(machine: Machine) -> None:
    """Send what somebody with access to the broker could send, to the exporter and to a worker."""
    sys.path.insert(0, str(ROOT))
    from tests.support.zones_forger import forge_messages  # noqa: PLC0415 - it needs Celery

    (queue, *_) = re.findall(
        r"tls-posture\.results\.(\w+)", (machine.folder / "exporter.log").read_text(encoding="utf-8")
    )
    forge_messages(ETC / "worker-dmz.yaml", ETC / "office.key", ETC / "dmz.key", queue)


def subjects() -> Mapping[str, str]:
    """The subject of each target's certificate: whose server it was."""
    return {zone: json.dumps(api(f"targets/{name}")) for zone, name in TARGETS.items()}


def kill_in_the_middle(machine: Machine) -> float:
    """Kill a worker that is scanning; returns how many scans of the target have failed by that."""
    server = machine.processes["server-office"].pid
    os.kill(server, signal.SIGSTOP)
    wait_for(lambda: worker_metrics("office").get("tls_posture_worker_batches_running"), "a scan is running")
    failures = 'tls_posture_exporter_scans_total{outcome="failure"}'
    before = metrics()[failures]
    machine.kill("worker-office")
    os.kill(server, signal.SIGCONT)
    machine.start_worker("office")
    scan("office")
    return metrics()[failures] - before


def run(machine: Machine) -> dict[str, Any]:
    """What happens to scans when something fails."""
    found: dict[str, Any] = {}
    set_up(machine)
    machine.start_broker()
    machine.start_exporter()
    for zone in ZONES:
        machine.start_worker(zone)
    for zone in ZONES:
        wait_for(partial(scanned_at, zone), f"the first scan in {zone}")
    seen = subjects()
    found["own server"] = {zone: f"CN={zone}" in seen[zone] for zone in ZONES}
    found["other server"] = {
        zone: any(f"CN={other}" in seen[zone] for other in ZONES if other != zone) for zone in ZONES
    }
    command = ["curl", "-skm", "2", "https://10.9.0.1:8443/"]
    found["reached from here"] = subprocess.run(command, check=False, capture_output=True).returncode == 0

    forge(machine)
    wait_for(lambda: "unknown" in refused(), "forged messages are counted")
    found["refused"] = refused()
    found["refused by the worker"] = wait_for(refused_by_worker, "the worker refuses forged tasks")
    scan("dmz")

    machine.kill("broker")
    wait_for(lambda: metrics()["tls_posture_exporter_broker_connected"] == 0, "the loss of the broker is noticed")
    wait_for(lambda: metrics()["tls_posture_exporter_scans_running"] == 2, "scans wait for the broker")
    machine.start_broker()
    for zone in ZONES:
        scan(zone)
    found["after the broker"] = metrics()["tls_posture_exporter_broker_connected"]

    machine.kill("worker-dmz")
    failure = f'tls_posture_probe_failure{{target="{TARGETS["dmz"]}",probe="handshake",reason="no_worker"}}'
    found["without a worker"] = wait_for(lambda: metrics().get(failure), "the reason is no_worker")
    machine.start_worker("dmz")
    wait_for(lambda: worker_metrics("dmz").get("tls_posture_worker_broker_connected"), "the worker is back")
    scan("dmz")
    found["failure is over"] = failure not in metrics()

    if len(sys.argv) > 3:
        found["after a kill in the middle"] = kill_in_the_middle(machine)
    machine.kill("worker-office", signal.SIGTERM)
    machine.kill("exporter", signal.SIGTERM)
    found["at the end"] = "both ended"
    return found


def main() -> None:
    """Run everything, and write what was found."""
    broker, folder = sys.argv[1], Path(sys.argv[2])
    found = run(Machine(broker, folder))
    (folder / "found.json").write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
