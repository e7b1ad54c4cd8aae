"""The requests on the wire: three, and none changes anything on a server."""

import asyncio
import re

import pytest

from exporter import __version__
from exporter.model import HttpOptions
from exporter.probes.http.probe import look
from exporter.probes.http.question import plain_question, questions
from tests.support.servers import Pki
from tests.support.targets import make_session, make_target
from tests.support.web import NONCE, answering, ask, serving, usual

AGENT = f"tls-posture-exporter/{__version__}"


def test_the_requests_as_they_are_sent(pki: Pki) -> None:
    _, served, _ = ask(pki, answering(usual))
    host = f"Host: www.test.example:{served.port}\r\n"
    others = f"User-Agent: {AGENT}\r\nAccept: */*\r\n"
    assert [request.decode() for request in served.requests] == [
        f"GET / HTTP/1.1\r\n{host}{others}\r\n",
        f"GET /tls-posture-exporter-{NONCE} HTTP/1.1\r\n{host}{others}\r\n",
        f"GET / HTTP/1.1\r\n{host}{others}Connection: close\r\nhost: malformed.invalid\r\n\r\n",
    ]


def test_path_host_and_user_agent_can_be_chosen(pki: Pki) -> None:
    chosen = HttpOptions(path="/shop?a=b", host="other.test.example", user_agent="scanner/1 (x)")
    _, served, _ = ask(pki, answering(usual), http=chosen)
    assert [request.split(b" ")[1] for request in served.requests] == [
        *(b"/shop?a=b", f"/tls-posture-exporter-{NONCE}".encode(), b"/shop?a=b"),
    ]
    for request in served.requests:
        assert f"\r\nHost: other.test.example:{served.port}\r\nUser-Agent: scanner/1 (x)\r\n".encode() in request


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("www.test.example", 443, "www.test.example"),
        ("www.test.example", 8443, "www.test.example:8443"),
        ("2001:db8::1", 443, "[2001:db8::1]"),
        ("2001:db8::1", 8443, "[2001:db8::1]:8443"),
        ("fe80::1%eth0", 443, "[fe80::1]"),  # RFC 6874, 1: a zone means something on this machine alone
    ],
)
def test_the_port_stands_behind_the_host_unless_it_is_the_usual_one(host: str, port: int, expected: str) -> None:
    """RFC 9110, 7.2."""
    assert {question.host for question in questions(make_target(port, host=host), NONCE)} == {expected}


def test_without_tls_the_usual_port_is_80_and_the_path_that_of_the_name_alone() -> None:
    target = make_target(8443, http=HttpOptions(path="/shop", port=80))
    assert plain_question(target, 80).host == "www.test.example"
    assert plain_question(target, 8080).host == "www.test.example:8080"
    assert plain_question(target, 80).path == "/"


async def _paths(pki: Pki) -> list[bytes]:
    async with serving(answering(usual), pki) as served:
        for _ in range(2):
            await look(make_session(make_target(served.port)))
        return [request.split(b" ")[1] for request in served.requests if b"exporter-" in request.split(b" ")[1]]


def test_the_path_that_nobody_has_is_another_one_each_time(pki: Pki) -> None:
    first, second = asyncio.run(_paths(pki))
    assert first != second
    assert re.fullmatch(rb"/tls-posture-exporter-[0-9a-f]{32}", first)
