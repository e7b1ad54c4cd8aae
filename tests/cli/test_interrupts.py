"""Ctrl-C and SIGTERM during scans: what is done is printed; progress is shown on a terminal and nowhere else."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest

from tests.support.processes import free_port


@contextmanager
def silent_ports(number: int) -> Iterator[list[int]]:
    """Ports that accept connections and never say anything."""
    servers = [create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        yield [server.getsockname()[1] for server in servers]
    finally:
        for server in servers:
            server.close()


def started(config: Path, *flags: str, term: str = "xterm") -> tuple[subprocess.Popen[str], int]:
    """The program, with standard error on a terminal; and the other end of the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "exporter", "scan", f"--config.file={config}", *flags]
    env = os.environ | {"TERM": term}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=env)
    os.close(theirs)
    return process, ours


def read_until(terminal: int, text: str = "") -> str:
    """What the terminal shows until this text is there, or until the program has ended."""
    shown = ""
    while not text or text not in shown:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # nobody has it open any more
            break
        shown += data.decode()
    return shown


def write_config(folder: Path, ports: list[int]) -> Path:
    file = folder / "config.yaml"
    lines = "".join(f"  - {{name: 'target-{port}', host: 127.0.0.1, port: {port}}}\n" for port in ports)
    file.write_text(f"global: {{timeout: 100s, scan_timeout: 10m}}\ntargets:\n{lines}")
    return file


@pytest.mark.real
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_scans_and_what_is_done_is_printed(tmp_path: Path, number: int, code: int) -> None:
    with silent_ports(2) as ports:
        process, terminal = started(write_config(tmp_path, [*ports, free_port()]))
        shown = read_until(terminal, "1 unreachable")
        process.send_signal(number)
        shown += read_until(terminal)
        output, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == code
    assert output.startswith("3 targets: 1 unreachable, 2 not scanned.\n")
    assert f"not scanned: target-{ports[0]}, target-{ports[1]}\n" in output
    assert "1/3" in shown
    assert shown.rstrip().endswith("tls-posture-exporter: interrupted: 2 of 3 targets not scanned")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is shown again"
    assert "Traceback" not in shown


def test_with_one_place_targets_are_scanned_one_after_the_other(tmp_path: Path) -> None:
    process, terminal = started(write_config(tmp_path, [free_port() for _ in range(3)]), "--concurrency=1")
    shown = read_until(terminal)
    output, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 3
    assert output.startswith("3 targets: 3 unreachable.\n")
    assert "2 running" not in shown


def test_a_terminal_that_cannot_rewrite_a_line_shows_no_progress(tmp_path: Path) -> None:
    process, terminal = started(write_config(tmp_path, [free_port()]), term="dumb")
    assert read_until(terminal) == ""
    assert process.communicate()[0]
    os.close(terminal)


TWICE = """
import asyncio, os, signal
from exporter.cli.interrupts import first_signal

async def main():
    with first_signal() as came:
        os.kill(os.getpid(), signal.SIGINT)
        print(await came, flush=True)
        os.kill(os.getpid(), signal.{second})
        print("not reached", flush=True)

asyncio.run(main())
"""
AFTER = """
import asyncio, os, signal
from exporter.cli.interrupts import first_signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, as in jobs of a shell in the background

async def main():
    with first_signal() as came:
        os.kill(os.getpid(), signal.SIGTERM)
        print(await came, flush=True)

asyncio.run(main())
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(("second", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_second_signal_ends_the_program_at_once(second: str, code: int) -> None:
    script = TWICE.format(second=second)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "2\n", "")


def test_after_the_scans_signals_do_what_they_usually_do() -> None:
    done = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "15\n"
    assert "KeyboardInterrupt" in done.stderr
