"""Targets from the zones of a real name server, and what a real Prometheus finds in the same zones."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Config
from exporter.config.discovery import DnsSource
from exporter.config.sections import GlobalSettings, ResolverSettings
from exporter.environment import make_resolver
from exporter.net.resolvconf import ResolvConf
from exporter.targets.dns import DnsTargets
from tests.support.dns_machine import AAAA, DIFFERENT, MANY, MX, SAME, SRV, ZONES, A
from tests.support.processes import find_program
from tests.support.sources import Kept
from tests.support.zones import Zone, change, knot

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
NS = {"type": "NS", "port": 853}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with knot(tmp_path_factory.mktemp("knot"), ZONES) as (found, _):
        yield found


async def never(_seconds: float) -> None:
    raise AssertionError("the test refreshes")


def source(port: int, entry: dict[str, Any], *, search: Sequence[str] = ()) -> DnsTargets:
    resolver = ResolverSettings.model_validate({"nameservers": ["127.0.0.1"], "port": port})
    config = Config.model_validate({"global": GlobalSettings(resolver=resolver)})
    conf = ResolvConf((), tuple(search))
    return DnsTargets(DnsSource.model_validate(entry), make_resolver(config, most_entries=0), lambda: conf, never)


def refreshed(found: DnsTargets) -> Kept:
    sink = Kept()
    asyncio.run(found.refresh(sink))
    return sink


FOUND: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("SRV", SRV, "_imaps._tcp", ["mail-1.shop.example:993", "mail-2.shop.example:1993"]),
    ("SRV of an alias", SRV, "_alias._tcp", ["mail-1.shop.example:993", "mail-2.shop.example:1993"]),
    ("SRV that is closed", SRV, "_closed._tcp", []),
    ("SRV with names that are not hosts", SRV, "_odd._tcp", ["good.shop.example:443"]),
    ("no SRV", SRV, "_text._tcp", []),
    ("no such service", SRV, "_none._tcp", []),
    ("A", A, "www", ["192.0.2.1:443", "192.0.2.2:443"]),
    ("A of an alias", A, "alias", ["192.0.2.1:443", "192.0.2.2:443"]),
    ("no A", A, "text", []),
    ("no such host", A, "none", []),
    ("AAAA", AAAA, "www", ["[2001:db8::1:0:0:2]:8443", "[2001:db8::1]:8443"]),
    ("MX", MX, "", ["mx-1.shop.example:25", "mx-2.elsewhere.example:25"]),
    ("MX that accepts no mail", MX, "silent", []),
    ("no MX, but an address", MX, "own", ["own.shop.example:25"]),
    ("no MX and no address", MX, "text", []),
    ("NS", NS, "", ["ns.shop.example:853"]),
]


@pytest.mark.parametrize(("settings", "name", "addresses"), [one[1:] for one in FOUND], ids=[one[0] for one in FOUND])
def test_what_is_in_the_zone_is_found(port: int, settings: dict[str, Any], name: str, addresses: list[str]) -> None:
    sink = refreshed(source(port, {"names": [f"{name}.shop.example".removeprefix(".")], **settings}))
    assert [labels["__address__"] for labels in sink.labels()] == addresses
    assert sink.errors == []


def test_an_answer_that_is_too_long_for_a_datagram_is_complete(port: int) -> None:
    sink = refreshed(source(port, {"names": ["many.shop.example"], **A}))
    assert len({labels["__address__"] for labels in sink.labels()}) == MANY


def test_a_search_domain_completes_a_name(port: int) -> None:
    sink = refreshed(source(port, {"names": ["www", "second"], **A}, search=["corp.example", "lan.example"]))
    assert {labels["__host__"]: labels["__address__"] for labels in sink.labels()} == {
        "www.corp.example": "192.0.2.80:443",
        "second.lan.example": "192.0.2.90:443",
    }


def test_a_zone_without_data_is_a_failure_of_its_name(port: int) -> None:
    sink = refreshed(source(port, {"names": ["broken.example", "www.shop.example"], **A}))
    assert {labels["__meta_dns_name"] for labels in sink.labels()} == {"www.shop.example"}
    (error,) = sink.errors
    assert "SERVFAIL" in error


def test_a_zone_that_changes_and_a_server_that_ends(tmp_path: Path) -> None:
    zones = {"example.": Zone("", signed=True), "shop.example.": Zone("www A 192.0.2.1")}
    with knot(tmp_path, zones) as (port, _):
        asked = source(port, {"names": ["www.shop.example", "new.shop.example"], **A})
        assert [labels["__address__"] for labels in refreshed(asked).labels()] == ["192.0.2.1:443"]

        change(tmp_path, "shop.example.", "www A 192.0.2.2\nnew A 192.0.2.3", serial=2)
        now = refreshed(asked)
        assert {labels["__address__"] for labels in now.labels()} == {"192.0.2.2:443", "192.0.2.3:443"}

        change(tmp_path, "shop.example.", "new A 192.0.2.3", serial=3)
        assert [labels["__address__"] for labels in refreshed(asked).labels()] == ["192.0.2.3:443"]
    ended = refreshed(asked)
    assert ended.lists == []
    assert len(ended.errors) == 1


def found_on_a_machine(folder: Path) -> dict[str, Any]:
    """What Prometheus and the exporter find on a machine whose system resolver is Knot."""
    separate = [find_program("unshare"), "--mount", "--net"]
    if os.geteuid() != 0 or subprocess.run([*separate, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("a machine with another /etc/resolv.conf needs root and the right to make namespaces")
    command = [*separate, sys.executable, "-m", "tests.support.dns_machine", str(folder)]
    ended = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def of_prometheus(targets: list[dict[str, str]]) -> list[dict[str, str]]:
    """The labels that Prometheus knows, in a certain order."""
    known = [
        {name: value for name, value in one.items() if name == "__address__" or name.startswith("__meta_")}
        for one in targets
    ]
    return sorted(known, key=lambda one: sorted(one.items()))


OTHERWISE: dict[str, tuple[list[str], list[str]]] = {
    "srv, closed": ([], [":0"]),
    "srv, odd": (
        ["good.shop.example:443"],
        [
            *("*.shop.example:443", "192.0.2.1:443"),
            *(r"bad\010line.shop.example:443", "good.shop.example:443"),
        ],
    ),
    "mx, silent": ([], [":25"]),
    "mx, own": (["own.shop.example:25"], []),
}
"""Addresses that the exporter finds, and those that Prometheus finds."""


@pytest.mark.timeout(320)
def test_a_real_prometheus_finds_the_same_and_the_daemon_scans_what_it_finds(tmp_path: Path) -> None:
    """One test, because the machine takes half a minute."""
    found = found_on_a_machine(tmp_path)
    ours, theirs = found["ours"], found["prometheus"]
    for job in SAME:
        assert of_prometheus(ours[job]) == of_prometheus(theirs[job]), job
    assert {job for job in SAME if not ours[job]} == {"srv, none", "a, none", "search, failure", "search, absolute"}
    addresses = {
        job: tuple([one["__address__"] for one in of_prometheus(whose[job])] for whose in (ours, theirs))
        for job in DIFFERENT
    }
    assert addresses == OTHERWISE
    assert {job for job, errors in found["errors"].items() if errors} == {
        "failure",
        "search, failure",
        "search, absolute",
    }
    mail, web = "www.test.example:MAIL", "www.test.example[127.0.0.1]:HTTPS"
    for family in ("tls_posture_scan_success", "tls_posture_certificate_trusted"):
        assert set(found["scanned"][family]) == {f'{family}{{target="{name}"}} 1' for name in (mail, web)}
    about = {line.split('"')[1]: line for line in found["scanned"]["tls_posture_target_info"]}
    assert 'host="www.test.example",port="MAIL",protocol="smtp",starttls="smtp"' in about[mail]
    assert 'host="www.test.example",port="HTTPS",protocol="https",starttls=""' in about[web]
