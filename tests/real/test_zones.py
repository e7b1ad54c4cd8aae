"""The deployment of docs/zones.md with a real broker: two zones, and what fails, is killed or forged.

`make zones` runs it with RabbitMQ too, and kills a worker in the middle of a scan.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exporter.metrics.zone_worker import FAMILIES
from tests.support.processes import find_program

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
LONG = bool(os.environ.get("ZONES"))
NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"] if LONG else ["redis"])
def test_two_zones_with_a_real_broker(broker: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    find_program(f"{broker}-server")
    command = [find_program("unshare"), *NAMESPACES, sys.executable, "-m", "tests.support.zones_machine"]
    done = subprocess.run(
        [*command, broker, str(tmp_path), *(["long"] if LONG else [])], cwd=ROOT, capture_output=True, check=False
    )
    logs = "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in tmp_path.glob("*.log"))
    assert done.returncode == 0, done.stderr.decode()[-2000:] + logs
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["own server"] == {"office": True, "dmz": True}
    assert found["other server"] == {"office": False, "dmz": False}
    assert not found["reached from here"]
    assert found["refused"] == {"malformed": 1, "signature": 2, "zone": 1, "unknown": 1}
    name = 'tls_posture_worker_tasks_refused_total{{cause="{}"}}'
    counts = {"malformed": 1, "signature": 2, "zone": 1, "late": 1, "repeated": 1}
    assert found["refused by the worker"] == {name.format(cause): number for cause, number in counts.items()}
    assert found["after the broker"] == 1
    assert found["without a worker"] == 1
    assert found["failure is over"]
    assert found["at the end"] == "both ended"
    if LONG:
        assert found["after a kill in the middle"] == 0


def test_the_page_lists_every_metric_of_a_worker() -> None:
    page = (ROOT / "docs/zones.md").read_text(encoding="utf-8")
    for name, text in FAMILIES.items():
        assert f"| `{name}` | {text} |" in page
