"""What every response has, and what none has."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.metrics import Page, text_page
from exporter.web import Sources, make_app, serving
from tests.support.known_fleet import KnownFleet
from tests.support.targets import make_target
from tests.web.client import Answer, ask_on, read_answer

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready")


def _fail(_accept: str) -> Callable[[], Page]:
    raise ValueError("no page")


def ask(path: str, *fields: str, method: str = "GET", ready: bool = True, fails: bool = False) -> Answer:
    without_api = Sources(
        metrics=_fail if fails else lambda _: partial(text_page, b"metric 1\n", "text/plain"),
        ready=lambda: ready,
    )

    async def run() -> Answer:
        sources = replace(without_api, api=KnownFleet(make_target()).data)
        async with serving(make_app(sources), [("127.0.0.1", 0)]) as [(_, port)]:
            return await ask_on(port, path, *fields, method=method)

    return asyncio.run(run())


def check(answer: Answer) -> None:
    assert answer.all("x-content-type-options") == ["nosniff"]
    assert not answer.all("server")
    assert len(answer.all("date")) == 1
    assert len(answer.all("content-type")) == 1


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        *((path, "GET", 200) for path in PATHS),
        *((path, "HEAD", 200) for path in PATHS),
        *((path, "POST", 405) for path in PATHS),
        *(("/metrics", method, 405) for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW")),
        ("/nothing", "GET", 404),
        ("/metrics/", "GET", 404),
        ("//metrics", "GET", 404),
        ("/-/ready/", "HEAD", 404),
        ("*", "OPTIONS", 404),
    ],
)
def test_every_response_has_the_usual_fields(path: str, method: str, status: int) -> None:
    answer = ask(path, method=method)
    assert answer.status == status
    check(answer)


def test_a_response_to_head_has_the_length_and_no_body() -> None:
    head, full = ask("/metrics", method="HEAD"), ask("/metrics")
    assert head.all("content-length") == full.all("content-length") == ["9"]
    assert head.body == b""


def test_one_that_is_not_ready_has_them_too() -> None:
    answer = ask("/-/ready", ready=False)
    assert answer.status == 503
    check(answer)


def test_a_page_that_fails_has_them_too(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask("/metrics", fails=True)
    assert answer.status == 500
    assert b"no page" not in answer.body
    check(answer)
    assert "no page" in caplog.text


def test_a_host_field_never_comes_back() -> None:
    for path in ("/metrics/", "/-/ready/", "/"):
        answer = ask(path, "X-Forwarded-Host: evil.example", "Host: evil.example")
        assert "evil.example" not in repr(answer)


def test_fields_of_proxies_do_not_say_who_asks() -> None:
    async def page(asked: Request) -> Response:
        assert asked.client is not None
        return PlainTextResponse(f"{asked.client.host} {asked.url.scheme}")

    async def run() -> Answer:
        async with serving(Starlette(routes=[Route("/", page)]), [("127.0.0.1", 0)]) as [(_, port)]:
            return await ask_on(port, "/", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")

    assert asyncio.run(run()).body == b"127.0.0.1 http"


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_not_http_gets_an_answer_with_them(raw: bytes) -> None:
    async def run() -> Answer:
        sources = Sources(metrics=lambda _: partial(text_page, b"", "text/plain"), ready=lambda: True)
        async with serving(make_app(sources), [("127.0.0.1", 0)]) as [(_, port)]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            answer = await read_answer(reader)
            assert await reader.read() == b""
            writer.close()
            return answer

    answer = asyncio.run(run())
    assert answer.status == 400
    check(answer)
    assert answer.all("connection") == ["close"]


def test_an_upgrade_is_ignored_without_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert ask("/-/healthy", "Connection: upgrade", "Upgrade: websocket").status == 200
    assert not caplog.records
