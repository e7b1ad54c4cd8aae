"""A daemon in this process that is asked over HTTP, with a name resolution that the test decides on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from exporter.app import App
from exporter.environment import utc_now
from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason, is_ip, plain_address
from exporter.net.resolve import Lookup
from exporter.policies import read_config
from exporter.web import make_app, serving
from tests.web.client import Answer, ask_on

NO_RESOLVER = "resolver: {nameservers: [127.0.0.1], port: 9, timeout: 100ms}"


@dataclass
class Names:
    """A resolver with the addresses of some names, one list after the other; the last one stays.

    Attributes:
        asked: the names that were looked up.
    """

    answers: Mapping[str, Sequence[tuple[str, ...]]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        """See `Lookup`."""
        if is_ip(host):
            return (plain_address(host),)
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise ProbeError(Reason.DNS_NXDOMAIN, f"{host}: Name or service not known")
        return answers[min(self.asked.count(host), len(answers)) - 1]


@dataclass
class Daemon:
    """A running daemon."""

    app: App
    port: int
    file: Path

    async def probe(self, target: str, *fields: str, **more: str) -> Answer:
        """The answer to such a question; a field is a line of the request."""
        return await self.get("/probe?" + urlencode({"target": target, **more}), *fields)

    async def get(self, path: str, *fields: str) -> Answer:
        """The answer of this path."""
        return await ask_on(self.port, path, *fields)

    def count(self, outcome: str) -> int:
        """How many requests for /probe ended in this way."""
        line = f'tls_posture_exporter_probes_total{{outcome="{outcome}"}} '
        return int(float(self.app.metrics("")[0].decode().split(line)[1].split("\n")[0]))


@asynccontextmanager
async def probed_daemon(
    folder: Path, config: str, lookup: Lookup | None = None, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[Daemon]:
    """A daemon on this configuration."""
    file = folder / "config.yaml"
    file.write_text(config)
    app = App(read_config(file), lookup=lookup or Names({}), now=now)
    async with serving(make_app(app.sources()), [("127.0.0.1", 0)]) as bound:
        app.start()
        try:
            while not app.sources().ready():
                await asyncio.sleep(0)
            yield Daemon(app, bound[0][1], file)
        finally:
            await app.stop()


class Untouched:
    """A listener on a loopback port that counts who connects."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def accepted(self) -> int:
        """How many connections have come since the last call."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
