"""One GET request over HTTP/1.1, for what the exporter fetches for itself. It follows nothing and keeps no connection.

The server may be hostile or broken. Head and body have limits. The caller limits the time, by `asyncio.timeout` around
the call: a server that sends one byte a second ends there, and the connection is closed at once.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

import h11

from exporter.config.http_url import HttpUrl
from exporter.errors import ExporterError, ProbeError
from exporter.model import IpProtocol, Proxy
from exporter.net.proxy import ProxyError, dialogue
from exporter.net.proxy.connect import basic_credentials
from exporter.net.resolve import resolve_all
from exporter.shortage import ShortageError

CONNECT_SECONDS = 10
"""For each address. With a longer limit, an address that does not answer would use up the time of the others."""
MOST_ADDRESSES = 4
MAX_HEAD_BYTES = 65536
MAX_OVERHEAD_BYTES = 2**18
"""For heads, interim responses and the framing of chunks: 40,000 chunks, which cost some seconds of CPU time."""
_READ_SIZE = 16384
"""What h11 parses in one step of the event loop: at most 3,000 chunks of one byte."""

Fields = Sequence[tuple[str, str]]


class HttpError(ExporterError):
    """There is no answer. The message is in our own words, or in those of OpenSSL and the system."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The final response.

    Attributes:
        fields: with names in lower case.
        body: as it was sent, so it may be compressed.
    """

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    body: bytes

    def field(self, name: bytes) -> str:
        """The first value of the field; empty without one."""
        return next((value.decode("latin-1") for key, value in self.fields if key == name), "")


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is reached.

    Attributes:
        tls: for URLs of https.
        server_name: what the certificate has to be valid for, if not the host of the URL.
    """

    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    server_name: str | None = None


async def http_get(url: HttpUrl, fields: Fields, way: Way, most_bytes: int) -> HttpAnswer:
    """Ask, and read the complete response.

    Raises:
        HttpError: there is none, or its body is longer than `most_bytes`.
    """
    try:
        reader, writer = await _open(url, way)
        try:
            return await _ask(reader, writer, _request(url, fields, way.proxy), most_bytes)
        finally:
            writer.transport.abort()
    except ssl.SSLCertVerificationError as error:
        raise HttpError(f"the certificate of {url.host} is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise HttpError(f"TLS with {url.host}: {(error.reason or 'failed').lower().replace('_', ' ')}") from error
    except (h11.RemoteProtocolError, asyncio.LimitOverrunError) as error:
        raise HttpError("the response is not HTTP, or is incomplete") from error  # h11's message quotes it
    except OSError as error:
        raise HttpError(f"the connection broke: {_words(error)}") from error


async def _open(url: HttpUrl, way: Way) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the server, or to a proxy that is asked with the complete URL."""
    through = way.proxy
    sock = await _connect(*((through.host, through.port) if through else (url.host, url.port)))
    try:
        if through is not None and not _asks_proxy(url, through):
            await _tunnel(sock, through, url)
        tls = way.tls if url.scheme == "https" else None
        name = (way.server_name or url.host) if tls else None
        return await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def _asks_proxy(url: HttpUrl, proxy: Proxy) -> bool:
    """Whether the proxy makes the request (RFC 9112, 3.2.2). CONNECT to port 80 is often not allowed."""
    return proxy.scheme == "http" and url.scheme == "http"


async def _connect(host: str, port: int) -> socket.socket:
    """A connection to the first address that accepts one."""
    try:
        addresses = await resolve_all(host, port, IpProtocol.ANY)
    except ProbeError as error:
        raise HttpError(error.detail) from error
    except ShortageError as error:
        raise HttpError(str(error)) from error
    failure = HttpError(f"{host}: no address")
    for address in addresses[:MOST_ADDRESSES]:
        where = f"{address} port {port}"
        try:
            return await _connect_to(address, port)
        except TimeoutError:
            failure = HttpError(f"{where}: no answer")
        except OSError as error:
            failure = HttpError(f"{where}: {_words(error)}")
    raise failure


async def _connect_to(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _tunnel(sock: socket.socket, proxy: Proxy, url: HttpUrl) -> None:
    loop = asyncio.get_running_loop()
    try:
        talk = dialogue(proxy, url.host, url.port)
        request = next(talk)
        while True:
            if request:
                await loop.sock_sendall(sock, request)
            request = talk.send(await loop.sock_recv(sock, _READ_SIZE))
    except StopIteration as end:
        if end.value:  # neither TLS nor HTTP has a server that speaks first
            raise HttpError(f"the proxy {proxy} sent something after its consent") from None
    except ProxyError as error:
        raise HttpError(f"the proxy {proxy} {error.detail}") from None


def _request(url: HttpUrl, fields: Fields, proxy: Proxy | None) -> h11.Request:
    headers, target = [("Host", url.authority), *fields, ("Connection", "close")], url.path
    if proxy is not None and _asks_proxy(url, proxy):
        target = url.origin + url.path
        if proxy.user is not None:
            headers.append(("Proxy-Authorization", basic_credentials(proxy.user, proxy.password)))
    return h11.Request(method="GET", target=target, headers=headers)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, most_bytes: int
) -> HttpAnswer:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    writer.write((client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b""))
    head, body, came = None, bytearray(), 0
    while True:
        event = client.next_event()
        match event:
            case h11.NEED_DATA:
                data = await reader.read(_READ_SIZE)
                if not data and not came:
                    raise HttpError("the server closed the connection without a response")
                came += len(data)
                if came - len(body) > MAX_OVERHEAD_BYTES:
                    raise HttpError("the response has too many bytes that are not its body")
                client.receive_data(data)
            case h11.Response():
                head = event
            case h11.Data():
                body += event.data
                if len(body) > most_bytes:
                    raise HttpError(f"the response is larger than {most_bytes // 2**20} MiB")
            case h11.EndOfMessage() if head is not None:
                return HttpAnswer(head.status_code, list(head.headers), bytes(body))
            case h11.InformationalResponse():
                continue
            case _:
                raise HttpError("the server closed the connection after an interim response")


def _words(error: OSError) -> str:
    """The system's words. asyncio replaces them by its own, which have the address only."""
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
