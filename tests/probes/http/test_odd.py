"""Heads that do not conform to the standard: read as clients read them, and unknown if clients differ."""

import asyncio

import pytest

from exporter.errors import ProbeError
from exporter.facts.http import HttpFacts, HttpResponse
from exporter.model import Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.http.http1 import Http1
from exporter.probes.http.odd import OddHeadError, read_head
from exporter.probes.http.question import questions
from tests.probes.http.test_responses import fetch
from tests.support.heads import ODD_HEADS, OPEN_HEADS, STS, VALUE, Odd
from tests.support.plain import plain_server
from tests.support.servers import Pki
from tests.support.targets import make_target
from tests.support.web import NONCE, answering, ask, response


def read(head: bytes) -> HttpResponse:
    """One question over plain TCP: TLS and the others cost time and change nothing about the head."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()

    async def run() -> HttpResponse:
        async with plain_server(handler) as port:
            target = make_target(port)
            async with Dialer(target, HostGate()).connect(max_bytes=100_000) as connection:
                return await Http1(connection).ask(questions(target, NONCE)[0])

    return asyncio.run(run())


def policy(found: HttpResponse) -> str:
    """With blanks as one: which ones a continuation line leaves is nobody's business."""
    return " ".join(", ".join(found.hsts_fields).split())


@pytest.mark.parametrize("odd", ODD_HEADS, ids=[odd.name for odd in ODD_HEADS])
def test_what_clients_agree_on_is_read_and_nothing_else(odd: Odd) -> None:
    if odd.agreed is None:
        with pytest.raises(ProbeError) as caught:
            read(odd.head)
        assert caught.value.reason is Reason.HTTP_ERROR
    else:
        found = read(odd.head)
        assert policy(found) == odd.agreed
        assert (found.hsts is not None) == bool(odd.agreed)


@pytest.mark.parametrize("head", [one[1] for one in OPEN_HEADS], ids=[one[0] for one in OPEN_HEADS])
def test_a_policy_that_hangs_on_the_client_is_not_known(head: bytes) -> None:
    with pytest.raises(ProbeError, match="Strict-Transport-Security in different ways"):
        read(head)


def test_most_odd_heads_are_read() -> None:
    assert len([odd for odd in ODD_HEADS if odd.agreed]) >= 40
    assert len([odd for odd in ODD_HEADS if odd.agreed is None]) >= 30


def visit(pki: Pki, *odd_lines: str) -> tuple[HttpFacts, int]:
    """All three requests; each response has these lines."""
    facts, _, connections = ask(pki, answering(lambda _: response(f"{STS.decode()}{''.join(odd_lines)}")))
    return facts, connections


def test_behind_an_odd_head_each_question_has_a_connection_of_its_own(pki: Pki) -> None:
    """The end of the body is not certain; ordinary servers get all requests over one connection."""
    facts, connections = visit(pki, "X Foo: a\r\n")
    assert ([one.status for one in facts.responses], connections) == ([200] * 3, 3)
    assert visit(pki)[1] == 1


def test_interim_responses_before_an_odd_one_are_passed_over(pki: Pki) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nStrict-Transport-Security: max-age=1\r\n\r\n"
    facts = fetch(pki, interim, interim + b"HTTP/1.1 200 OK\r\nX Foo: a\r\n", STS + b"\r\n")
    assert facts.first.fields == (("strict-transport-security", VALUE),)


ODD_INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink : </a.css>\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\n" + STS + b"Content-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("final", [FINAL, FINAL.replace(b"Content", b"X Foo: a\r\nContent")])
@pytest.mark.parametrize("interim", [ODD_INTERIM, ODD_INTERIM * 10, b"HTTP/1.1 100 Continue\r\n\r\n" + ODD_INTERIM])
def test_odd_interim_responses_are_passed_over(pki: Pki, interim: bytes, final: bytes) -> None:
    for pieces in ([interim + final], [interim, final], [interim[:-1], interim[-1:] + final[:9], final[9:]]):
        found = fetch(pki, *pieces)
        assert (found.status, found.hsts_fields) == (200, (VALUE,))


@pytest.mark.parametrize("head", [ODD_INTERIM * 11 + FINAL, ODD_INTERIM.replace(b"103", b"101") + FINAL, ODD_INTERIM])
def test_not_everything_behind_odd_interim_responses_is_one(head: bytes) -> None:
    """Too many; another protocol; nothing."""
    with pytest.raises(ProbeError) as caught:
        read(head)
    assert caught.value.reason is Reason.HTTP_ERROR


def test_an_odd_head_is_read_however_it_is_cut(pki: Pki) -> None:
    head = b"HTTP/1.1 200 OK\r\nX Foo: a\r\n" + STS + b"Server : nginx\r\n\r\n"
    facts = fetch(pki, *(head[at : at + 1] for at in range(len(head))))
    assert facts.first.fields == (("strict-transport-security", VALUE), ("server", "nginx"))


@pytest.mark.parametrize("field", ["Location: https://www.test.example/\r\n"])
def test_a_redirect_that_not_all_clients_follow_is_not_known(pki: Pki, field: str) -> None:
    with pytest.raises(ProbeError, match="Location in different ways"):
        fetch(pki, response(field.replace(":", " :", 1), "301 Moved"))
    assert fetch(pki, response(f"X Foo: a\r\n{field}", "301 Moved")).first.values("location")


@pytest.mark.parametrize(
    "line", [b"X Foo:" + b" " * 60_000 + b"!", b"\n".join([b"a:", *[b" "] * 20_000]), b"\r" * 60_000]
)
def test_the_longest_head_takes_no_time(line: bytes) -> None:
    async def run() -> None:
        async with asyncio.timeout(5):
            await asyncio.to_thread(_read, b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n")

    asyncio.run(run())


def _read(data: bytes) -> None:
    try:
        read_head(data)
    except OddHeadError:
        return
