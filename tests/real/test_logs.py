"""The daemon with a log that nobody reads, that is closed, or that has no space."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import end, free_port, start, wait_for

pytestmark = pytest.mark.real


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback, http
        return str(response.read().decode())


@contextmanager
def daemon(folder: Path, output: int, shell: str = "") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`serve` with this file as standard error and output, changed by redirections of the shell, once it is ready."""
    port, file = free_port(), folder / "exporter.yaml"
    file.write_text(f"targets:\n  - {{name: refused, host: 127.0.0.1, port: {free_port()}}}\n")
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    process = start(["bash", "-c", f'exec "$0" "$@" {shell}', *command], output)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("the daemon", 60, lambda: get(f"{url}/-/ready"))
        yield process, url
    finally:
        end(process)


def dropped(url: str) -> float:
    """The metric, once the target is scanned."""

    def page() -> str | None:
        text = get(f"{url}/metrics")
        return text if "tls_posture_scan_success" in text else None

    found = re.search(
        r"^tls_posture_exporter_log_lines_dropped_total (\S+)$", str(wait_for("a scan", 60, page)), re.MULTILINE
    )
    assert found
    return float(found[1])


def full_pipe() -> tuple[int, int]:
    """A pipe without space for another byte: its two ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def test_a_full_pipe_that_nobody_reads_stops_neither_the_daemon_nor_its_end(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    with daemon(tmp_path, writing) as (process, url):
        os.close(writing)
        assert dropped(url) == 0, "the lines wait"
        assert "healthy" in get(f"{url}/-/healthy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    os.close(reading)


def test_lines_are_written_when_the_pipe_is_read_again(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    with daemon(tmp_path, writing) as (process, url):
        os.close(writing)
        dropped(url)
        process.send_signal(signal.SIGTERM)
        log = b""
        while data := os.read(reading, 1 << 16):  # until all who write have closed it
            log += data
        assert process.wait(timeout=60) == 0
    os.close(reading)
    lines = log.decode().lstrip("x").splitlines()
    assert 'msg="listening on 127.0.0.1 port' in lines[0]
    (scanned,) = (line for line in lines if " msg=scanned " in line)
    assert " target=refused outcome=failure " in scanned
    assert scanned.endswith(" reason=connect_refused")
    assert any(" target=refused probe=handshake reason=connect_refused detail=" in line for line in lines)
    assert lines[-1].endswith("msg=stopping")


@pytest.mark.parametrize("shell", ["2>&-", ">&-", "0<&- >&- 2>&-"])
def test_closed_standard_files_are_no_error(tmp_path: Path, shell: str) -> None:
    with daemon(tmp_path, subprocess.DEVNULL, shell) as (process, url):
        assert dropped(url) == 0
        for number in range(3):
            assert Path(f"/proc/{process.pid}/fd/{number}").readlink() == Path(os.devnull)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("device", ["/dev/full", "reader gone"])
def test_lines_that_cannot_be_written_are_counted(tmp_path: Path, device: str) -> None:
    if device == "/dev/full":
        writing = os.open(device, os.O_WRONLY)
    else:
        reading, writing = os.pipe()
        os.close(reading)
    with daemon(tmp_path, writing) as (process, url):
        os.close(writing)
        dropped(url)
        assert wait_for("lost lines", 30, lambda: dropped(url) >= 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "code"), [("policies list", 0), ("--help", 0), ("scan 'a b'", 2), ("serve --config.file=/missing", 2)]
)
@pytest.mark.parametrize("shell", ["2>&-", ">&- 2>&-", "0<&- >&- 2>&-"])
def test_commands_with_closed_files_give_their_exit_code(arguments: str, code: int, shell: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$0" -m exporter {arguments} {shell}', sys.executable], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, b"")
