"""What all pages have in common."""

import asyncio
from datetime import timedelta

import pytest
from starlette.types import Message

from exporter.web import Gate
from exporter.web.access import NETWORK
from exporter.web.pages import PAGES, PageData, WebPage, page_routes
from exporter.web.places import MOST_OF_NETWORK
from tests.support.browser import chromium, opened
from tests.support.html import parse_html
from tests.support.known_fleet import KnownFleet, served
from tests.support.targets import make_target
from tests.support.varied_fleet import stored_fleet
from tests.web.client import Answer


def ask(path: str, *, method: str = "GET", ready: bool = True) -> Answer:
    async def answer() -> Answer:
        fleet = KnownFleet(make_target())
        fleet.ready = ready
        async with served(fleet) as api:
            return await api.ask(path, method=method)

    return asyncio.run(answer())


def test_policy_of_content_and_caches() -> None:
    answer = ask("/")
    assert answer.status == 200
    assert "default-src 'none'" in answer.all("content-security-policy")[0]
    assert "unsafe" not in answer.all("content-security-policy")[0]
    assert answer.all("cache-control")[0] == "no-store"


def test_a_page_is_not_shown_before_all_targets_are_known() -> None:
    answer = ask("/", ready=False)
    assert answer.status == 503
    assert b"Not all targets are known yet" in answer.body


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/", 405), ("GET", "/assets/x.css", 404)])
def test_everything_else_is_refused(method: str, path: str, status: int) -> None:
    assert ask(path, method=method).status == status


@pytest.mark.parametrize("page", [page for page in PAGES if "{" not in page.path], ids=lambda page: page.template)
@pytest.mark.parametrize("targets", [0, 3])
def test_html_is_valid(page: WebPage, targets: int) -> None:
    async def answer() -> Answer:
        async with served(await stored_fleet(targets)) as api:
            return await api.ask(page.path)

    parse_html(asyncio.run(answer()).body)


def test_messages_are_valid_html() -> None:
    parse_html(ask("/", ready=False).body)


def test_slow_readers_hold_a_limited_number_of_pages() -> None:
    """As in the API: a network has 8 places, and others do not wait for it."""

    async def run() -> list[str]:
        _, route, *_ = page_routes(PageData(KnownFleet(make_target()).data, Gate()))
        reads, begun = asyncio.Event(), list[str]()

        async def look(network: str) -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    begun.append(network)
                await reads.wait()

            await route.handle({**SCOPE, "state": {NETWORK: network}}, nothing, send)

        readers = [asyncio.create_task(look(network)) for network in [*["slow"] * 20, "other"]]
        async with asyncio.timeout(100):
            while len(begun) < MOST_OF_NETWORK + 1:
                await asyncio.sleep(0)
            for _ in range(1000):
                await asyncio.sleep(0)
            waiting = list(begun)
            reads.set()
            await asyncio.gather(*readers)
        return waiting

    assert sorted(asyncio.run(run())) == ["other", *["slow"] * MOST_OF_NETWORK]


async def nothing() -> Message:
    raise AssertionError("a page reads no body")


SCOPE = {"type": "http", "method": "GET", "raw_path": b"/", "path": "/", "query_string": b"", "headers": []}


@pytest.mark.real
@pytest.mark.parametrize("page", [page for page in PAGES if "{" not in page.path], ids=lambda page: page.template)
def test_chromium_shows_it_without_complaint(page: object) -> None:
    async def look() -> None:
        fleet = KnownFleet(make_target())
        async with served(fleet) as api, chromium() as browser:
            url = f"http://127.0.0.1:{api.port}{page.path}"  # type: ignore[attr-defined]
            for dark in (False, True):
                async with opened(browser, url, dark=dark) as watched:
                    assert await watched.violations() == []
                    assert watched.complaints == []
                    assert watched.hosts() == {f"127.0.0.1:{api.port}"}

    asyncio.run(asyncio.wait_for(look(), timedelta(seconds=110).total_seconds()))
