"""A name server that answers a public address first and 127.0.0.1 after that, with the system's own resolution."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.processes import find_program, running

pytestmark = pytest.mark.real

SCRIPT = Path(__file__).parent.parent / "support" / "rebinding.py"


def test_only_the_address_that_was_checked_is_dialled(tmp_path: Path) -> None:
    command = [find_program("unshare"), "-rmn", sys.executable, str(SCRIPT), str(tmp_path)]
    root = str(SCRIPT.parent.parent.parent)
    with running(command, tmp_path / "log", environment={"PYTHONPATH": root}) as process:
        assert process.wait(110) == 0, (tmp_path / "log").read_text()
    found = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    status, page = found["said"]["www.example"]
    assert status == 200
    (scanned,) = (line for line in page.splitlines() if line.startswith("tls_posture_scan_connections{"))
    assert found["counts"]["203.0.113.7"] == int(scanned.split()[-1]) > 0
    assert found["counts"]["127.0.0.1"] == 0
    refused = {target: said[0] for target, said in found["said"].items() if target != "www.example"}
    assert refused == {"alias.example": 403, "localhost": 403, "127.0.0.1": 403}
    assert all("203.0.113" not in said[1] and "loopback" not in said[1] for said in found["said"].values())
    assert found["asked"].count("www.example.") == 1
