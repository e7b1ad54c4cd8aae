"""A machine whose system resolver asks Knot, and what Prometheus and the exporter find on it by `dns_sd_configs`.

Prometheus asks port 53 of the name servers in /etc/resolv.conf. So this runs in namespaces of its own, as root:

    unshare --mount --net python -m tests.support.dns_machine FOLDER

It writes FOLDER/found.json.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

from exporter.config import Config
from exporter.config.discovery import DnsSource
from exporter.targets.dns import make_source
from tests.support.processes import find_program, free_port, running, wait_for
from tests.support.prometheus import Prometheus
from tests.support.servers import make_pki, nginx
from tests.support.sources import Kept
from tests.support.starttls_servers import postfix
from tests.support.zones import Zone, knot

MANY = 400
"""So many address records do not fit into a datagram."""
ZONES = {
    "example.": Zone("", signed=True),
    "shop.example.": Zone(
        """
_imaps._tcp SRV 10 5 993 mail-1
_imaps._tcp SRV 20 5 1993 mail-2
_ldaps._tcp SRV 0 0 636 directory.elsewhere.example.
_alias._tcp CNAME _imaps._tcp
_text._tcp TXT x
_closed._tcp SRV 0 0 0 .
_odd._tcp SRV 0 0 443 *
_odd._tcp SRV 0 0 443 192.0.2.1.
_odd._tcp SRV 0 0 443 bad\\010line
_odd._tcp SRV 0 0 443 good
www A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::1
www AAAA 2001:DB8:0:0:1::2
mapped AAAA ::ffff:192.0.2.7
alias CNAME alias-2
alias-2 CNAME www
text TXT x
@ MX 10 mx-1
@ MX 20 mx-2.elsewhere.example.
silent MX 0 .
silent A 192.0.2.9
own A 192.0.2.10
"""
        + "".join(f"many A 198.51.{number // 250}.{number % 250 + 1}\n" for number in range(MANY))
    ),
    "corp.example.": Zone("www A 192.0.2.80\nboth TXT x\n"),
    "lan.example.": Zone("second A 192.0.2.90\nboth A 192.0.2.91\nlate TXT x\n"),
    "broken.example.": Zone("", missing=True),
    "test.example.": Zone("@ MX 10 www\nwww A 127.0.0.1\n"),
}
RESOLV_CONF = "nameserver 127.0.0.1\nsearch corp.example broken.example lan.example\n"

SRV = {"type": "SRV", "port": 1}
"""Prometheus ignores the port."""
A, AAAA, MX = {"type": "A", "port": 443}, {"type": "AAAA", "port": 8443}, {"type": "MX", "port": 25}
SAME: dict[str, dict[str, Any]] = {
    "default": {"names": ["_imaps._tcp.shop.example", "_ldaps._tcp.shop.example."]},
    "srv": {"names": ["_alias._tcp.shop.example"], **SRV},
    "srv, none": {"names": ["_text._tcp.shop.example", "_none._tcp.shop.example."], **SRV},
    "a": {"names": ["www.shop.example"], **A},
    "a, capitals and dot": {"names": ["WWW.Shop.example."], **A},
    "a, alias": {"names": ["alias.shop.example"], **A},
    "a, none": {"names": ["text.shop.example", "none.shop.example.", "broken.shop.example."], **A},
    "a, many": {"names": ["many.shop.example"], **A},
    "a, lower case": {"names": ["www.shop.example"], "type": "a", "port": 1},
    "aaaa": {"names": ["www.shop.example"], **AAAA},
    "aaaa, alias": {"names": ["alias.shop.example"], **AAAA},
    "aaaa, mapped": {"names": ["mapped.shop.example"], **AAAA},
    "mx": {"names": ["shop.example"], **MX},
    "search": {"names": ["www", "second", "both"], **A},
    "search, failure": {"names": ["late", "nowhere"], **A},
    "search, absolute": {"names": ["www."], **A},
    "failure": {"names": ["broken.example.", "www.shop.example"], **A},
}
"""Entries with which both find the same, by the labels that Prometheus knows."""
DIFFERENT: dict[str, dict[str, Any]] = {
    "srv, closed": {"names": ["_closed._tcp.shop.example"], **SRV},
    "srv, odd": {"names": ["_odd._tcp.shop.example"], **SRV},
    "mx, silent": {"names": ["silent.shop.example"], **MX},
    "mx, own": {"names": ["own.shop.example"], **MX},
}
"""Entries with which Prometheus finds other targets: see docs/discovery.md."""

Found = dict[str, list[dict[str, str]]]


async def refresh(entry: dict[str, Any]) -> Kept:
    """What the exporter finds; the first refresh of its source."""
    source, sink = make_source(DnsSource.model_validate(entry), Config()), Kept()
    running = asyncio.create_task(source.run(sink))
    while not sink.lists and not sink.errors:
        await asyncio.sleep(0.01)
    running.cancel()
    return sink


def in_prometheus(folder: Path, expected: Found) -> Found:
    """What Prometheus finds: once it has as many targets of each job, or after a minute."""
    jobs = [{"job_name": job, "dns_sd_configs": [entry]} for job, entry in (SAME | DIFFERENT).items()]
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(json.dumps({"scrape_configs": jobs}))
    command = [find_program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    server = Prometheus(f"127.0.0.1:{port}")

    def found() -> Found:
        result: Found = {job: [] for job in SAME | DIFFERENT}
        for target in server.get("targets?state=active")["activeTargets"]:
            result[target["scrapePool"]].append(target["discoveredLabels"])
        return result

    def complete() -> Found | None:
        now = found()
        return now if all(len(now[job]) == len(expected[job]) for job in SAME) else None

    with running([*command, f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log", port=port):
        try:
            return wait_for("the targets", 60, complete) or {}
        except AssertionError:
            return found()


def scanned(folder: Path) -> dict[str, list[str]]:
    """Samples of the daemon about the targets that it finds: a mail server, and an address of a web server."""
    pki = make_pki(folder)
    web, listen = folder / "nginx", free_port()
    web.mkdir()
    with postfix(pki) as mail, nginx(web, "", [pki.ecdsa]) as https:
        config = {
            "global": {"ca_file": str(pki.bundle), "timeout": "10s", "vulnerability_interval": "never"},
            "dns_sd_configs": [
                {"names": ["test.example"], "type": "MX", "port": mail},
                {"names": ["www.test.example"], "type": "A", "port": https},
            ],
        }
        (folder / "exporter.yaml").write_text(json.dumps(config))
        command = [sys.executable, "-m", "exporter", "serve", f"--config.file={folder}/exporter.yaml"]
        with running([*command, f"--web.listen-address=127.0.0.1:{listen}"], folder / "exporter.log", port=listen):
            page = wait_for("both scans", 90, partial(_page_of_two, f"http://127.0.0.1:{listen}/metrics"))
    usual = page.replace(str(mail), "MAIL").replace(str(https), "HTTPS")
    return {family: [line for line in usual.splitlines() if line.startswith(f"{family}{{")] for family in SHOWN}


SHOWN = ("tls_posture_target_info", "tls_posture_scan_success", "tls_posture_certificate_trusted")


def _page_of_two(url: str) -> str:
    """The page, once two targets have certificates; empty before."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback, http
        page = str(response.read().decode())
    return page if page.count("\ntls_posture_certificate_trusted{") == 2 else ""


def main(folder: Path) -> None:
    """Set the machine up, and write what is found on it."""
    subprocess.run([find_program("ip"), "link", "set", "lo", "up"], check=True)
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text(RESOLV_CONF)
    subprocess.run([find_program("mount"), "--bind", str(resolv_conf), "/etc/resolv.conf"], check=True)
    (folder / "pki").mkdir()
    with knot(folder, ZONES, port=53):
        sinks = {job: asyncio.run(refresh(entry)) for job, entry in (SAME | DIFFERENT).items()}
        ours = {job: sink.labels() for job, sink in sinks.items()}
        result = {
            "ours": ours,
            "errors": {job: sink.errors for job, sink in sinks.items()},
            "prometheus": in_prometheus(folder, ours),
            "scanned": scanned(folder / "pki"),
        }
    (folder / "found.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
