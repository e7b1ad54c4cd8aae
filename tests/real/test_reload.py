"""Reloads of the daemon as operators run it: signals at any moment, storage that hangs, files of every kind."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.hung import HANGING
from tests.support.processes import end, free_port, running, start, wait_for
from tests.support.servers import HOST, SEED_NGINX, make_pki, nginx

pytestmark = pytest.mark.real


class Folder:
    """A configuration file, and a folder `mnt` on storage that can hang."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.log = folder / "exporter.log"
        self.mnt = folder / "mnt"
        self.mnt.mkdir()
        self.port = free_port()
        self.closed = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def text(self, *names: str) -> str:
        return "targets:\n" + "".join(f"  - {{name: {n}, host: 127.0.0.1, port: {self.closed}}}\n" for n in names)

    def put(self, text: str) -> None:
        """Replace the file, as an editor does that never leaves half of it."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def put_on_mnt(self, text: str) -> None:
        """The file becomes a link to one on the storage that can hang."""
        (self.mnt / "config.yaml").write_text(text)
        new = self.file.with_suffix(".new")
        new.symlink_to(self.mnt / "config.yaml")
        new.replace(self.file)

    @contextmanager
    def hung(self) -> Iterator[None]:
        (self.mnt / "hangs").touch()
        try:
            yield
        finally:
            (self.mnt / "hangs").unlink()

    def reader_waits(self) -> bool:
        return (self.mnt / "waits").exists()

    def command(self, *flags: str) -> list[str]:
        serve = ["serve", f"--config.file={self.file}", f"--web.listen-address=127.0.0.1:{self.port}"]
        return [sys.executable, "-c", HANGING, str(self.mnt), *serve, "--web.enable-lifecycle", *flags]

    @contextmanager
    def daemon(self, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        with running(self.command(*flags), self.log, port=self.port) as process:
            wait_for("the daemon", 20, lambda: "ready" in self.get("/-/ready"))
            yield process

    def get(self, path: str = "/metrics") -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as response:  # noqa: S310 - as below
            return str(response.read().decode())

    def post_reload(self) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")  # noqa: S310 - loopback, http
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def value(self, series: str) -> float:
        (line,) = [line for line in self.get().splitlines() if line.startswith(f"{series} ")]
        return float(line.rpartition(" ")[2])

    def has(self, name: str) -> bool:
        return f'target="{name}"' in self.get()

    def shows(self, name: str) -> None:
        """Wait for the target: scrapes of one second share a page."""
        wait_for(f"target {name}", 60, lambda: self.has(name))


RELOADS = 'tls_posture_exporter_config_reloads_total{outcome="success"}'


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _lets_hangup_wait(process: subprocess.Popen[bytes]) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) & 1 << signal.SIGHUP - 1)


def test_sighup_before_the_daemon_is_ready_reloads_when_it_is(folder: Folder) -> None:
    """From the moment at which the program has read its command line: the rest of the start takes a second."""
    folder.put(folder.text("a"))
    command = [sys.executable, "-m", "exporter", *folder.command()[4:]]
    with folder.log.open("wb") as log:
        process = start(command, log)
    try:
        wait_for("the program", 20, lambda: _lets_hangup_wait(process))
        hangups = 0
        while b"listening" not in folder.log.read_bytes():
            assert process.poll() is None
            process.send_signal(signal.SIGHUP)
            hangups += 1
            time.sleep(0.005)
        assert hangups > 1
        assert wait_for("a reload", 20, lambda: folder.value(RELOADS) >= 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        end(process)


def test_sighup_while_the_first_read_hangs_does_not_end_the_program(folder: Folder) -> None:
    folder.put_on_mnt(folder.text("a"))
    with folder.log.open("wb") as log:
        process = start(folder.command(), log)
    try:
        with folder.hung():
            wait_for("the first read", 20, folder.reader_waits)
            for _ in range(3):
                process.send_signal(signal.SIGHUP)
        assert wait_for("one reload for all of them", 20, lambda: folder.value(RELOADS) == 1)
    finally:
        end(process)


def test_a_reload_that_hangs_stops_neither_the_web_side_nor_scans_nor_sigterm(folder: Folder) -> None:
    folder.put(f"global: {{scan_interval: 1s}}\n{folder.text('a')}")
    failures = 'tls_posture_exporter_scans_total{outcome="failure"}'
    with folder.daemon("--config.auto-reload-interval=1s") as process, folder.hung():
        folder.put_on_mnt(folder.text("b"))
        for _ in range(20):
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        wait_for("a hung read", 20, folder.reader_waits)
        before = folder.value(failures)
        assert wait_for("more scans", 30, lambda: folder.value(failures) > before + 2)
        assert folder.has("a")
        assert "healthy" in folder.get("/-/healthy")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "Traceback" not in folder.log.read_text()


def test_after_200_reloads_in_two_seconds_the_file_on_disk_is_in_use(folder: Folder, tmp_path: Path) -> None:
    """Good, bad, missing, huge and special files, and storage that hangs, next to a healthy server."""
    (tmp_path / "nginx").mkdir()
    pki = make_pki(tmp_path / "nginx")
    with nginx(tmp_path / "nginx", SEED_NGINX, [pki.ecdsa, pki.rsa]) as port:
        healthy = f"{{name: healthy, host: www.{HOST}, port: {port}, connect_address: 127.0.0.1}}"

        def good(name: str) -> str:
            head = f"global: {{scan_interval: 2s, ca_file: {pki.bundle}}}\n"
            return f"{head}{folder.text(name)}  - {healthy}\n"

        folder.put(good("first"))
        successes = 'tls_posture_exporter_scans_total{outcome="success"}'
        with folder.daemon() as process, folder.hung():
            wait_for("a scan", 30, lambda: folder.value(successes) >= 1)
            began = time.monotonic()
            for number in range(200):
                _write(folder, number, good(f"good{number}"))
                process.send_signal(signal.SIGHUP)
                time.sleep(max(0.0, began + number * 0.01 - time.monotonic()))
            folder.put_on_mnt(good("hung"))
            process.send_signal(signal.SIGHUP)
            wait_for("a hung read", 60, folder.reader_waits)
            folder.put(good("last"))
            process.send_signal(signal.SIGHUP)
            before = folder.value(successes)
            assert wait_for("the last file", 90, lambda: folder.has("last"))
            assert wait_for("scans that go on", 30, lambda: folder.value(successes) > before)
            assert folder.post_reload() == (200, "The configuration was reloaded.\n")
            page = folder.get()
            assert "tls_posture_exporter_config_last_reload_successful 1.0" in page
            assert 'target="good' not in page
            assert 'tls_posture_scan_success{target="healthy"} 1' in page
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    assert "Traceback" not in folder.log.read_text()


def _write(folder: Folder, number: int, good: str) -> None:
    with suppress(FileNotFoundError):
        folder.file.unlink()
    match number % 7:
        case 0 | 1:
            folder.put(good)
        case 2:
            folder.put("targets: [{host: }]\n")
        case 3:
            pass  # missing
        case 4:
            folder.file.touch()
            os.truncate(folder.file, 2**30)
        case 5:
            os.mkfifo(folder.file)
        case 6:
            folder.put_on_mnt(good)


def test_a_failed_reload_answers_with_the_reason(folder: Folder) -> None:
    folder.put(folder.text("a"))
    with folder.daemon():
        folder.put("targets: [{host: a.example, prot: 1}]\n")
        status, body = folder.post_reload()
        assert status == 500
        assert f"{folder.file}:1:29: targets.0.prot: unknown key; did you mean port?\n" in body
        folder.put("targets: []\n")
        status, body = folder.post_reload()
        assert status == 500
        assert "the list has become empty" in body
        assert folder.has("a")
        with pytest.raises(urllib.error.HTTPError, match="405"):
            folder.get("/-/reload")
        folder.put(folder.text("b"))
        assert folder.post_reload()[0] == 200
        folder.shows("b")


def test_a_poll_follows_the_swap_of_a_config_map_and_every_file_that_is_named(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    folder = Folder(volume)

    def swap(version: str, name: str, policy: str) -> None:
        new = volume / f"..{version}"
        new.mkdir()
        (new / "config.yaml").write_text(f"global: {{policy: ./own.yaml}}\n{folder.text(name)}")
        (new / "own.yaml").write_text(f"name: {policy}\ntitle: T\nversion: '1'\nsource: S\nchecks: {{}}\n")
        (volume / "..new").symlink_to(new.name)
        before = (volume / "..data").resolve()
        (volume / "..new").replace(volume / "..data")
        if before.name.startswith("..v"):
            for file in before.iterdir():
                file.unlink()
            before.rmdir()

    swap("v1", "a", "one")
    for name in ("config.yaml", "own.yaml"):
        (volume / name).symlink_to(f"..data/{name}")
    with folder.daemon("--config.auto-reload-interval=1s"):
        assert 'policy="one"' in folder.get()
        swap("v2", "a", "two")
        assert wait_for("the new policy", 30, lambda: 'policy="two"' in folder.get())
        swap("v3", "b", "two")
        assert wait_for("the new target", 30, lambda: folder.has("b"))
        assert folder.value(RELOADS) == 2
