"""Proxies: what is sent to them, where the target's bytes begin, and every way in which they can fail."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.model import Proxy, Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.proxy import DIALOGUES, ProxyError, dialogue
from exporter.net.proxy.connect import MAX_HEAD_BYTES
from exporter.net.starttls import start_tls
from tests.support.plain import Handler, drip, plain_server
from tests.support.processes import free_port
from tests.support.targets import make_target

NAME = "www.test.example"
USER, PASSWORD = "scän:ner", "pass%wörd"
HTTP, SOCKS = Proxy("http", "127.0.0.1", 3128), Proxy("socks5", "127.0.0.1", 1080)
HTTP_AS_USER = Proxy("http", "127.0.0.1", 3128, "scänner", PASSWORD)
SOCKS_AS_USER = Proxy("socks5", "127.0.0.1", 1080, USER, PASSWORD)

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
SOCKS_OK = b"\x05\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"


def talk(proxy: Proxy, pieces: Sequence[bytes], host: str = NAME, port: int = 443) -> tuple[list[bytes], bytes | None]:
    """What is sent to a proxy that sends these pieces, and the target's first bytes; None while more is expected."""
    steps = dialogue(proxy, host, port)
    told = [next(steps)]
    try:
        for piece in pieces:
            told.append(steps.send(piece))  # noqa: PERF401 - what was sent until then counts
    except StopIteration as end:
        return [said for said in told if said], end.value
    return [said for said in told if said], None


# --- what is sent to them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "port", "authority"),
    [
        (NAME, 443, b"www.test.example:443"),
        ("192.0.2.1", 25, b"192.0.2.1:25"),
        ("2001:db8::1", 8443, b"[2001:db8::1]:8443"),
    ],
)
def test_connect_names_the_target_as_it_is(host: str, port: int, authority: bytes) -> None:
    told, first = talk(HTTP, [OK], host, port)
    assert first == b""
    (request,) = told
    assert request.startswith(b"CONNECT " + authority + b" HTTP/1.1\r\nHost: " + authority + b"\r\n")
    assert b"Authorization" not in request
    assert request.endswith(b"\r\n\r\n")


def test_connect_gives_user_and_password_in_utf8() -> None:
    (request,), _ = talk(HTTP_AS_USER, [OK])
    assert b"\r\nProxy-Authorization: Basic " + b64encode("scänner:pass%wörd".encode()) + b"\r\n" in request


@pytest.mark.parametrize(
    ("host", "place"),
    [
        (NAME, b"\x03\x10www.test.example"),
        ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), b"\x03\xfd" + b".".join([b"a" * 63] * 3 + [b"b" * 61])),
    ],
)
def test_socks_names_the_target_as_it_is(host: str, place: bytes) -> None:
    told, first = talk(SOCKS, [SOCKS_OK[:2], SOCKS_OK[2:]], host, 25)
    assert told == [b"\x05\x01\x00", b"\x05\x01\x00" + place + b"\x00\x19"]
    assert first == b""


def test_socks_gives_user_and_password_where_the_proxy_asks_for_them() -> None:
    request = b"\x05\x01\x00\x03\x10www.test.example\x01\xbb"
    login = b"\x01\x09sc\xc3\xa4n:ner\x0apass%w\xc3\xb6rd"
    assert talk(SOCKS_AS_USER, [b"\x05\x02", b"\x01\x00"])[0] == [b"\x05\x02\x00\x02", login, request]
    assert talk(SOCKS_AS_USER, [b"\x05\x00"])[0] == [b"\x05\x02\x00\x02", request]


@pytest.mark.parametrize("proxy", [HTTP, SOCKS])
def test_an_address_with_a_zone_is_of_no_use_to_a_proxy(proxy: Proxy) -> None:
    with pytest.raises(ProxyError, match="an IPv6 zone is valid on this machine only"):
        talk(proxy, [], "fe80::1%eth0")


# --- where the target begins ------------------------------------------------------------------------------------------

GRANTED = b"\x05\x00"
CONSENTS: list[tuple[Proxy, list[bytes]]] = [
    (HTTP, [OK]),
    (HTTP, [b"HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n"]),
    (HTTP, [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 204 \r\n\r\n"]),
    (HTTP, [b"HTTP/1.1 200\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"]),  # to be ignored there: 9.3.6
    (HTTP, [b"HTTP/1.1 299 Hm\n\n"]),
    (HTTP_AS_USER, [OK]),
    (SOCKS, [GRANTED, GRANTED + b"\x00\x01\x7f\x00\x00\x01\x12\x34"]),
    (SOCKS, [GRANTED, GRANTED + b"\x00\x04" + bytes(18)]),
    (SOCKS, [GRANTED, GRANTED + b"\x00\x03\x05proxy\x00\x00"]),
    (SOCKS, [GRANTED, GRANTED + b"\xff\x03\x00\x00\x00"]),
    (SOCKS_AS_USER, [b"\x05\x02", b"\x01\x00", GRANTED + b"\x00\x01" + bytes(6)]),
    (SOCKS_AS_USER, [b"\x05\x02", b"\x05\x00", GRANTED + b"\x00\x01" + bytes(6)]),
    (SOCKS_AS_USER, [GRANTED, GRANTED + b"\x00\x01" + bytes(6)]),
]
"""What a proxy says in turn, the last of which is its consent."""


@pytest.mark.parametrize(("proxy", "said"), CONSENTS)
@pytest.mark.parametrize("first", [b"", b"220 mail ESMTP\r\n", b"\x16\x03\x03", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_comes_behind_the_consent_is_the_targets(proxy: Proxy, said: list[bytes], first: bytes) -> None:
    assert talk(proxy, [*said[:-1], said[-1] + first])[1] == first


@pytest.mark.parametrize(("proxy", "said"), CONSENTS)
def test_a_consent_may_come_byte_by_byte_and_nothing_behind_it_is_waited_for(proxy: Proxy, said: list[bytes]) -> None:
    pieces = [bytes([byte]) for byte in b"".join(said)]
    assert talk(proxy, pieces[:-1])[1] is None
    assert talk(proxy, pieces)[1] == b""


@given(st.sampled_from(CONSENTS), st.binary(max_size=40), st.sets(st.integers(1, 90), max_size=6))
def test_it_is_the_same_however_the_consent_is_cut(
    consent: tuple[Proxy, list[bytes]], first: bytes, cuts: set[int]
) -> None:
    proxy, (*before, head) = consent
    at = [0, *sorted(cuts), 200]
    pieces = [piece for start, end in pairwise(at) if (piece := (head + first)[start:end])]
    needed = next(number for number in range(1, len(pieces) + 1) if len(b"".join(pieces[:number])) >= len(head))
    assert talk(proxy, before + pieces[: needed - 1])[1] is None
    _, early = talk(proxy, before + pieces[:needed])
    assert early is not None
    assert early + b"".join(pieces[needed:]) == first


# --- every way to fail ------------------------------------------------------------------------------------------------

FAILED, REFUSED, TIMEOUT = Reason.CONNECT_ERROR, Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT

FAILURES: dict[str, tuple[Proxy, list[bytes], Reason, str]] = {
    "closes": (HTTP, [b""], FAILED, "closed the connection without an answer to CONNECT"),
    "closes within the head": (
        *(HTTP, [b"HTTP/1.1 200 OK\r\nA: b\r\n", b""], FAILED),
        "closed the connection without an answer to CONNECT",
    ),
    "407": (
        *(HTTP, [b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\nContent-Length: 9\r\n\r\n"], FAILED),
        "answered CONNECT with 407 Proxy Authentication Required",
    ),
    "403": (HTTP, [b"HTTP/1.1 403 No\r\n\r\n"], FAILED, "answered CONNECT with 403 Forbidden"),
    "500": (
        HTTP,
        [b"HTTP/1.0 500 Unable to connect\r\n\r\n"],
        FAILED,
        "answered CONNECT with 500 Internal Server Error",
    ),
    "502": (HTTP, [b"HTTP/1.1 502 \r\n\r\n"], FAILED, "answered CONNECT with 502 Bad Gateway"),
    "504": (HTTP, [b"HTTP/1.1 504 \r\n\r\n"], TIMEOUT, "answered CONNECT with 504 Gateway Timeout"),
    "a redirection": (HTTP, [b"HTTP/1.1 302 Found\r\nLocation: http://a.example/\r\n\r\n"], FAILED, "302 Found"),
    "an unknown status": (HTTP, [b"HTTP/1.1 799 Hm\r\n\r\n"], FAILED, "answered CONNECT with 799 (unknown)"),
    "another protocol unasked": (
        *(HTTP, [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"], FAILED),
        "did not answer CONNECT with an HTTP response",
    ),
    "no HTTP": (HTTP, [b"220 mail ESMTP\r\n"], FAILED, "did not answer CONNECT with an HTTP response"),
    "TLS": (HTTP, [b"\x15\x03\x01\x00\x02\x02\x46"], FAILED, "did not answer CONNECT with an HTTP response"),
    "an echo": (HTTP_AS_USER, [talk(HTTP_AS_USER, [])[0][0]], FAILED, "did not answer CONNECT with an HTTP response"),
    "an endless line": (HTTP, [b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD_BYTES], FAILED, "HTTP response"),
    "endless fields": (HTTP, [b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n" * 100] * 40], FAILED, "HTTP response"),
    "endless hints": (HTTP, [b"HTTP/1.1 103 Wait\r\n\r\n"] * 1000, FAILED, "answered CONNECT with too long a head"),
    "SOCKS closes": (SOCKS, [b""], FAILED, "closed the connection during the dialogue"),
    "SOCKS closes late": (SOCKS, [GRANTED, b"\x05\x00\x00", b""], FAILED, "closed the connection during the dialogue"),
    "SOCKS 4": (SOCKS, [b"\x00\x5b" + bytes(6)], FAILED, "does not speak SOCKS 5"),
    "SOCKS 4 later": (SOCKS, [GRANTED, b"\x04\x00"], FAILED, "does not speak SOCKS 5"),
    "HTTP for SOCKS": (SOCKS, [b"HTTP/1.0 400 Bad Request\r\n\r\n"], FAILED, "does not speak SOCKS 5"),
    "a password is asked for": (SOCKS, [b"\x05\xff"], FAILED, "asks for a user and a password"),
    "a password is chosen unasked": (SOCKS, [b"\x05\x02"], FAILED, "asks for a user and a password"),
    "no password is taken": (SOCKS_AS_USER, [b"\x05\xff"], FAILED, "does not accept a user and a password"),
    "Kerberos": (SOCKS_AS_USER, [b"\x05\x01"], FAILED, "does not accept a user and a password"),
    "a wrong password": (
        SOCKS_AS_USER,
        [b"\x05\x02", b"\x01\x01"],
        FAILED,
        "does not accept the user and the password",
    ),
    "code 1": (SOCKS, [GRANTED, b"\x05\x01"], FAILED, "has a general failure"),
    "code 2": (SOCKS, [GRANTED, b"\x05\x02\x00\x01" + bytes(6)], FAILED, "does not allow the connection"),
    "code 3": (SOCKS, [GRANTED, b"\x05\x03\x00\x01" + bytes(6)], FAILED, "cannot reach the network"),
    "code 4": (SOCKS, [GRANTED, b"\x05\x04\x00\x01" + bytes(6)], FAILED, "cannot reach the host, or does not know it"),
    "code 5": (SOCKS, [GRANTED, b"\x05\x05\x00\x01" + bytes(6)], REFUSED, "was refused"),
    "code 6": (SOCKS, [GRANTED, b"\x05\x06\x00\x01" + bytes(6)], TIMEOUT, "got no answer"),
    "code 7": (SOCKS, [GRANTED, b"\x05\x07\x00\x01" + bytes(6)], FAILED, "does not know the command"),
    "code 8": (SOCKS, [GRANTED, b"\x05\x08\x00\x01" + bytes(6)], FAILED, "does not know this type of address"),
    "code 9": (SOCKS, [GRANTED, b"\x05\x09\x00\x01" + bytes(6)], FAILED, "answered with the unknown code 9"),
    "an unknown type": (SOCKS, [GRANTED, b"\x05\x00\x00\x02"], FAILED, "answered with an unknown type of address"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_proxy_that_does_not_connect_leaves_its_reason(case: str) -> None:
    proxy, pieces, reason, detail = FAILURES[case]
    with pytest.raises(ProxyError) as caught:
        talk(proxy, pieces)
    assert caught.value.reason is reason
    assert detail in caught.value.detail


def test_every_kind_of_proxy_is_tried() -> None:
    assert {proxy.scheme for proxy, *_ in FAILURES.values()} == DIALOGUES.keys()


_http_bits = st.sampled_from(
    [
        OK,
        b"HTTP/1.1 ",
        b"HTTP/1.0 407 ",
        b"200",
        b" OK\r\n",
        b"\r\n",
        b"\n",
        b"A: b\r\n",
        b"Content-Length: 5\r\n",
        b"\0",
    ]
)
_socks_bits = st.sampled_from(
    [b"\x05\x00", b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x03", b"\x00\x01", SOCKS_OK, b"\xff"]
)
_pieces = st.lists(st.binary(max_size=30) | _http_bits | _socks_bits, max_size=20)


@given(st.sampled_from([HTTP, HTTP_AS_USER, SOCKS, SOCKS_AS_USER]), _pieces)
@example(HTTP, [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
@example(HTTP, [b"HTTP/1.1 999999999999999999999 OK\r\n\r\n"])
@example(HTTP, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: a\r\nTransfer-Encoding: b\r\n\r\n"])
@example(HTTP_AS_USER, [talk(HTTP_AS_USER, [])[0][0]])
def test_whatever_a_proxy_says_it_is_consent_or_one_error_that_quotes_nothing(
    proxy: Proxy, pieces: list[bytes]
) -> None:
    first, error = None, None
    try:
        _, first = talk(proxy, pieces)
    except ProxyError as caught:
        error = caught
    assert first is None or first in b"".join(pieces)
    if error is not None:
        for secret in (PASSWORD, b64encode(f"{proxy.user}:{PASSWORD}".encode()).decode()):
            assert secret not in error.detail
        assert error.detail.isprintable()
        assert error.__cause__ is None


# --- over a connection ------------------------------------------------------------------------------------------------


async def _attempt(handler: Handler, scheme: str, **changes: object) -> None:
    """Connect through a proxy that behaves like this."""
    async with plain_server(handler) as port:
        proxy = Proxy(scheme, "127.0.0.1", port, USER.replace(":", ""), PASSWORD)
        fields = {"timeout_seconds": 0.3, "connect_address": None, "proxy": proxy, **changes}
        dialer = Dialer(make_target(443, **fields), HostGate())
        async with dialer.connect(max_bytes=10):
            pass


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _closing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(1000)


async def _resetting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()  # with unread bytes: a reset


async def _dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100), 0.05)


async def _dripping_socks(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"\x05\x00\x05\x00\x00\x03\xff" + bytes(255), 0.05)


async def _flooding(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Wait\r\n\r\n" * 1000)
        await writer.drain()


async def _echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()


HOSTILE: dict[str, tuple[Handler, str, Reason]] = {
    "silent": (_silent, "http", TIMEOUT),
    "silent SOCKS": (_silent, "socks5", TIMEOUT),
    "closing": (_closing, "http", FAILED),
    "closing SOCKS": (_closing, "socks5", FAILED),
    "resetting": (_resetting, "http", FAILED),
    "dripping": (_dripping, "http", TIMEOUT),
    "dripping SOCKS": (_dripping_socks, "socks5", TIMEOUT),
    "flooding": (_flooding, "http", FAILED),
    "flooding SOCKS": (_flooding, "socks5", FAILED),
    "echoing": (_echoing, "http", FAILED),
    "echoing SOCKS": (_echoing, "socks5", FAILED),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_proxy_leaves_its_reason_in_time_and_is_named_without_its_password(case: str) -> None:
    handler, scheme, reason = HOSTILE[case]
    began = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        asyncio.run(_attempt(handler, scheme))
    assert time.monotonic() - began < 10
    assert caught.value.reason is reason
    assert caught.value.detail.startswith(f"{NAME} port 443: the proxy {scheme}://127.0.0.1:")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "detail"),
    [
        (Proxy("http", "127.0.0.1", free_port(), "scanner", PASSWORD), "refused"),
        (Proxy("socks5", "nothing.invalid", 1080, "scanner", PASSWORD), "nothing.invalid: "),
    ],
)
def test_a_proxy_that_is_not_there_says_nothing_of_the_target(proxy: Proxy, detail: str) -> None:
    """Else a proxy that is down would be the alarm that every service refuses, or has lost its name."""

    async def run() -> None:
        async with Dialer(make_target(443, proxy=proxy), HostGate()).connect(max_bytes=10):
            pass

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.CONNECT_ERROR
    assert caught.value.detail.startswith(f"proxy {proxy}: ")
    assert detail in caught.value.detail
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"host": "nothing.invalid", "connect_address": None}, b"nothing.invalid:443"),
        ({"host": "nothing.invalid", "connect_address": "192.0.2.7"}, b"192.0.2.7:443"),
    ],
)
def test_it_is_the_proxy_that_resolves_the_name(changes: dict[str, object], asked: bytes) -> None:
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n")).split(b" ")[1])
        writer.write(OK)
        await writer.drain()
        await reader.read()

    asyncio.run(_attempt(handler, "http", **changes))
    assert heard == [asked]


BANNER, CAPABILITIES, GO = b"220 mail ESMTP\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"220 go\r\n"


async def _http_before_smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK + BANNER)
    await _smtp(reader, writer)


async def _socks_before_smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)
    writer.write(b"\x05\x00")
    await reader.readexactly(4 + 1 + len(NAME) + 2)
    writer.write(SOCKS_OK[2:] + BANNER)
    await _smtp(reader, writer)


async def _smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n")
    writer.write(CAPABILITIES)
    await reader.readuntil(b"\r\n")
    writer.write(GO)
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize(("handler", "scheme"), [(_http_before_smtp, "http"), (_socks_before_smtp, "socks5")])
def test_a_banner_in_the_packet_of_the_consent_is_not_lost(handler: Handler, scheme: str) -> None:
    async def run() -> tuple[int, int]:
        async with plain_server(handler) as port:
            proxy = Proxy(scheme, "127.0.0.1", port, "scanner", PASSWORD)
            dialer = Dialer(make_target(25, starttls="smtp", connect_address=None, proxy=proxy), HostGate())
            async with dialer.connect(max_bytes=len(BANNER + CAPABILITIES + GO)) as connection:
                await start_tls(connection, "smtp", NAME)
            return dialer.traffic.received, dialer.connections

    consent = len(OK) if scheme == "http" else len(SOCKS_OK)
    assert asyncio.run(run()) == (consent + len(BANNER + CAPABILITIES + GO), 1)


def test_limits_of_a_connection_begin_behind_the_proxy() -> None:
    """The target gets all its bytes and all its time, however long the proxy took."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 4000 + b"\r\n\r\n12345")
        await reader.readexactly(1)
        writer.write(b"67890")
        await writer.drain()
        await reader.read()

    async def run() -> bytes:
        async with plain_server(handler) as port:
            proxy = Proxy("http", "127.0.0.1", port)
            dialer = Dialer(make_target(443, proxy=proxy), HostGate())
            async with dialer.connect(max_bytes=10) as connection:
                data = await connection.read()
                await connection.write(b"?")
                return data + await connection.read()

    assert asyncio.run(run()) == b"1234567890"


def test_connections_through_a_proxy_share_the_places_of_the_name_that_it_is_told() -> None:
    async def run() -> int:
        inside, most = 0, 0

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal inside, most
            await reader.readuntil(b"\r\n\r\n")
            inside += 1
            most = max(most, inside)
            writer.write(OK)
            await reader.read(1)
            inside -= 1

        async with plain_server(handler) as port:
            gate, proxy = HostGate(), Proxy("http", "127.0.0.1", port)

            async def visit(name: str) -> None:
                target = make_target(443, name=name, proxy=proxy, connect_address=None, connections_per_host=1)
                async with Dialer(target, gate).connect(max_bytes=10) as connection:
                    await connection.write(b"!")
                    assert await connection.read() == b""

            await asyncio.gather(*(visit(name) for name in ("a", "b", "c")))
        return most

    assert asyncio.run(run()) == 1
