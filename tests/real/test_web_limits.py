"""The daemon with thousands of clients that hold connections: scans and scrapes go on."""

import asyncio
import gzip
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from exporter.web import open_files, raise_open_files
from tests.support.processes import free_port, running
from tests.support.servers import HOST, SEED_NGINX, Pki, make_pki, nginx
from tests.web.client import ask_on, request

pytestmark = pytest.mark.real

SCRAPER = "127.0.9.1"
WAIT_SECONDS = 200
MOST_LINES = 100
"""In the log of the daemon: its start, and one line a minute for each kind of trouble."""
NOT_WEB_DESCRIPTORS = 208
"""What `exporter.web.limits` reserves for ten scans at once."""


@pytest.fixture(scope="module")
def web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("nginx")
    pki: Pki = make_pki(folder)
    with nginx(folder, SEED_NGINX, [pki.ecdsa]) as port:
        yield port


class Daemon:
    """The running daemon, as a client and the system see it."""

    def __init__(self, pid: int, port: int, log: Path) -> None:
        self.pid, self.port, self.log = pid, port, log
        self.slowest_seconds = 0.0

    async def ask(self, path: str, *fields: str) -> bytes:
        """The body of a response to the scraper, however long it takes."""
        began = time.monotonic()
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await ask_on(self.port, path, *fields, source=SCRAPER)
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        assert answer.status == 200
        return gzip.decompress(answer.body) if answer.all("content-encoding") else answer.body

    async def scans(self) -> tuple[int, int]:
        """Number of successful scans, and of others."""
        page = (await self.ask("/metrics")).decode()
        found = dict(re.findall(r'^tls_posture_exporter_scans_total{outcome="(\w+)"} ([0-9]+)', page, re.MULTILINE))
        return int(found["success"]), int(found["failure"])

    async def more_scans(self, count: int) -> None:
        """Wait until so many more scans were successful; none may fail."""
        first, failed = await self.scans()
        async with asyncio.timeout(WAIT_SECONDS):
            while (await self.scans())[0] < first + count:
                await asyncio.sleep(0.1)
        assert (await self.scans())[1] == failed == 0

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def lines(self) -> list[str]:
        """The log without the line that each scan here has: there is no name server."""
        return [line for line in self.log.read_text().splitlines() if "probe=dns" not in line]


@asynccontextmanager
async def daemon(folder: Path, target_port: int, shell: str = "") -> AsyncIterator[Daemon]:
    file, port, log = folder / "exporter.yaml", free_port(), folder / "exporter.log"
    head = "scan_interval: 30s, timeout: 20s, vulnerability_interval: never"
    reach = f"host: {HOST}, port: {target_port}, connect_address: 127.0.0.1, http: {{port: {target_port}}}"
    targets = "".join(f"  - {{name: local{number}, {reach}}}\n" for number in range(6))
    file.write_text(f"global: {{{head}, resolver: {{nameservers: [127.0.0.1], port: 9}}}}\ntargets:\n{targets}")
    command = [sys.executable, "-m", "exporter", "serve", f"--config.file={file}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    command = ["bash", "-c", f'{shell} exec "$0" "$@"', *command]
    with running(command, log, port=port) as process:
        async with asyncio.timeout(WAIT_SECONDS):
            while (await ask_on(port, "/-/ready", source=SCRAPER)).status != 200:
                await asyncio.sleep(0.1)
        yield Daemon(process.pid, port, log)


class Clients:
    """Clients that hold connections, each from one of a few hundred addresses of loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []
        self._numbers = iter(range(1_000_000))

    async def _connect(self, *, buffer: int | None = None) -> socket.socket:
        number = next(self._numbers)
        client = socket.socket()
        self._sockets.append(client)
        client.setblocking(False)
        if buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.bind((f"127.0.{1 + number % 5}.{1 + number // 5 % 50}", 0))
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
        return client

    async def idle(self, count: int) -> None:
        for _ in range(count):
            await self._connect()

    def slow(self, count: int) -> None:
        """Half of them write, and half of them read, a byte at a time; a connection that ends is opened again."""
        for number in range(count):
            self._tasks.append(asyncio.create_task(self._write() if number % 2 else self._read()))

    async def _write(self) -> None:
        while True:
            with suppress(OSError):
                client = await self._connect()
                for byte in b"GET /metrics HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
                    await asyncio.get_running_loop().sock_sendall(client, bytes([byte]))
                    await asyncio.sleep(0.5)
            await asyncio.sleep(0.2)

    async def _read(self) -> None:
        while True:
            with suppress(OSError):
                client = await self._connect(buffer=1024)
                await asyncio.get_running_loop().sock_sendall(client, request("/metrics"))
                while await asyncio.get_running_loop().sock_recv(client, 1):
                    await asyncio.sleep(0.5)
            await asyncio.sleep(0.2)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for client in self._sockets:
            client.close()


@pytest.fixture(autouse=True)
def _many_files() -> None:
    raise_open_files()
    if open_files() < 4000:
        pytest.skip("the tests may not open 4,000 files")


def test_idle_and_slow_clients_stop_neither_scans_nor_scrapes(tmp_path: Path, web_server: int) -> None:
    async def run() -> None:
        async with daemon(tmp_path, web_server) as exporter:
            clients = Clients(exporter.port)
            try:
                await exporter.more_scans(1)
                exporter.slowest_seconds = 0.0
                clients.slow(500)
                await clients.idle(2000)
                for _ in range(10):
                    assert b"tls_posture_target_info" in await exporter.ask("/metrics")
                    assert b"tls_posture_target_info" in await exporter.ask("/metrics", "Accept-Encoding: gzip")
                    assert b"healthy" in await exporter.ask("/-/healthy")
                    assert exporter.descriptors() <= 512 + NOT_WEB_DESCRIPTORS
                await exporter.more_scans(2)
            finally:
                await clients.close()
            assert len(exporter.lines()) < MOST_LINES

    asyncio.run(run())


def test_a_low_limit_of_descriptors_leaves_enough_for_scans(tmp_path: Path, web_server: int) -> None:
    async def run() -> None:
        async with daemon(tmp_path, web_server, "ulimit -n 1024;") as exporter:
            clients = Clients(exporter.port)
            try:
                await exporter.more_scans(1)
                await clients.idle(1100)
                await exporter.more_scans(3)
            finally:
                await clients.close()
            assert len(exporter.lines()) < MOST_LINES

    asyncio.run(run())


def test_a_limit_that_is_far_too_low_costs_one_line_a_minute(tmp_path: Path, web_server: int) -> None:
    """With 30 descriptors, even the few connections that are always allowed use up all of them."""

    async def run() -> None:
        async with daemon(tmp_path, web_server, "ulimit -n 30;") as exporter:
            clients = Clients(exporter.port)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    while (await ask_on(exporter.port, "/-/ready")).status != 200:
                        await asyncio.sleep(0.1)
                await clients.idle(200)
                async with asyncio.timeout(WAIT_SECONDS):
                    while not any("not enough descriptors" in line for line in exporter.lines()):
                        await asyncio.sleep(0.1)
            finally:
                await clients.close()
            await exporter.ask("/-/healthy")
            assert sum("not enough descriptors" in line for line in exporter.lines()) <= 3
            assert len(exporter.lines()) < MOST_LINES

    asyncio.run(run())
