"""Servers with HTTP/2 only: scripted ones, made with the library h2, and HAProxy."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from hyperframe.frame import GoAwayFrame

from exporter.errors import ProbeError
from exporter.facts.handshake import Listing
from exporter.facts.http import Asked, HttpFacts
from exporter.model import Facts, Reason
from exporter.probes.http.probe import look
from tests.support.facts import facts, handshake
from tests.support.servers import Pki, haproxy
from tests.support.targets import make_session, make_target, read_handshake
from tests.support.web import NONCE, Handler, ask, serving

ONLY_2 = facts(handshake(alpn=Listing(("h2",), complete=True)))
YEAR = ("strict-transport-security", "max-age=31536000")
Fields = list[tuple[str, str]]
Head = dict[bytes, bytes]
Reply = Callable[[h2.connection.H2Connection, int, Head], None]


def usual(server: h2.connection.H2Connection, stream: int, head: Head) -> None:
    """A page at `/`, 404 elsewhere, and 400 for two hosts; the bodies are not waited for by anybody."""
    status = "400" if b"host" in head else "200" if head[b":path"] == b"/" else "404"
    server.send_headers(stream, [(":status", status), YEAR, ("server", "x")])
    server.send_data(stream, b"body")


def talking(reply: Reply) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        config = h2.config.H2Configuration(
            client_side=False, header_encoding=None, validate_inbound_headers=False, validate_outbound_headers=False
        )
        server = h2.connection.H2Connection(config)
        server.initiate_connection()
        while True:
            writer.write(server.data_to_send())
            await writer.drain()
            data = await reader.read(65536)
            if not data:
                return
            for event in server.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                    head = dict(event.headers)
                    requests.append(b" ".join(head.get(key, b"-") for key in (b":path", b":authority", b"host")))
                    reply(server, event.stream_id, head)

    return handle


def fetch(pki: Pki, reply: Reply, known: Facts = ONLY_2) -> HttpFacts:
    return ask(pki, talking(reply), alpn=["h2"], known=known)[0]


def test_three_questions_on_one_connection(pki: Pki) -> None:
    seen, served, counted = ask(pki, talking(usual), alpn=["h2"], known=ONLY_2)
    assert [(one.request, one.status) for one in seen.responses] == [
        *((Asked.ROOT, 200), (Asked.NOT_FOUND, 404), (Asked.MALFORMED, 400)),
    ]
    assert seen.hsts_on_error_responses is True
    assert seen.first.fields == (YEAR, ("server", "x"))
    host = f"www.test.example:{served.port}"
    assert [request.decode() for request in served.requests] == [
        *(f"/ {host} -", f"/tls-posture-exporter-{NONCE} {host} -", f"/ {host} malformed.invalid"),
    ]
    assert counted == len(served.connections) == 1


def test_interim_responses_are_passed_over(pki: Pki) -> None:
    def reply(server: h2.connection.H2Connection, stream: int, head: Head) -> None:
        server.send_headers(stream, [(":status", "103"), YEAR])
        usual(server, stream, head)

    assert [one.status for one in fetch(pki, reply).responses] == [200, 404, 400]


def test_a_stream_that_is_given_up_says_nothing_and_ends_the_line(pki: Pki) -> None:
    """So nginx and others do with requests that are malformed."""

    def reply(server: h2.connection.H2Connection, stream: int, head: Head) -> None:
        if b"host" in head:
            server.reset_stream(stream)
        else:
            usual(server, stream, head)

    seen = fetch(pki, reply)
    assert [one.request for one in seen.responses] == [Asked.ROOT, Asked.NOT_FOUND]


def test_a_goodbye_behind_the_response_costs_a_new_connection(pki: Pki) -> None:
    def reply(server: h2.connection.H2Connection, stream: int, head: Head) -> None:
        usual(server, stream, head)
        server.close_connection(last_stream_id=stream)

    seen, served, _ = ask(pki, talking(reply), alpn=["h2"], known=ONLY_2)
    assert [one.status for one in seen.responses] == [200, 404, 400]
    assert len(served.connections) == 3


def test_a_goodbye_before_the_response_does_not_hide_it(pki: Pki) -> None:
    """RFC 9113, 6.8: what was asked before is still answered."""

    def reply(server: h2.connection.H2Connection, stream: int, head: Head) -> None:
        server._data_to_send += GoAwayFrame(0, last_stream_id=stream).serialize()  # noqa: SLF001 - h2 says nothing behind a goodbye
        usual(server, stream, head)

    seen, served, _ = ask(pki, talking(reply), alpn=["h2"], known=ONLY_2)
    assert [one.status for one in seen.responses] == [200, 404, 400]
    assert len(served.connections) == 3


def test_frames_may_come_in_any_pieces(pki: Pki) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        server.receive_data(await reader.read(65536))
        requests.append(b"GET / ")
        server.send_headers(1, [(":status", "204"), YEAR], end_stream=True)
        for byte in server.data_to_send() + GoAwayFrame(0, last_stream_id=1).serialize():
            writer.write(bytes([byte]))
            await writer.drain()
        await reader.read()

    seen, _, _ = ask(pki, handle, alpn=["h2"], known=ONLY_2)
    assert (seen.status, seen.first.keeps_hsts) == (204, True)


def _refuse(server: h2.connection.H2Connection, stream: int, _head: Head) -> None:
    server.reset_stream(stream)


def _leave(server: h2.connection.H2Connection, _stream: int, _head: Head) -> None:
    server.close_connection(last_stream_id=0)


def _nonsense(server: h2.connection.H2Connection, stream: int, _head: Head) -> None:
    server.send_headers(stream, [(":status", "2OO")])


def _silence(_server: h2.connection.H2Connection, _stream: int, _head: Head) -> None:
    pass


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_refuse, Reason.HTTP_ERROR),
        (_leave, Reason.HTTP_ERROR),
        (_nonsense, Reason.HTTP_ERROR),
        (_silence, Reason.HTTP_TIMEOUT),
    ],
)
def test_what_is_no_response_is_an_error(pki: Pki, reply: Reply, reason: Reason) -> None:
    with pytest.raises(ProbeError) as caught:
        fetch(pki, reply)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "applications",
    [Listing(("h2", "http/1.1"), complete=True), Listing(("h2",), complete=False), Listing((), complete=True), None],
)
def test_http_1_is_asked_for_wherever_it_may_be(pki: Pki, applications: Listing | None) -> None:
    """What it answers to a malformed request shows more: in HTTP/2 streams are given up instead."""
    chosen: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _requests: list[bytes]) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    ask(pki, handle, alpn=["h2", "http/1.1"], known=facts(handshake(alpn=applications)))
    assert set(chosen) == {"http/1.1"}


def test_a_server_that_wants_another_protocol_is_offered_http_2(pki: Pki) -> None:
    """Where TLS 1.3 is spoken alone, that alert is the first word about it."""

    async def run() -> tuple[HttpFacts, int]:
        async with serving(talking(usual), pki, ["h2"]) as served:

            async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _requests: list[bytes]) -> None:
                hello = await reader.read(65536)
                if b"\x02h2" not in hello:
                    writer.write(bytes.fromhex("15030300020278"))  # no_application_protocol (RFC 7301, 3.2)
                    return
                there, back = await asyncio.open_connection("127.0.0.1", served.port)
                back.write(hello)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
                ended.set()

            ended = asyncio.Event()
            async with serving(front, None) as before:
                session = make_session(make_target(before.port))
                seen = await look(session)
                await ended.wait()
                return seen, session.dialer.connections

    seen, connections = asyncio.run(run())
    assert [one.status for one in seen.responses] == [200, 404, 400]
    assert connections == 2


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


@pytest.mark.real
def test_haproxy_with_nothing_but_http_2(tmp_path: Path, pki: Pki) -> None:
    async def run(port: int) -> HttpFacts:
        shown, _ = await read_handshake(port)
        assert shown.alpn == Listing(("h2",), complete=True)
        return await look(make_session(make_target(port), known=facts(shown)))

    with haproxy(tmp_path, "alpn h2", [pki.rsa]) as port:
        seen = asyncio.run(run(port))
    assert seen.status == 200
    assert seen.first.keeps_hsts
