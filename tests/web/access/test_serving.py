"""The server with a web configuration, over sockets: passwords, header fields, TLS, client certificates."""

import asyncio
import base64
import gc
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from exporter.web import Cut, Denial, WebLimits
from tests.web.access.served import LOOPBACK, MUTUAL, NAME, PASSWORD, TLS, USERS, WAIT_SECONDS, Files, Server, served
from tests.web.client import read_answer, request

RIGHT = "Authorization: Basic " + base64.b64encode(b"alice:" + PASSWORD).decode()
WRONG = "Authorization: Basic " + base64.b64encode(b"alice:wrong").decode()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def run(files: Files, settings: dict[str, Any], do: Callable[[Server], Awaitable[None]], **limits: Any) -> Server:  # noqa: ANN401
    """Serve by these settings while the function runs."""
    path = files.write(settings)

    async def inside() -> Server:
        async with served(path, limits=WebLimits(**limits)) as server:
            await do(server)
        return server

    return asyncio.run(inside())


def test_without_a_password_there_is_nothing(files: Files) -> None:
    async def do(server: Server) -> None:
        for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/unknown"):
            answer = await server.ask(path=path)
            assert (answer.status, answer.body, answer.all("www-authenticate")) == (401, b"Unauthorized\n", ["Basic"])
        assert (await server.ask(WRONG)).status == 401
        right = await server.ask(RIGHT)
        assert (right.status, right.body) == (200, b'{"authenticated":true}')
        assert (await server.ask(RIGHT, path="/unknown")).status == 404

    assert run(files, {"basic_auth_users": USERS}, do).denied == {Denial.UNAUTHORIZED: 6}


def test_without_users_requests_are_let_through_and_not_authenticated(files: Files) -> None:
    async def do(server: Server) -> None:
        answer = await server.ask(WRONG)
        assert (answer.status, answer.body) == (200, b'{"authenticated":false}')

    run(files, {}, do)


def test_fields_are_set_on_every_answer_and_instead_of_the_pages_own(files: Files) -> None:
    headers = {"Content-Security-Policy": "none", "X-Frame-Options": "deny", "X-Content-Type-Options": "nosniff"}
    settings = {"http_server_config": {"headers": headers}, "basic_auth_users": USERS}

    async def do(server: Server) -> None:
        for fields in ([], [RIGHT]):
            answer = await server.ask(*fields)
            assert answer.all("content-security-policy") == ["none"]
            assert answer.all("x-frame-options") == ["deny"]
            assert answer.all("x-content-type-options") == ["nosniff"]

    run(files, settings, do)


def test_requests_above_the_rate_are_refused_before_their_password(files: Files) -> None:
    settings = {"rate_limit": {"interval": "24h", "burst": 3}, "basic_auth_users": USERS}

    async def do(server: Server) -> None:
        assert [(await server.ask(RIGHT)).status for _ in range(5)] == [200, 200, 200, 429, 429]

    assert run(files, settings, do).denied == {Denial.RATE_LIMITED: 2}


def test_a_password_that_changes_counts_at_once_also_on_an_open_connection(files: Files) -> None:
    async def do(server: Server) -> None:
        reader, writer = await server.connect()
        writer.write(request("/", RIGHT))
        assert (await read_answer(reader)).status == 200
        files.write({"basic_auth_users": {"bob": USERS["alice"]}})
        writer.write(request("/", RIGHT))
        assert (await read_answer(reader)).status == 401
        writer.close()

    run(files, {"basic_auth_users": USERS}, do)


def test_a_flood_of_wrong_passwords_keeps_out_nobody_who_is_known(files: Files) -> None:
    async def wrong(server: Server, number: int) -> int:
        value = base64.b64encode(b"alice:%d" % number).decode()
        return (await server.ask(f"Authorization: Basic {value}")).status

    async def do(server: Server) -> None:
        assert (await server.ask(RIGHT)).status == 200
        flood = [asyncio.create_task(wrong(server, number)) for number in range(100)]
        assert [(await server.ask(RIGHT)).status for _ in range(20)] == [200] * 20
        assert set(await asyncio.gather(*flood)) <= {401, 429}

    run(files, {"basic_auth_users": USERS}, do)


def test_tls_is_spoken_with_the_certificate_of_the_file(files: Files) -> None:
    async def do(server: Server) -> None:
        answer = await server.ask(tls=files.trust())
        assert (answer.status, answer.body) == (200, b'{"authenticated":false}')

    run(files, {"tls_server_config": TLS}, do)


async def certificate_of(server: Server, files: Files) -> bytes:
    _, writer = await server.connect(files.trust())
    try:
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
        return found
    finally:
        writer.close()


def test_a_renewed_certificate_is_used_and_open_connections_go_on(files: Files) -> None:
    async def do(server: Server) -> None:
        reader, writer = await server.connect(files.trust())
        before = await certificate_of(server, files)
        renewed = files.renew().der()
        assert await certificate_of(server, files) == renewed != before
        writer.write(request("/"))
        assert (await read_answer(reader)).status == 200
        (files.folder / "server.pem").write_text("broken")
        assert await certificate_of(server, files) == renewed, "the last good one"
        writer.close()

    assert run(files, {"tls_server_config": TLS}, do).usable[-1] is False


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", True),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", False),
        (b"\x80\x2e\x01\x00\x02" + bytes(41), False),
        (bytes(5), False),
    ],
)
def test_http_where_tls_should_be_gets_the_answer_of_go(files: Files, sent: bytes, answer: bool) -> None:
    async def do(server: Server) -> None:
        reader, writer = await server.connect()
        writer.write(sent)
        data = b""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                data = await reader.read()
        except ConnectionError:
            assert not answer
        assert data.startswith(b"HTTP/1.0 400 Bad Request\r\n") == answer
        assert (b"Client sent an HTTP request to an HTTPS server.\n" in data) == answer
        writer.close()
        assert (await server.ask(tls=files.trust())).status == 200

    run(files, {"tls_server_config": TLS}, do)


async def is_let_in(server: Server, tls: ssl.SSLContext) -> bool:
    try:
        answer = await server.ask(tls=tls)
    except (OSError, asyncio.IncompleteReadError):
        return False
    assert answer.status == 200
    return True


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("kind", "let_in"),
    [("RequireAndVerifyClientCert", [False, False, True]), ("VerifyClientCertIfGiven", [True, False, True])],
)
def test_client_certificates(files: Files, newest: ssl.TLSVersion, kind: str, let_in: list[bool]) -> None:
    async def do(server: Server) -> None:
        clients = (None, files.client(by=files.other), files.client())
        contexts = [files.trust(client) for client in clients]
        for context in contexts:
            context.maximum_version = newest
        assert [await is_let_in(server, context) for context in contexts] == let_in
        assert [await is_let_in(server, context) for context in contexts] == let_in, "also the second time"
        authenticated = b"true" if kind.startswith("Require") else b"false"
        assert authenticated in (await server.ask(tls=contexts[2])).body

    run(files, {"tls_server_config": {**MUTUAL, "client_auth_type": kind}}, do)


@pytest.mark.parametrize(
    ("names", "let_in"),
    [
        ((x509.DNSName("one.example"),), True),
        ((x509.DNSName("ONE.example"),), False),
        ((x509.DNSName("www.one.example"),), False),
        ((x509.DNSName("other.example"), x509.DNSName("one.example")), True),
        ((LOOPBACK,), True),
        ((x509.RFC822Name("root@one.example"),), True),
        ((x509.UniformResourceIdentifier("spiffe://one/prometheus"),), True),
        ((x509.UniformResourceIdentifier("spiffe://one/other"),), False),
        ((), False),
    ],
)
def test_client_certificates_have_an_allowed_name(
    files: Files, names: tuple[x509.GeneralName, ...], let_in: bool
) -> None:
    allowed = ["one.example", "127.0.0.1", "root@one.example", "spiffe://one/prometheus"]

    async def do(server: Server) -> None:
        assert await is_let_in(server, files.trust(files.client(*names))) is let_in

    run(files, {"tls_server_config": {**MUTUAL, "client_allowed_sans": allowed}}, do)


def test_a_request_that_is_sent_with_the_handshake_of_a_wrong_client_is_not_answered(files: Files) -> None:
    """In TLS 1.3 the client may send before the server has judged its certificate."""

    async def do(server: Server) -> None:
        reader, writer = await server.connect(files.trust(files.client(x509.DNSName("other.example"))))
        writer.write(request("/") * 3)
        with suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        writer.close()

    run(files, {"tls_server_config": {**MUTUAL, "client_allowed_sans": ["one.example"]}}, do)


def test_a_new_client_authority_counts_for_the_next_connection(files: Files) -> None:
    async def do(server: Server) -> None:
        ours, others = files.trust(files.client()), files.trust(files.client(by=files.other))
        assert [await is_let_in(server, one) for one in (ours, others)] == [True, False]
        (files.folder / "ca.pem").write_bytes(files.other.pem())
        assert [await is_let_in(server, one) for one in (ours, others)] == [False, True]

    run(files, {"tls_server_config": MUTUAL}, do)


def test_a_resumed_session_does_not_outlive_the_certificate(files: Files) -> None:
    async def do(server: Server) -> None:
        client = files.trust(files.client())
        client.maximum_version = ssl.TLSVersion.TLSv1_2

        def ask(session: ssl.SSLSession | None = None) -> tuple[bytes, bool, ssl.SSLSession | None]:
            plain = socket.create_connection(("127.0.0.1", server.port), WAIT_SECONDS)
            with client.wrap_socket(plain, server_hostname=NAME, session=session) as connection:
                answer = b""
                with suppress(ConnectionError, ssl.SSLError):
                    connection.sendall(request("/", "Connection: close"))
                    while data := connection.recv(65536):
                        answer += data
                return answer[:12], bool(connection.session_reused), connection.session

        answer, _, session = await asyncio.to_thread(ask)
        assert answer == b"HTTP/1.1 200"
        assert (await asyncio.to_thread(ask, session))[:2] == (b"HTTP/1.1 200", True)
        config, later = server.access.config, datetime.now(UTC) + timedelta(days=31)
        assert config.tls is not None
        server.access.config = replace(config, tls=replace(config.tls, now=lambda: later))
        assert (await asyncio.to_thread(ask, session))[:2] == (b"", True)

    run(files, {"tls_server_config": MUTUAL}, do)


def test_a_client_certificate_and_a_password_are_both_needed(files: Files) -> None:
    async def do(server: Server) -> None:
        tls = files.trust(files.client())
        assert (await server.ask(tls=tls)).status == 401
        assert (await server.ask(RIGHT, tls=tls)).status == 200
        assert not await is_let_in(server, files.trust())

    run(files, {"tls_server_config": MUTUAL, "basic_auth_users": USERS}, do)


VERSIONS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ({}, (False, False, True, True)),
        ({"min_version": "TLS10"}, (True, True, True, True)),
        ({"min_version": "TLS11", "max_version": "TLS12"}, (False, True, True, False)),
        ({"min_version": "TLS13"}, (False, False, False, True)),
        ({"max_version": "TLS12"}, (False, False, True, False)),
        ({"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}, (False, False, False, True)),
    ],
)
def test_versions(files: Files, settings: dict[str, Any], accepted: tuple[bool, ...]) -> None:
    async def do(server: Server) -> None:
        found = []
        for version in VERSIONS:
            tls = files.trust()
            tls.set_ciphers("ALL:@SECLEVEL=0")
            tls.minimum_version, tls.maximum_version = version, version
            found.append(await is_let_in(server, tls))
        assert tuple(found) == accepted

    run(files, {"tls_server_config": {**TLS, **settings}}, do)


AES128, AES256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
GO128, GO256 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"


@pytest.mark.parametrize(
    ("settings", "offered", "chosen"),
    [
        ({}, "DHE-RSA-AES128-GCM-SHA256:AES128-SHA", None),
        ({"cipher_suites": [GO128]}, AES256, None),
        ({"cipher_suites": [GO128]}, f"{AES256}:{AES128}", AES128),
        ({"cipher_suites": [GO128, GO256]}, f"{AES256}:{AES128}", AES128),
        ({"cipher_suites": [GO128, GO256], "prefer_server_cipher_suites": False}, f"{AES256}:{AES128}", AES256),
    ],
)
def test_suites(files: Files, settings: dict[str, Any], offered: str, chosen: str | None) -> None:
    async def do(server: Server) -> None:
        tls = files.trust()
        tls.set_ciphers(offered)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        if chosen is None:
            assert not await is_let_in(server, tls)
            return
        _, writer = await server.connect(tls)
        assert writer.get_extra_info("cipher")[0] == chosen
        writer.close()

    run(files, {"tls_server_config": {**TLS, **settings}}, do)


@pytest.mark.parametrize(("curve", "let_in"), [("CurveP256", False), ("CurveP384", True)])
def test_one_curve(files: Files, curve: str, let_in: bool) -> None:
    async def do(server: Server) -> None:
        tls = files.trust()
        tls.set_ecdh_curve("secp384r1")
        assert await is_let_in(server, tls) is let_in

    run(files, {"tls_server_config": {**TLS, "curve_preferences": [curve]}}, do)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Hold = Callable[[Server], Awaitable[Streams]]


async def say_nothing(server: Server) -> Streams:
    return await server.connect()


async def stop_in_the_hello(server: Server) -> Streams:
    reader, writer = await server.connect()
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    await writer.drain()
    return reader, writer


async def stop_after_the_hello(server: Server) -> Streams:
    reader, writer = await server.connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    writer.write(outgoing.read())
    await reader.readexactly(5)
    return reader, writer


HOLDS = [say_nothing, stop_in_the_hello, stop_after_the_hello]


@pytest.mark.parametrize("hold", HOLDS)
def test_two_hundred_clients_without_a_complete_handshake_keep_nobody_out(files: Files, hold: Hold) -> None:
    async def do(server: Server) -> None:
        writers = [(await hold(server))[1] for _ in range(200)]
        for _ in range(5):
            assert (await server.ask(tls=files.trust())).status == 200
        for writer in writers:
            writer.close()

    seen = run(files, {"tls_server_config": TLS}, do, request_seconds=600)
    assert seen.cut[Cut.EVICTED] >= 200 - 128, "one address has 128 connections"
    gc.collect()  # a socket that nobody closed would be a warning, which is an error


@pytest.mark.parametrize("hold", HOLDS)
def test_a_handshake_that_does_not_end_is_cut_off(files: Files, hold: Hold) -> None:
    async def do(server: Server) -> None:
        reader, writer = await hold(server)
        async with asyncio.timeout(WAIT_SECONDS):
            with suppress(ConnectionError):
                await reader.read()  # until the server closes the connection
        writer.close()

    assert run(files, {"tls_server_config": TLS}, do, request_seconds=0.5).cut[Cut.REQUEST_TIMEOUT] == 1


def test_two_hundred_idle_clients_with_tls_keep_nobody_out(files: Files) -> None:
    async def do(server: Server) -> None:
        tls = files.trust()
        writers = []
        for _ in range(200):
            reader, writer = await server.connect(tls)
            writer.write(request("/"))
            assert (await read_answer(reader)).status == 200
            writers.append(writer)
        for _ in range(5):
            assert (await server.ask(tls=tls)).status == 200
        for writer in writers:
            writer.transport.abort()

    seen = run(files, {"tls_server_config": TLS}, do)
    assert seen.cut[Cut.EVICTED] >= 200 - 128


def test_a_client_that_resets_in_the_handshake_is_forgotten(files: Files) -> None:
    async def do(server: Server) -> None:
        for hold in HOLDS:
            _, writer = await hold(server)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        assert (await server.ask(tls=files.trust())).status == 200

    assert not run(files, {"tls_server_config": TLS}, do).cut


def test_clients_cannot_fill_the_log(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    async def do(server: Server) -> None:
        for sent in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x00\x02\x01\x00",
            b"\x15\x03\x01\x00\x02\x02\x28",
            b"\x80",
        ):
            for _ in range(10):
                reader, writer = await server.connect()
                writer.write(sent)
                writer.write_eof()
                with suppress(ConnectionError):
                    await reader.read()
                writer.close()
        for _ in range(10):
            assert (await server.ask(WRONG, tls=files.trust())).status == 401

    with caplog.at_level("WARNING"):
        run(files, {"tls_server_config": TLS, "basic_auth_users": USERS}, do)
    assert caplog.messages == []


def test_the_server_stops_while_clients_are_in_the_handshake(files: Files) -> None:
    async def do() -> None:
        async with served(files.write({"tls_server_config": TLS})) as server:
            writers = [(await hold(server))[1] for hold in HOLDS]
        for writer in writers:
            writer.transport.abort()

    asyncio.run(do())
