"""What all pages have in common."""

import asyncio
from datetime import timedelta

import pytest

from exporter.web.pages import PAGES
from tests.support.browser import chromium, opened
from tests.support.known_fleet import KnownFleet, served
from tests.support.targets import make_target
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
