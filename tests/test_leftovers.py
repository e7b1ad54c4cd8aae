"""A test run that is killed leaves no server behind."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import running, wait_for

pytestmark = pytest.mark.real

ROOT = Path(__file__).parent.parent

TEST = """
import os
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import running

SERVER = '''
import os, sys, time
child = os.fork()
if not child:
    os.setpgid(0, 0)  # as servers do with the programs that they start
    time.sleep(600)
print(os.getpid(), child, flush=True)
time.sleep(600)
'''


@pytest.mark.real
def test_that_hangs(tmp_path):
    log = tmp_path / "log"
    with running([sys.executable, "-c", SERVER], log):
        while len(log.read_text().split()) < 2:
            time.sleep(0.02)
        Path(os.environ["SEEN"]).write_text(f"{os.getpid()} {log.read_text()}")
        time.sleep(600)
"""


def alive(process: int) -> bool:
    """Whether it runs; what nobody has waited for yet does not."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.parametrize(
    ("options", "whom"),
    [(("-p", "no:xdist"), "the run"), (("-n", "1"), "the worker"), (("-n", "1"), "the controller")],
    ids=["without workers", "worker", "controller"],
)
def test_servers_end_with_the_run_that_started_them(options: tuple[str, ...], whom: str, tmp_path: Path) -> None:
    file, seen = tmp_path / "test_inner.py", tmp_path / "seen"
    file.write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), *options]
    environment = {"PYTHONPATH": str(ROOT), "SEEN": str(seen)}
    with running([*command, str(file)], tmp_path / "run.log", environment=environment) as run:
        worker, *servers = map(int, wait_for("the server", 60, seen.read_text).split())
        assert len(servers) == 2
        assert all(map(alive, servers))
        os.kill(worker if whom == "the worker" else run.pid, signal.SIGKILL)
        wait_for("the end of the servers", 60, lambda: not any(map(alive, servers)))
