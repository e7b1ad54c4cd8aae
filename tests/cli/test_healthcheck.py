"""`healthcheck` against the web server with each kind of access."""

import asyncio
import ipaddress
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from exporter.__main__ import main
from exporter.cli import healthcheck
from exporter.web import AccessWatch, Passwords, first_read, make_access, serving
from tests.web.access.served import MUTUAL, TLS, USERS, Files

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "passwords": {"basic_auth_users": USERS},
    "TLS": {"tls_server_config": TLS},
    "TLS and passwords": {"tls_server_config": TLS, "basic_auth_users": USERS},
    "client certificates": {"tls_server_config": MUTUAL},
}


async def asked_of(status: int, settings: Mapping[str, Any], folder: Path, *, host: str = "127.0.0.1") -> int:
    """The exit code where the daemon gives this status."""

    async def healthy(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("", status)

    files = Files(folder)
    watch = AccessWatch(lambda _: None, lambda _: None)
    access = make_access(first_read(files.write(settings)), Passwords(b"secret", SystemRandom()), watch)
    app = Starlette(routes=[Route("/-/healthy", healthy)])
    async with serving(app, [(host, 0)], access=access) as [(_, port)]:
        shown = f"[{host}]" if ":" in host else host
        flags = [f"--web.listen-address={shown}:{port}", "--timeout=60s"]
        return await asyncio.to_thread(main, ["healthcheck", *flags])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_daemon_that_answers_is_healthy(
    settings: Mapping[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asyncio.run(asked_of(200, settings, tmp_path)) == 0
    assert capsys.readouterr() == ("", "")


def test_a_daemon_that_answers_with_an_error_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asyncio.run(asked_of(503, {}, tmp_path)) == 1
    assert "answers with status 503" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "::1"])
def test_it_asks_by_loopback_without_a_name(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image can be without /etc/hosts."""
    real = socket.getaddrinfo

    def no_names(name: str | None, *arguments: int, **others: int) -> object:
        if name is not None:
            ipaddress.ip_address(name)  # raises for a name
        return real(name, *arguments, **others)

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    assert asyncio.run(asked_of(200, {}, tmp_path, host=host)) == 0


def test_silence_and_closed_ports_are_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        flag = f"--web.listen-address=127.0.0.1:{silent.getsockname()[1]}"
        assert main(["healthcheck", flag, "--timeout=1ms"]) == 1
    assert "does not answer: timed out" in capsys.readouterr().err
    assert main(["healthcheck", flag]) == 1
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("tls-posture-exporter serve --config.file=/c.yaml --web.listen-address={}", 0),
        ("/sbin/docker-init -- python3 tls-posture-exporter serve --config.file /c.yaml --web.listen-address {}", 0),
        ("tls-posture-exporter serve --config.file=/c.yaml --web.systemd-socket", 2),
    ],
)
def test_in_a_container_it_asks_where_the_daemon_listens(
    words: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        async def answer() -> int:
            async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
                writer.close()

            async with await asyncio.start_server(client, sock=server):
                return await asyncio.to_thread(main, ["healthcheck"])

        line = words.format(f"127.0.0.1:{server.getsockname()[1]}")
        (tmp_path / "cmdline").write_bytes("\0".join([*line.split(), ""]).encode())
        monkeypatch.setattr(healthcheck, "FIRST_PROCESS", tmp_path / "cmdline")
        assert asyncio.run(answer()) == code


@pytest.mark.parametrize("content", [b"", b"/sbin/init\0", b"serve\0--no-such-flag\0", b"\xff\0serve\0"])
def test_another_first_process_means_the_default_address(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cmdline").write_bytes(content)
    monkeypatch.setattr(healthcheck, "FIRST_PROCESS", tmp_path / "cmdline")
    monkeypatch.setattr(healthcheck, "DEFAULT_ADDRESS", "127.0.0.1:1")
    assert main(["healthcheck"]) == 1
    assert "127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_it_loads_no_large_module() -> None:
    """A container runs it twice a minute: `import exporter.web` alone takes a second of CPU time."""
    program = (
        "import sys\nfrom exporter.__main__ import main\n"
        "code = main(['healthcheck', '--web.listen-address=127.0.0.1:1'])\n"
        "others = {name.split('.')[0] for name in sys.modules} - {'exporter', 'sitecustomize'}\n"
        "print(code, *others - sys.stdlib_module_names)\n"
        "assert 'asyncio' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["1", *[one for one in done.stdout.split()[1:] if one.startswith("_")]]
