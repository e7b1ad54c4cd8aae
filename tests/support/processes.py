"""Real servers and tools: started on loopback, waited for, ended by the id they were started with.

They end with the test process, however it ends.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TypeVar

from tests.support import leftovers
from tests.support.marker import needs_marker

START_SECONDS = 20

T = TypeVar("T")


def find_program(name: str) -> str:
    """The program's path; /usr/sbin counts, wherever PATH ends. Fails the test where it is missing."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"]))
    assert path, f"{name} is not installed; `make setup` installs what the tests need"
    return path


def openssl_version() -> tuple[int, int]:
    """Major and minor of the installed OpenSSL, which Debian's servers are linked with."""
    said = subprocess.run([find_program("openssl"), "version"], check=True, capture_output=True, text=True).stdout
    major, minor = said.split()[1].split(".")[:2]
    return int(major), int(minor)


_PORTS = range(20_000, 32_000)
"""Below the ports that Linux gives to connections (`ip_local_port_range`)."""
_taken: set[int] = set()


@cache
def _reservations() -> int:
    """A file with a byte for each port. The process that has locked the byte has the port, until it ends."""
    return os.open(Path(tempfile.gettempdir()) / f"tls-posture-test-ports-{os.getuid()}", os.O_CREAT | os.O_RDWR, 0o600)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that no other test process gets meanwhile."""
    while True:
        port = secrets.choice(_PORTS)
        if port in _taken:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _taken.add(port)
            probe.bind(("127.0.0.1", port))
            return port


def _listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def running(
    command: list[str], log: Path, *, port: int | None = None, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own while the block runs; with a port, once it is listened on."""
    with log.open("wb") as output:
        # What a server leaves behind (a core, say) lands next to its log.
        process = start(command, output, folder=log.parent, environment=environment)
    try:
        if port is not None:
            _await_port(process, port, log)
        yield process
    finally:
        end(process)


def start(
    command: list[str],
    output: int | IO[bytes],
    *,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """The command in a session of its own, for `end`; `output` is where it writes to, as Popen takes it."""
    needs_marker(command[0])
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    leftovers.started(process.pid)
    return process


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not _listening(port):
        assert process.poll() is None, f"{process.args!r} ended: {log.read_text(errors='replace')[-2000:]}"
        assert time.monotonic() < give_up, (
            f"{process.args!r} does not listen: {log.read_text(errors='replace')[-2000:]}"
        )
        time.sleep(0.02)


def wait_for(what: str, seconds: float, check: Callable[[], T]) -> T:
    """Poll until the check gives something true; what cannot be reached yet is asked again."""
    give_up = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            found = check()
            if found:
                return found
        assert time.monotonic() < give_up, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process and those it started; kill what does not heed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            break
    leftovers.ended(process.pid)
