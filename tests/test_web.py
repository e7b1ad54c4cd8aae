"""The HTTP side, over real sockets."""

import asyncio
import gzip
import http.client
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.errors import ExporterError
from exporter.listen_address import parse_address
from exporter.metrics import text_page
from exporter.web import Gate, Sources, make_app, serving


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(path: str, *, method: str = "GET", ready: bool = True, **headers: str) -> Answer:
    """One request to a server whose metrics are a fixed text."""
    sources = Sources(
        metrics=lambda accept: partial(
            text_page, b"# accept " + accept.encode() + b"\n" + b"metric 1\n" * 500, "text/plain; version=0.0.4"
        ),
        ready=lambda: ready,
    )
    return asyncio.run(_ask(sources, method, path, {name.replace("_", "-"): value for name, value in headers.items()}))


async def _ask(sources: Sources, method: str, path: str, headers: dict[str, str], gate: Gate | None = None) -> Answer:
    async with serving(make_app(sources, gate), [("127.0.0.1", 0)]) as [(host, port)]:
        return await asyncio.to_thread(_request, host, port, method, path, headers)


def _request(host: str, port: int, method: str, path: str, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def test_metrics_answer_in_the_form_asked_for() -> None:
    answer = ask("/metrics", Accept="application/openmetrics-text")
    assert answer.status == 200
    assert answer.body.startswith(b"# accept application/openmetrics-text\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"


def test_metrics_are_compressed_for_those_who_take_it() -> None:
    plain, packed = ask("/metrics"), ask("/metrics", Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_health_and_readiness() -> None:
    assert ask("/-/healthy").status == 200
    assert ask("/-/ready").status == 200
    assert ask("/-/healthy", ready=False).status == 200
    assert ask("/-/ready", ready=False).status == 503


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/metrics", 405)])
def test_everything_else_is_refused(method: str, path: str, status: int) -> None:
    assert ask(path, method=method).status == status


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":19443", ("", 19443)),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_reads_listen_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "19443", "host", "host:", ":x", ":70000", "::1:80", "host:-1"])
def test_refuses_what_is_no_listen_address(text: str) -> None:
    with pytest.raises(ExporterError):
        parse_address(text)


def _nothing() -> Sources:
    return Sources(metrics=lambda _accept: partial(text_page, b"", "text/plain"), ready=lambda: True)


def _serve_on(*addresses: tuple[str, int], then: Callable[[list[tuple[str, int]]], None] = lambda _bound: None) -> None:
    async def run() -> None:
        async with serving(make_app(_nothing()), list(addresses)) as bound:
            await asyncio.to_thread(then, bound)

    asyncio.run(run())


def test_listens_on_several_addresses() -> None:
    def check(bound: list[tuple[str, int]]) -> None:
        assert [_request(host, port, "GET", "/-/healthy", {}).status for host, port in bound] == [200, 200]

    _serve_on(("127.0.0.1", 0), ("127.0.0.2", 0), then=check)


def test_an_empty_host_is_every_address_of_both_families() -> None:
    def check(bound: list[tuple[str, int]]) -> None:
        port = bound[0][1]
        assert _request("127.0.0.1", port, "GET", "/-/healthy", {}).status == 200
        if socket.has_ipv6 and bound[0][0] == "::":
            assert _request("::1", port, "GET", "/-/healthy", {}).status == 200

    _serve_on(("", 0), then=check)


def test_an_address_in_use_is_a_plain_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExporterError, match=f"cannot listen on 127.0.0.1:{port}"):
            _serve_on(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("problem", "status", "body"),
    [
        (None, 200, b"The configuration was reloaded.\n"),
        ("a:1:1: b", 500, b"The reload failed, the old configuration stays:\na:1:1: b\n"),
    ],
)
def test_a_reload_answers_whether_it_worked_and_why_not(problem: str | None, status: int, body: bytes) -> None:
    async def reload() -> str | None:
        return problem

    sources = Sources(lambda _accept: partial(text_page, b"", "text/plain"), lambda: True, reload)
    answer = asyncio.run(_ask(sources, "POST", "/-/reload", {}, Gate(enabled=True)))
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_post_reloads(method: str) -> None:
    async def reload() -> str | None:
        raise AssertionError

    sources = Sources(lambda _accept: partial(text_page, b"", "text/plain"), lambda: True, reload)
    answer = asyncio.run(_ask(sources, method, "/-/reload", {}))
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


def test_without_a_configuration_file_there_is_nothing_to_reload() -> None:
    assert ask("/-/reload", method="POST").status == 404


def _link_local() -> str | None:
    """An address of this machine that needs its interface, with it."""
    table = Path("/proc/net/if_inet6")
    for line in table.read_text().splitlines() if table.exists() else ():
        digits, _index, _length, scope, flags, interface = line.split()
        if scope == "20" and not int(flags, 16) & 0x40:  # not tentative
            return f"{IPv6Address(int(digits, 16))}%{interface}"
    return None


def test_a_link_local_address_can_be_listened_on() -> None:
    address = _link_local()
    if address is None:
        pytest.skip("this machine has no link-local address")

    async def run() -> None:
        async with serving(make_app(_nothing()), [(address, 0)]) as [(host, port)]:
            assert (host, port > 0) == (address.partition("%")[0], True)

    asyncio.run(run())
