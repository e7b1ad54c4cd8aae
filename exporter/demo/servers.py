"""The demonstration's servers: two web servers with the standard library's TLS, and a name server with a CAA record."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exporter.demo.certificates import Authority

GOOD_HOST = "meets-the-checklist.demo.example"
WEAK_HOST = "fails-the-checklist.demo.example"

_CHECKLIST_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"
)
_CAA_NAME = dns.name.from_text(GOOD_HOST)
_HEAD = "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n"
GOOD_FIELDS = "Strict-Transport-Security: max-age=31536000\r\n"
WEAK_FIELDS = "Server: Apache/2.2.34 (Unix)\r\n"
_REQUEST_SECONDS = 10
_ACCEPTED_FOR = timedelta(days=30)


def good_context(authority: Authority) -> ssl.SSLContext:
    """TLS as the checklist demands, with an ECDSA and an RSA certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CHECKLIST_SUITES)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(authority.issue(GOOD_HOST, ec.generate_private_key(ec.SECP256R1()), "good-ec.pem"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    context.load_cert_chain(authority.issue(GOOD_HOST, key, "good-rsa.pem"))
    return context


def weak_context(authority: Authority) -> ssl.SSLContext:
    """TLS 1.0 and later with all available suites, in the client's order."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the purpose of this server
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    context.load_cert_chain(authority.issue(WEAK_HOST, key, "weak-rsa.pem"))
    return context


def _status(request: bytes) -> str:
    if request.lower().count(b"\r\nhost:") != 1:
        return "400 Bad Request"
    return "200 OK" if request.startswith((b"GET / ", b"HEAD / ")) else "404 Not Found"


@asynccontextmanager
async def https_server(context: ssl.SSLContext, fields: str) -> AsyncIterator[int]:
    """A web server on a free port of 127.0.0.1 with one page, at `/`, and these header fields; yields the port."""
    response = _HEAD + fields + "\r\nhello\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(response.format(_status(request)).encode())
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, ssl_handshake_timeout=_REQUEST_SECONDS)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class _NameServer(asyncio.DatagramProtocol):
    """Answers CAA for one host; every other name exists and has no records."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        for question in query.question:
            if question.rdtype == dns.rdatatype.CAA and question.name == _CAA_NAME:
                record = '0 issue "ca.demo.example"'
                response.answer.append(dns.rrset.from_text(question.name, 300, "IN", "CAA", record))
        self.transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def name_server() -> AsyncIterator[int]:
    """A name server on a free UDP port of 127.0.0.1; yields the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_NameServer, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def write_config(authority: Authority, good_port: int, weak_port: int, dns_port: int, today: date) -> Path:
    """The demonstration's configuration in the authority's folder, as an operator would write it."""
    folder = authority.bundle.parent
    file = folder / "config.yaml"
    file.write_text(
        f"""global:
  scan_interval: 30s
  ca_file: {authority.bundle}
  clients: [android-4.2.2, android-4.4.2, java-8u161, chromium-156]
  resolver: {{nameservers: [127.0.0.1], port: {dns_port}}}
targets:
  - name: meets-the-checklist
    host: {GOOD_HOST}
    port: {good_port}
    connect_address: 127.0.0.1
    distribution: debian 13
  - name: fails-the-checklist
    host: {WEAK_HOST}
    port: {weak_port}
    connect_address: 127.0.0.1
exceptions:
  - match: '{{target="fails-the-checklist"}}'
    check: caa
    until: {today + _ACCEPTED_FOR}
    reason: The DNS provider is about to support CAA records.
    accepted_by: demo
""",
        encoding="utf-8",
    )
    return file
