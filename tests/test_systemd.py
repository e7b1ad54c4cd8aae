"""What systemd is told, and what it passes on: with a datagram socket of the test in its place."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import ExporterError
from exporter.systemd import Notifier, passed_sockets

PROCESS = 4711


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket that systemd has, and its address as it writes it."""
    name = f"@tls-posture-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name.replace("@", "\0") if request.param == "abstract" else name)
        bound.settimeout(30)
        yield bound, name


def heard(systemd: socket.socket) -> list[str]:
    return systemd.recv(4096).decode().splitlines()


def test_the_states_of_a_service(systemd: tuple[socket.socket, str]) -> None:
    bound, name = systemd
    environment = {"NOTIFY_SOCKET": name, "PATH": "/bin"}
    notifier = Notifier.of(environment, PROCESS)
    assert environment == {"PATH": "/bin"}, "children do not inherit it"
    with closing(notifier):
        notifier.ready()
        assert heard(bound) == ["READY=1"]
        notifier.reloading(12.5)
        assert heard(bound) == ["RELOADING=1", "MONOTONIC_USEC=12500000"]
        notifier.reloaded()
        assert heard(bound) == ["READY=1"]
        notifier.stopping()
        assert heard(bound) == ["STOPPING=1", "STATUS=stopping"]


def test_a_reload_during_the_start_does_not_end_the_start(systemd: tuple[socket.socket, str]) -> None:
    bound, name = systemd
    with closing(Notifier.of({"NOTIFY_SOCKET": name}, PROCESS)) as notifier:
        notifier.reloading(1)
        notifier.reloaded()
        notifier.reloading(2)
        notifier.stopping()
        notifier.reloaded()
        assert heard(bound)[0] == "STOPPING=1"
        bound.setblocking(False)
        with pytest.raises(BlockingIOError):
            heard(bound)


def test_a_reload_has_ended_when_no_other_is_asked_for(systemd: tuple[socket.socket, str]) -> None:
    bound, name = systemd
    with closing(Notifier.of({"NOTIFY_SOCKET": name}, PROCESS)) as notifier:
        notifier.ready()
        notifier.reloading(1)
        notifier.reloading(2)
        notifier.reloaded()
        notifier.stopping()
        assert [heard(bound)[0] for _ in range(4)] == ["READY=1", "RELOADING=1", "RELOADING=1", "STOPPING=1"]


def test_states_are_sent_when_no_descriptor_is_free(systemd: tuple[socket.socket, str]) -> None:
    bound, name = systemd
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(Notifier.of({"NOTIFY_SOCKET": name}, PROCESS)) as notifier:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            notifier.stopping()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert heard(bound) == ["STOPPING=1", "STATUS=stopping"]


async def _run_until(notifier: Notifier, bound: socket.socket, datagrams: int, status: str) -> list[list[str]]:
    with closing(notifier):
        running = asyncio.create_task(notifier.run(lambda: status))
        told = [await asyncio.to_thread(heard, bound) for _ in range(datagrams)]
        running.cancel()
    return told


def test_the_watchdog_hears_of_the_loop_and_the_status_is_sent_once(systemd: tuple[socket.socket, str]) -> None:
    bound, name = systemd
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(PROCESS)}
    notifier = Notifier.of(environment, PROCESS)
    assert environment == {}
    assert asyncio.run(_run_until(notifier, bound, 3, "2 targets")) == [
        ["STATUS=2 targets", "WATCHDOG=1"],
        ["WATCHDOG=1"],
        ["WATCHDOG=1"],
    ]


@pytest.mark.parametrize("other", [{}, {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}])
def test_without_a_watchdog_there_is_only_the_status(systemd: tuple[socket.socket, str], other: dict[str, str]) -> None:
    bound, name = systemd
    notifier = Notifier.of({"NOTIFY_SOCKET": name, **other}, PROCESS)
    assert asyncio.run(_run_until(notifier, bound, 1, "2 targets")) == [["STATUS=2 targets"]]


def test_without_systemd_nothing_is_sent() -> None:
    notifier = Notifier.of({}, PROCESS)
    notifier.ready()
    notifier.stopping()
    asyncio.run(notifier.run(lambda: "ends at once"))


def test_a_socket_that_is_gone_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Notifier(str(tmp_path / "gone"), None)) as notifier:
        notifier.ready()
    assert "systemd was not notified of READY=1" in caplog.text


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(PROCESS)},
        {"LISTEN_FDS": "-1", "LISTEN_PID": str(PROCESS)},
        {"LISTEN_FDS": "many", "LISTEN_PID": str(PROCESS)},
    ],
)
def test_no_sockets_are_an_error(environment: dict[str, str]) -> None:
    with pytest.raises(ExporterError, match=r"^--web.systemd-socket is given, but systemd has passed no sockets$"):
        passed_sockets(environment, PROCESS)
    assert environment == {}


_TAKE = """
import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
from exporter.systemd import passed_sockets
from exporter.errors import ExporterError
try:
    sockets = passed_sockets(os.environ, os.getpid())
    print(*(f"{one.getsockname()[1]} {one.get_inheritable()}" for one in sockets), sep=";")
except ExporterError as error:
    print(error)
assert not [name for name in os.environ if name.startswith("LISTEN_")]
"""


def _taken(*passed: socket.socket) -> str:
    """What a process prints about the sockets that it gets as systemd passes them, from number 3 on."""
    moves = " ".join(f"{3 + n}<&{20 + n}" for n in range(len(passed)))
    high = [os.dup2(one.fileno(), 20 + n) for n, one in enumerate(passed)]
    try:
        done = subprocess.run(
            ["bash", "-c", f'exec "$0" -c "$1" {moves}', sys.executable, _TAKE],
            pass_fds=high,
            env={**os.environ, "LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": "web"},
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for number in high:
            os.close(number)
    return done.stdout.strip()


def test_sockets_are_taken_and_not_inherited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        assert _taken(one, two) == ";".join(f"{s.getsockname()[1]} False" for s in (one, two))


def test_what_is_no_listening_tcp_socket_is_an_error() -> None:
    message = "file descriptor 3 of systemd is not a listening TCP socket"
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as silent, socket.socket(type=socket.SOCK_DGRAM) as udp:
        for one in (unix, silent, udp):
            assert _taken(one) == message
