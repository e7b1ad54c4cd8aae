"""A name server with signed zones (Knot DNS) and a validating resolver in front of it (Unbound), both on loopback."""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query

from tests.support.processes import START_SECONDS, find_program, free_port, running

_ALGORITHM = "ECDSAP256SHA256"


@dataclass(frozen=True)
class Zone:
    """One zone.

    Attributes:
        records: in the format of zone files, without SOA and NS.
        signed: by Knot. The parent has its DS if it is also signed and served.
        false_ds: the parent has the DS of another key.
        missing: the server has no file of it, and answers SERVFAIL.
    """

    records: str
    signed: bool = False
    false_ds: bool = False
    missing: bool = False


_HEAD = """$ORIGIN {name}
$TTL 300
@ SOA ns.{name} hostmaster.{name} {serial} 3600 600 86400 120
@ NS ns.{name}
ns A 127.0.0.1
"""


def _ds(keymgr: list[str], name: str, *, false: bool) -> str:
    """The DS of a new key of this zone, as a record."""
    subprocess.run([*keymgr, name, "generate", f"algorithm={_ALGORITHM}", "ksk=yes", "zsk=yes"], check=True)
    told = subprocess.run([*keymgr, name, "ds"], check=True, capture_output=True, text=True).stdout
    (record,) = [line for line in told.splitlines() if line.split()[4] == "2"]  # SHA-256
    return f"{record[:-8]}{'0' * 8}\n" if false else f"{record}\n"


def _write(folder: Path, port: int, zones: Mapping[str, Zone]) -> str:
    """Write Knot's configuration and zone files; returns the DS of the first zone."""
    config, sections = folder / "knot.conf", []
    for name, zone in zones.items():
        signing = "dnssec-signing: on\n    dnssec-policy: manual" if zone.signed else "dnssec-signing: off"
        sections.append(f'  - domain: {name}\n    file: "{name}zone"\n    zonefile-sync: -1\n    {signing}\n')
    config.write_text(
        f"server:\n  rundir: {folder}\n  listen: 127.0.0.1@{port}\n  identity: ''\n"
        f"database:\n  storage: {folder}\nlog:\n  - target: stderr\n    any: info\n"
        f"policy:\n  - id: manual\n    manual: on\n    algorithm: {_ALGORITHM.lower()}\n"
        f"template:\n  - id: default\n    storage: {folder}\n    semantic-checks: off\n"
        f"zone:\n{''.join(sections)}"
    )
    keymgr = [find_program("keymgr"), "-c", str(config)]
    ds = {name: _ds(keymgr, name, false=zone.false_ds) for name, zone in zones.items() if zone.signed}
    for name, zone in zones.items():
        children = [child for child in zones if child.endswith(f".{name}")]
        cuts = "".join(f"{child} NS ns.{child}\nns.{child} A 127.0.0.1\n{ds.get(child, '')}" for child in children)
        if not zone.missing:
            _write_zone(folder, name, zone.records + "\n" + cuts, 1)
    return ds[next(iter(zones))]


def _write_zone(folder: Path, name: str, records: str, serial: int) -> None:
    (folder / f"{name}zone").write_text(_HEAD.format(name=name, serial=serial) + records)


def change(folder: Path, name: str, records: str, serial: int) -> None:
    """Have the server in this folder serve other records of a zone. The serial is larger than before, at first 2."""
    _write_zone(folder, name, f"{records}\n", serial)
    command = [find_program("knotc"), "--config", str(folder / "knot.conf"), "--blocking", "zone-reload", name]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _await_answer(port: int, name: str) -> None:
    """Wait until the server answers successfully about this name."""
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            response = dns.query.udp(dns.message.make_query(name, "SOA"), "127.0.0.1", 0.5, port)
        except (OSError, dns.exception.Timeout):
            pass
        else:
            if response.rcode() == 0 and response.answer:
                return
        assert time.monotonic() < give_up, f"no answer about {name}"
        time.sleep(0.05)


@contextmanager
def knot(folder: Path, zones: Mapping[str, Zone], port: int | None = None) -> Iterator[tuple[int, str]]:
    """Serve the zones; yields the port and the DS of the first one, which is signed."""
    port = port or free_port()
    ds = _write(folder, port, zones)
    with running([find_program("knotd"), "-c", str(folder / "knot.conf")], folder / "knot.log", port=port):
        for name, zone in zones.items():
            if not zone.missing:
                _await_answer(port, name)
        yield port, ds


@contextmanager
def silent_port() -> Iterator[int]:
    """A UDP port that receives queries and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        yield mute.getsockname()[1]


@contextmanager
def unbound(folder: Path, ports: Mapping[str, int], anchor: str) -> Iterator[int]:
    """Resolve the zones, each with the server on its port; validate below the anchor, a DS; yields the port."""
    port, config = free_port(), folder / "unbound.conf"
    stubs = "".join(f"stub-zone:\n  name: {name}\n  stub-addr: 127.0.0.1@{at}\n" for name, at in ports.items())
    config.write_text(
        f"""server:
  interface: 127.0.0.1
  port: {port}
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  do-not-query-localhost: no
  qname-minimisation: no
  module-config: "validator iterator"
  trust-anchor: "{anchor.strip()}"
  target-fetch-policy: "0 0 0 0 0"
remote-control:
  control-enable: no
{stubs}"""
    )
    with running([find_program("unbound"), "-c", str(config), "-d", "-p"], folder / "unbound.log", port=port):
        yield port
