"""A web configuration file with its certificates, and a server that follows it."""

import asyncio
import ipaddress
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

import bcrypt
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from exporter.web import (
    Access,
    AccessWatch,
    Cut,
    Denial,
    Passwords,
    Watch,
    WebLimits,
    first_read,
    make_access,
    serving,
)
from exporter.web.access import is_authenticated
from tests.support.certificates import DAY, Issued, dns, issue
from tests.web.client import Answer, read_answer, request

NAME = "exporter.test.example"
PASSWORD = b"correct horse"
HASH = bcrypt.hashpw(PASSWORD, b"$2b$04$abcdefghijklmnopqrstuu").decode()
WAIT_SECONDS = 60


class Files:
    """A folder with the files of a web configuration.

    Attributes:
        path: of the web configuration.
        trust: a context that trusts the server's authority.
    """

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        self._valid = (now - DAY, now + 30 * DAY)
        self.folder, self.path = folder, folder / "web.yml"
        self.authority, self.other = self._authority("ours"), self._authority("other")
        (folder / "ca.pem").write_bytes(self.authority.pem())
        self.renew()

    def _authority(self, name: str) -> Issued:
        return issue(name, ca=True, valid=self._valid)

    def renew(self) -> Issued:
        """Another certificate of the server, in `server.pem` and `server.key`."""
        issued = issue(NAME, self.authority, names=dns(NAME), valid=self._valid)
        (self.folder / "server.key").write_bytes(issued.key_pem())
        (self.folder / "server.pem").write_bytes(issued.pem())
        return issued

    def client(self, *names: x509.GeneralName, by: Issued | None = None) -> Path:
        """A file with a client's certificate and key."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        issued = issue("client", by or self.authority, names=names, valid=self._valid, usage=usage)
        path = self.folder / f"client{issued.certificate.serial_number}.pem"
        path.write_bytes(issued.pem() + issued.key_pem())
        return path

    def write(self, settings: Mapping[str, Any]) -> Path:
        """The web configuration; JSON is YAML."""
        self.path.write_text(json.dumps(settings), encoding="utf-8")
        return self.path

    def trust(self, client: Path | None = None) -> ssl.SSLContext:
        """The context of a client that trusts the server's authority, with this certificate of its own."""
        context = ssl.create_default_context(cadata=self.authority.pem().decode())
        if client is not None:
            context.load_cert_chain(client)
        return context


TLS = {"cert_file": "server.pem", "key_file": "server.key"}
MUTUAL = {**TLS, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}
USERS = {"alice": HASH}
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass
class Server:
    """A running server."""

    port: int
    access: Access
    denied: Counter[Denial] = field(default_factory=Counter)
    usable: list[bool] = field(default_factory=list)
    cut: Counter[Cut] = field(default_factory=Counter)

    async def ask(self, *fields: str, tls: ssl.SSLContext | None = None, path: str = "/") -> Answer:
        """The response on a connection of its own."""
        async with asyncio.timeout(WAIT_SECONDS):
            reader, writer = await self.connect(tls)
            try:
                writer.write(request(path, *fields))
                return await read_answer(reader)
            finally:
                writer.close()

    async def connect(self, tls: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = NAME if tls else None
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)


async def _page(asked: Request) -> JSONResponse:
    """What the guard says of the request; it has a header field that the web configuration may set too."""
    answer = {"authenticated": is_authenticated(asked.scope)}
    return JSONResponse(answer, headers={"Content-Security-Policy": "default-src 'self'"})


@asynccontextmanager
async def served(path: Path, *, limits: WebLimits | None = None) -> AsyncIterator[Server]:
    """A server with one page, `/`, by the web configuration of this path. Looks at its files are not limited."""
    denied: Counter[Denial] = Counter()
    usable: list[bool] = []
    cut: Counter[Cut] = Counter()
    watch = AccessWatch(usable.append, lambda reason: denied.update([reason]))
    access = make_access(first_read(path), Passwords(b"secret", SystemRandom()), watch)
    access.look_every_seconds = 0.0
    app = Starlette(routes=[Route("/", _page)])
    connections = Watch(cut=lambda reason: cut.update([reason]))
    where = [("127.0.0.1", 0)]
    async with serving(app, where, limits=limits, watch=connections, access=access) as [(_, port)]:
        yield Server(port, access, denied, usable, cut)
