"""The port without TLS: its answer, where redirects lead, and what is unknown."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.facts.http import PlainAnswer
from exporter.facts.shapes.http import REDIRECTS
from exporter.model import HttpOptions, Proxy, Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.http import PROBE
from exporter.probes.http.plain import ask_plain, leads_home
from exporter.probes.http.probe import look
from tests.support.facts import steady
from tests.support.processes import free_port
from tests.support.servers import Pki
from tests.support.targets import make_session, make_target
from tests.support.web import Answer, Handler, Served, answering, response, serving, usual

HOME = "Location: https://www.test.example/\r\n"


def asked(handler: Handler, **changes: Any) -> tuple[PlainAnswer, Served]:  # noqa: ANN401 - any field of Target
    """What such a server does at the port without TLS, of a target on port 443."""

    async def run() -> tuple[PlainAnswer, Served]:
        async with serving(handler, None) as served:
            target = make_target(**{"timeout_seconds": 0.3, **changes})
            return await ask_plain(Dialer(target, HostGate()), served.port), served

    return asyncio.run(run())


def saying(said: bytes | None) -> Answer:
    return lambda _: said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_https_on_the_same_host_is_one(status: int) -> None:
    plain, served = asked(answering(saying(response(HOME, f"{status} Moved"))))
    assert (plain.redirects_to_https, plain.status, plain.location) == (True, status, "https://www.test.example/")
    assert plain.reason is None
    host = f"\r\nHost: www.test.example:{served.port}\r\n".encode()
    assert [(request.split(b" ")[:2], host in request) for request in served.requests] == [([b"GET", b"/"], True)]


@pytest.mark.parametrize(
    "said",
    [
        response(),
        response(HOME, "200 OK"),
        response(HOME, "300 Multiple Choices"),
        response(HOME, "304 Not Modified"),
        response(HOME, "404 Not Found"),
        response("", "301 Moved"),
        response("Location: http://www.test.example/\r\n", "301 Moved"),
        response(2 * "Location: https://elsewhere.example/\r\n", "301 Moved"),
    ],
)
def test_any_other_answer_is_none(said: bytes) -> None:
    plain, _ = asked(answering(saying(said)))
    assert (plain.redirects_to_https, plain.reason) == (False, None)


def test_a_redirect_that_stands_behind_many_fields_is_one_too() -> None:
    said = response("".join(f"X-{number}: y\r\n" for number in range(200)) + HOME, "301 Moved")
    assert asked(answering(saying(said)))[0].redirects_to_https is True


def test_the_same_redirect_twice_is_one() -> None:
    assert asked(answering(saying(response(2 * HOME, "301 Moved"))))[0].redirects_to_https is True


@pytest.mark.parametrize(
    "fields",
    [HOME + "Location: https://elsewhere.example/\r\n", "Location: https:\\\\www.test.example\r\n"],
)
def test_a_redirect_that_clients_read_in_different_ways_is_not_known(fields: str) -> None:
    plain, _ = asked(answering(saying(response(fields, "301 Moved"))))
    assert (plain.redirects_to_https, plain.status, plain.reason) == (None, 301, Reason.HTTP_ERROR)
    assert plain.detail == "clients read its Location in different ways"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", Reason.HTTP_ERROR),
        (None, Reason.HTTP_ERROR),
        (b"", Reason.HTTP_TIMEOUT),
        (b"HTTP/1.1 301 Moved\r\nX: " + b"x" * 300_000, Reason.HTTP_ERROR),
    ],
)
def test_what_is_no_answer_says_nothing(said: bytes | None, reason: Reason) -> None:
    plain, _ = asked(answering(saying(said)))
    assert (plain.redirects_to_https, plain.reason) == (None, reason)
    assert plain.detail


LEADS = [
    # Location, target's port, whether it leads home: None where that depends on the client
    ("https://www.test.example/", 443, True),
    ("https://www.test.example", 443, True),
    ("https://www.test.example:443/a?b=c#d", 443, True),
    ("HTTPS://WWW.Test.Example/", 443, True),
    ("https://www.test.example./", 443, True),
    ("https://www.test.example:8443/", 8443, True),
    ("https://www.test.example/", 8443, False),
    ("https://www.test.example:8443/", 443, False),
    ("https://test.example/", 443, False),
    ("https://www.test.example.evil.example/", 443, False),
    ("http://www.test.example/", 443, False),
    ("http://www.test.example:443/", 443, False),
    ("//www.test.example/", 443, False),
    ("/", 443, False),
    ("", 443, False),
    ("www.test.example", 443, False),
    ("https://www.test.example?a", 443, True),
    ("https://www.test.example#a", 443, True),
    ("https://www.test.example:/", 443, True),
    ("https://www.test.example/with blank", 443, True),
    ("https://www.test.example/gr\xfc\xdfe", 443, True),
    ("https://www.test.example/\\elsewhere.example", 443, True),
    ("https://www.test.example/@elsewhere.example", 443, True),
    ("https://www.test.example/" + "a" * 60_000, 443, True),
    ("https:/", 443, None),
    ("https:www.test.example", 443, None),
    ("https://", 443, None),
    ("https:///www.test.example/", 443, None),
    ("https://www.test.example@evil.example/", 443, False),
    ("https://user@www.test.example/", 443, None),
    ("https://user:word@www.test.example/", 443, None),
    ("https://evil.example\\@www.test.example/", 443, None),
    ("https://www.test.example\\a", 443, None),
    ("https:\\\\www.test.example", 443, None),
    ("https://www%2etest.example/", 443, None),
    ("https://www.test.example:x/", 443, None),
    ("https://www.test.example:99999/", 443, False),
    ("https://[www.test.example/", 443, None),
    ("ht\ttps://www.test.example/", 443, None),
    (" https://www.test.example/", 443, None),
    ("https://www.test.example \t/", 443, None),
    ("https://www.test.ex\xe4mple/", 443, None),
    ("javascript:https://www.test.example/", 443, False),
]


@pytest.mark.parametrize(("location", "port", "expected"), LEADS)
def test_where_a_location_leads(location: str, port: int, expected: bool | None) -> None:
    assert leads_home(location, make_target(port)) is expected


def test_home_is_the_host_that_is_asked_for() -> None:
    other = make_target(http=HttpOptions(host="other.test.example"))
    assert leads_home("https://other.test.example/", other)
    assert not leads_home("https://www.test.example/", other)
    assert leads_home("https://[2001:db8::1]/", make_target(host="2001:db8::1"))


@steady
@given(st.text() | st.text("htps:/@.[]\\w?#", max_size=30).map(lambda rest: f"https://{rest}"))
def test_any_text_is_no_error(location: str) -> None:
    leads_home(location, make_target())


def _whole(pki: Pki, location: str | None, **changes: Any) -> tuple[dict[str, float], int]:  # noqa: ANN401 - any field of Target
    """The samples of a whole probe and its connections; the port without TLS leads there, None is nobody."""

    async def run() -> tuple[dict[str, float], int]:
        async with serving(answering(usual), pki) as served:
            moved = response(f"Location: {location}\r\n".replace("PORT", str(served.port)), "301 Moved")
            async with serving(answering(saying(moved)), None) as beside:
                port = free_port() if location is None else beside.port
                target = make_target(served.port, http=HttpOptions(port=port), timeout_seconds=0.5, **changes)
                session = make_session(target)
                facts = await look(session)
        return {one.family.name: one.value for one in PROBE.shape.samples(facts)}, session.dialer.connections

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("location", "value"), [("https://www.test.example:PORT/", 1), ("https://www.test.example/", 0), ("/login", 0)]
)
def test_the_whole_probe_looks_there_once(pki: Pki, location: str, value: int) -> None:
    shown, connections = _whole(pki, location)
    assert shown[REDIRECTS.name] == value
    assert connections == 2


def test_one_connection_at_a_time_is_enough(pki: Pki) -> None:
    assert _whole(pki, "/", connections_per_host=1)[0][REDIRECTS.name] == 0


def test_nobody_there_is_absent_and_no_failure(pki: Pki) -> None:
    shown, connections = _whole(pki, None)
    assert REDIRECTS.name not in shown
    assert connections == 2


def test_it_is_not_looked_for_when_that_is_off(pki: Pki) -> None:
    async def run() -> tuple[PlainAnswer | None, int]:
        async with serving(answering(usual), pki) as served:
            session = make_session(make_target(served.port))
            return (await look(session)).http_redirect, session.dialer.connections

    assert asyncio.run(run()) == (None, 1)


def test_through_a_proxy_it_is_the_proxy_that_leads_there() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(HOME, "301 Moved"))
        await writer.drain()

    async def run() -> tuple[PlainAnswer, Served]:
        async with serving(handler, None) as served:
            target = make_target(proxy=Proxy("http", "127.0.0.1", served.port), connect_address=None)
            return await ask_plain(Dialer(target, HostGate()), 80), served

    plain, served = asyncio.run(run())
    assert plain.redirects_to_https is True
    assert [request.split(b"\r\n")[0] for request in served.requests] == [b"CONNECT www.test.example:80 HTTP/1.1"]


def test_at_another_address_of_the_name_it_is_not_looked_for(pki: Pki) -> None:
    """The port without TLS belongs to the address that the scan is about."""

    async def both(_host: str, _port: int, _protocol: object) -> tuple[str, ...]:
        return "127.0.0.2", "127.0.0.1"

    async def run() -> PlainAnswer | None:
        async with serving(answering(usual), pki) as served, serving(answering(usual), None, host="127.0.0.2") as other:
            target = make_target(served.port, http=HttpOptions(port=other.port), connect_address=None)
            session = make_session(target)
            return (await look(replace(session, dialer=Dialer(target, HostGate(), both)))).http_redirect

    plain = asyncio.run(run())
    assert plain is not None
    assert (plain.redirects_to_https, plain.reason) == (None, Reason.CONNECT_REFUSED)
