"""Starts the farm, its healthy neighbours and the daemon that scans them all."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.behaviour import Behaviour
from tests.hostile.farm import NAME_SERVER, address
from tests.hostile.healthy import DOMAIN as HEALTHY_DOMAIN
from tests.hostile.healthy import healthy_servers
from tests.hostile.material import DOMAIN, Material
from tests.hostile.registry import BEHAVIOURS, ORDINARY
from tests.support.processes import free_port, running, wait_for
from tests.support.servers import HOST, make_pki

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the configuration, in seconds.

    Attributes:
        interval: from one scan of a target to the next.
        scan_timeout: limit of a scan of a hostile server.
        healthy_timeout: limit of a scan of a healthy one, whose machine may be busy.
        timeout: limit of one read from a hostile server.
        concurrent: `max_concurrent_scans`.
        attacks: whether attacks are tried, in each scan. They are not tried on the ordinary servers of the farm.
    """

    interval: int = 90
    scan_timeout: int = 20
    healthy_timeout: int = 60
    timeout: float = 2.0
    concurrent: int = 10
    attacks: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """The daemon with its targets; `log` is the file with its lines."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    hostile: tuple[Behaviour, ...]
    healthy: tuple[str, ...]

    def check(self) -> None:
        """Fail if the daemon has ended."""
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]


@contextmanager
def everything(folder: Path, pace: Pace, only: Sequence[str] = ()) -> Iterator[Running]:
    """Start all servers and the daemon. With `only`, the other hostile servers are not targets."""
    hostile = tuple(one for one in BEHAVIOURS if not only or one.name in only)
    material, site = Material.make(_made(folder / "farm")), make_pki(_made(folder / "site"))
    bundle = folder / "bundle.pem"
    bundle.write_bytes(material.bundle.read_bytes() + site.bundle.read_bytes())
    with (
        _farm(material.folder, "names") as names,
        _farm(material.folder, "servers") as servers,
        healthy_servers(_made(folder / "healthy"), site) as healthy,
    ):
        lines = [*_head(bundle, names["port"], pace), *(_hostile(one, servers[one.name], pace) for one in hostile)]
        lines += [_healthy(name, port, pace) for name, port in healthy.items()]
        config, port, log = folder / "exporter.yaml", free_port(), folder / "exporter.log"
        config.write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={config}"]
        with running([*command, f"--web.listen-address=127.0.0.1:{port}"], log, port=port) as process:
            yield Running(process, port, log, hostile, tuple(healthy))


def _made(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@contextmanager
def _farm(folder: Path, what: str) -> Iterator[dict[str, int]]:
    """A process of the farm; yields its ports."""
    ports = folder / f"{what}.json"
    command = [sys.executable, "-m", "tests.hostile.farm", str(folder), what]
    root = str(Path(__file__).parents[2])
    log = folder / f"{what}.log"
    with running(command, log, environment={"PYTHONPATH": root}) as process:
        wait_for(f"the farm's {what}", START_SECONDS, lambda: ports.exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        yield json.loads(ports.read_text())


def _head(bundle: Path, names: int, pace: Pace) -> list[str]:
    attacks = f"{pace.interval}s" if pace.attacks else "never"
    return [
        "global:",
        f"  scan_interval: {pace.interval}s",
        f"  scan_timeout: {pace.scan_timeout}s",
        f"  max_age: {pace.interval}s",
        f"  vulnerability_interval: {attacks}",
        f"  timeout: {pace.timeout * 1000:.0f}ms",
        f"  max_concurrent_scans: {pace.concurrent}",
        f"  ca_file: {bundle}",
        f"  resolver: {{nameservers: [{NAME_SERVER}], port: {names}, timeout: 3s}}",
        "targets:",
    ]


def _hostile(behaviour: Behaviour, port: int, pace: Pace) -> str:
    """A target whose address no other has, because the limits of connections are by address."""
    protocol, plus, _ = behaviour.service.partition("+")
    options = {
        "name": behaviour.name,
        "host": f"{behaviour.name}.{DOMAIN}",
        "port": str(port),
        "connect_address": address(BEHAVIOURS.index(behaviour)),
        "starttls" if plus else "protocol": protocol,
        **({"connection_gap": "0s"} if plus else {}),
        **({"vulnerability_interval": "never"} if behaviour in ORDINARY else {}),
    }
    return f"  - {{{', '.join(f'{key}: {value}' for key, value in options.items())}}}"


def _healthy(name: str, port: int, pace: Pace) -> str:
    """A target that shares its address with the other healthy ones, which must not wait for each other."""
    return (
        f"  - {{name: {name}, host: {name}.{HEALTHY_DOMAIN}, port: {port}, server_name: {HOST}, timeout: 10s, "
        f"connect_address: 127.0.0.1, connections_per_host: 80, scan_timeout: {pace.healthy_timeout}s}}"
    )
