"""Header fields of HTTP/2 that do not conform to the standard: how clients read them, and how we do.

Measured over TLS with curl 7.88.1 (nghttp2 1.52) and Chromium 156 (headless, `fetch` of the same origin).
"""

import asyncio
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import pytest

from exporter.errors import ProbeError
from exporter.facts.http import HttpFacts
from exporter.model import Reason
from tests.probes.http.test_http2 import ONLY_2
from tests.support.servers import Pki
from tests.support.web import ask

NAME, VALUE = b"strict-transport-security", b"max-age=31536000"
POLICY = (NAME, VALUE)


@dataclass(frozen=True)
class Odd:
    """Fields of a response, and whether each client takes it; if so it reads the policy."""

    name: str
    fields: tuple[tuple[bytes, bytes], ...]
    curl: bool
    chromium: bool
    status: bytes = b"200"


def _with(name: str, field: tuple[bytes, bytes], *, curl: bool, chromium: bool) -> Odd:
    return Odd(name, (field, POLICY), curl, chromium)


ODD = [
    Odd("blank before the policy", ((NAME, b" " + VALUE),), curl=True, chromium=True),
    Odd("blank behind the policy", ((NAME, VALUE + b" "),), curl=True, chromium=True),
    _with("blanks around a value", (b"x-foo", b" a "), curl=True, chromium=True),
    _with("Latin-1 in a value", (b"x-foo", b"\xe9"), curl=True, chromium=True),
    _with("te", (b"te", b"trailers"), curl=True, chromium=True),
    _with("length", (b"content-length", b"2"), curl=True, chromium=True),
    _with("upper case", (b"X-Foo", b"a"), curl=False, chromium=False),
    Odd("upper case of the policy", ((b"Strict-Transport-Security", VALUE),), curl=False, chromium=False),
    _with("space in a name", (b"x foo", b"a"), curl=False, chromium=False),
    _with("blank behind a name", (b"x-foo ", b"a"), curl=False, chromium=False),
    _with("UTF-8 in a name", (b"x-f\xc3\xb6", b"a"), curl=False, chromium=False),
    _with("brackets in a name", (b"x[1]", b"a"), curl=False, chromium=False),
    _with("colon in a name", (b"x:foo", b"a"), curl=False, chromium=False),
    _with("empty name", (b"", b"a"), curl=False, chromium=False),
    _with("VT in a value", (b"x-foo", b"a\x0bb"), curl=False, chromium=False),
    _with("NUL in a value", (b"x-foo", b"a\0b"), curl=False, chromium=False),
    _with("CR in a value", (b"x-foo", b"a\rb"), curl=False, chromium=False),
    _with("LF in a value", (b"x-foo", b"a\nb"), curl=False, chromium=False),
    _with("transfer-encoding", (b"transfer-encoding", b"chunked"), curl=False, chromium=False),
    Odd("pseudo-header behind", (POLICY, (b":x", b"a")), curl=False, chromium=False),
    _with("unknown pseudo-header", (b":x", b"a"), curl=False, chromium=True),
    _with("connection", (b"connection", b"close"), curl=False, chromium=True),
    _with("keep-alive", (b"keep-alive", b"timeout=5"), curl=False, chromium=True),
    _with("proxy-connection", (b"proxy-connection", b"close"), curl=False, chromium=True),
    _with("upgrade", (b"upgrade", b"h2,h2c"), curl=False, chromium=True),
    _with("te: gzip", (b"te", b"gzip"), curl=False, chromium=True),
    _with("length that is no number", (b"content-length", b"+2"), curl=False, chromium=True),
    Odd("two lengths", ((b"content-length", b"2"), (b"content-length", b"2"), POLICY), curl=False, chromium=True),
    Odd("status of two digits", (POLICY,), curl=False, chromium=True, status=b"20"),
    Odd("status of four digits", (POLICY,), curl=False, chromium=True, status=b"2000"),
    Odd("status with a sign", (POLICY,), curl=False, chromium=True, status=b"+200"),
]


def fetch(pki: Pki, odd: Odd) -> HttpFacts:
    """The facts about a server that answers every request this way."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _requests: list[bytes]) -> None:
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        server = h2.connection.H2Connection(config)
        server.initiate_connection()
        writer.write(server.data_to_send())
        while data := await reader.read(65536):
            for event in server.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                    server.send_headers(event.stream_id, [(b":status", odd.status), *odd.fields])
            writer.write(server.data_to_send())
            await writer.drain()

    return ask(pki, handle, alpn=["h2"], known=ONLY_2)[0]


@pytest.mark.parametrize("odd", ODD, ids=[odd.name for odd in ODD])
def test_what_clients_agree_on_is_read_and_nothing_else(pki: Pki, odd: Odd) -> None:
    if odd.curl and odd.chromium:
        assert fetch(pki, odd).hsts_fields == (VALUE.decode(),)
    else:
        with pytest.raises(ProbeError) as caught:
            fetch(pki, odd)
        assert caught.value.reason is Reason.HTTP_ERROR
