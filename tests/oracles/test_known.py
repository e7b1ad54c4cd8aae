"""What counts as known after a scan, and how two scans are compared."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from oracles import known, servers
from oracles.certificates import Certificates
from oracles.known import compare, read
from tests.support.servers import SEED_NGINX, nginx

REPORT: dict[str, Any] = {
    "connections": 45,
    "duration_seconds": 1.26,
    "grade": None,
    "facts": {
        "protocols": {"SSLv2": None, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True},
        "cipher_suites": {"TLSv1.2": ["B", "A"], "TLSv1.3": ["C"]},
        "cipher_suites_incomplete": ["TLSv1.3"],
        "cipher_order": {"TLSv1.2": None, "TLSv1.3": None},
        "groups": {"TLSv1.2": ["x25519"]},
        "groups_incomplete": [],
        "group_order": {"TLSv1.2": None},
        "compression": False,
        "ignores_supported_groups": None,
        "dh_primes": [{"bits": 2048}],
        "extensions": {"heartbeat": None},
        "alpn": {"names": ["h2"], "complete": True},
        "signature_schemes": {"names": [], "complete": False},
        "vulnerabilities": {"robot": False},
        "hellos": {"cipher_suites": 20, "groups": 14},
    },
}


def test_facts_and_complete_lists_are_known_and_orders_of_one_are_not_asked() -> None:
    found = read(REPORT)
    assert (found["connections"], found["hellos"], found["seconds"]) == (45, 34, 1.3)
    assert found["known"] == {
        "alpn": "['h2']",
        "cipher_suites.TLSv1.2": "['A', 'B']",
        "compression": "False",
        "dh_primes": "[2048]",
        "groups.TLSv1.2": "['x25519']",
        "protocols.TLSv1.1": "False",
        "protocols.TLSv1.2": "True",
        "protocols.TLSv1.3": "True",
        "vulnerabilities.robot": "False",
    }
    assert found["unknown"] == [
        "cipher_order.TLSv1.2",
        "cipher_suites.TLSv1.3",
        "extensions.heartbeat",
        "grade",
        "ignores_supported_groups",
        "protocols.SSLv2",
        "signature_schemes",
    ]


def test_side_by_side_shows_counts_and_every_place_that_changed() -> None:
    before = read(REPORT)
    protocols = {"SSLv2": False, "TLSv1.1": None, "TLSv1.2": True, "TLSv1.3": True}
    after = read({**REPORT, "connections": 41, "facts": {**REPORT["facts"], "protocols": protocols}})
    file = StringIO()
    compare({"one": before, "two": before}, {"one": after, "two": {"failed": "gone"}}, Console(file=file, width=160))
    lines = [line.strip() for line in file.getvalue().splitlines()]
    assert "one: protocols.SSLv2: unknown → False" in lines
    assert "one: protocols.TLSv1.1: False → unknown" in lines
    assert "two: before scanned, after gone" in lines
    assert any(line.split() == ["one", "9", "7", "45", "→", "41", "34", "1.3"] for line in lines)


@pytest.mark.real
def test_a_server_is_scanned_by_the_program_of_a_tree(tmp_path: Path) -> None:
    with nginx(tmp_path, SEED_NGINX, [Certificates(tmp_path)["ec"]]) as port:
        found = known.scan(known.HERE, servers.BY_NAME["nginx-checklist"], port, tmp_path)
    assert found["unknown"] == []
    assert found["known"]["protocols.TLSv1.3"] == "True"
    assert found["connections"] > found["hellos"] > 0
