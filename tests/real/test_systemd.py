"""The daemon as a service of systemd, and the signals that end it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import end, find_program, free_port, start, wait_for

pytestmark = pytest.mark.real


def _config(folder: Path) -> Path:
    file = folder / "exporter.yaml"
    file.write_text(f"targets:\n  - {{name: refused, host: 127.0.0.1, port: {free_port()}}}\n")
    return file


@contextmanager
def service(
    folder: Path, *arguments: str, before: tuple[str, ...] = (), **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        command = [*before, sys.executable, "-m", "exporter", "serve", f"--config.file={_config(folder)}", *arguments]
        process = start(command, log, environment=environment)
    try:
        yield process
    finally:
        end(process)


def test_systemd_hears_of_every_state(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(address)
        bound.settimeout(60)

        def heard(line: str) -> list[str]:
            while line not in (lines := bound.recv(4096).decode().splitlines()):
                pass
            return lines

        listen = f"--web.listen-address=127.0.0.1:{free_port()}"
        with service(tmp_path, listen, NOTIFY_SOCKET=address, WATCHDOG_USEC="200000") as process:
            heard("READY=1")
            heard("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            assert heard("RELOADING=1")[1].startswith("MONOTONIC_USEC=")
            heard("READY=1")
            process.send_signal(signal.SIGTERM)
            heard("STOPPING=1")
            assert process.wait(timeout=60) == 0


def test_the_watchdog_hears_nothing_while_the_event_loop_is_stuck(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, time\n"
        "from exporter.systemd import Notifier\n"
        "async def run():\n"
        "    task = asyncio.create_task(Notifier.of(os.environ, os.getpid()).run(lambda: ''))\n"
        "    await asyncio.sleep(0.1)\n"
        "    print('stuck', flush=True)\n"
        "    time.sleep(1)\n"
        "    os._exit(0)\n"
        "asyncio.run(run())\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000"}
        with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"stuck\n"
            bound.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    bound.recv(4096)
            process.wait(timeout=60)
            with pytest.raises(BlockingIOError):
                bound.recv(4096)


def test_a_socket_of_systemd_is_listened_on(tmp_path: Path) -> None:
    port = free_port()
    activate = (find_program("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", "--fdname=web")
    with service(tmp_path, "--web.systemd-socket", before=activate) as process:

        def page() -> bytes:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=60) as response:
                return bytes(response.read())

        assert b"is ready" in wait_for("the daemon", 60, page)
        variables = Path(f"/proc/{process.pid}/environ").read_text()
        assert "LISTEN_FDS=1" in variables, "it was started by the socket"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_a_socket_that_was_not_passed_is_an_error(tmp_path: Path) -> None:
    with service(tmp_path, "--web.systemd-socket") as process:
        assert process.wait(timeout=60) == 2
    assert (
        (tmp_path / "log")
        .read_text()
        .endswith("tls-posture-exporter: --web.systemd-socket is given, but systemd has passed no sockets\n")
    )


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGTERM)], ids=["twice", "once"]
)
def test_a_second_signal_ends_it_at_once(tmp_path: Path, first: signal.Signals, second: signal.Signals) -> None:
    """Signals that wait for a stopped process come in the order of their numbers, before it goes on."""
    with service(tmp_path, f"--web.listen-address=127.0.0.1:{free_port()}") as process:
        wait_for("the daemon", 60, lambda: "listening" in (tmp_path / "log").read_text())
        for number in (signal.SIGSTOP, first, second, signal.SIGCONT):
            process.send_signal(number)
        assert process.wait(timeout=60) == (128 + second if first is signal.SIGINT else 0)


def test_it_ends_at_its_limit_when_something_hangs() -> None:
    script = (
        "import asyncio, signal, os\n"
        "from exporter import stopping\n"
        "stopping.LIMIT_SECONDS = 1\n"
        "async def run():\n"
        "    stopping.stop_by_signals()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    while True: pass\n"
        "asyncio.run(run())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == 128 + signal.SIGTERM


_STUCK = """
import asyncio, sys, threading
from exporter import __main__, app

class Stuck(app.App):
    def start(self, **arguments):
        super().start(**arguments)
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)

app.App = Stuck
sys.exit(__main__.main())
"""


def test_a_thread_that_is_busy_does_not_delay_the_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STUCK, "serve", f"--config.file={_config(tmp_path)}"]
    command.append(f"--web.listen-address=127.0.0.1:{free_port()}")
    with (tmp_path / "log").open("wb") as log:
        process = start(command, log)
    try:
        wait_for("the daemon", 60, lambda: "listening" in (tmp_path / "log").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, "not cut off, which has another code"
    finally:
        end(process)
    assert (tmp_path / "log").read_text().endswith("msg=stopping\n")
