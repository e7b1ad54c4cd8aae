"""Many scrapers at once: one page, and threads that scans do not use."""

import asyncio
import gzip
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from exporter.metrics import Page, text_page
from exporter.web import scrapes as module
from exporter.web.application import Sources, make_app
from exporter.web.scrapes import MOST_PAGES, PageResponse, Scrapes
from exporter.web.server import serving
from tests.web.client import ask_on

TEXT = b"metric 1\n" * 50_000


class Work:
    """Counts pages that are begun and made; to make one waits while `go_on` is not set."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.made = 0
        self.fails = False
        self.go_on = threading.Event()
        self.go_on.set()

    def begin(self, accept: str) -> Callable[[], Page]:
        self.begun[accept] += 1

        def make() -> Page:
            assert self.go_on.wait(60)
            self.made += 1
            if self.fails:
                raise MemoryError
            return text_page(TEXT, f"text/plain; form={accept}")

        return make


async def page(scrapes: Scrapes, accept: str = "") -> Page:
    return (await scrapes.answer(accept, "")).page


def test_fifty_scrapers_cost_one_page() -> None:
    work = Work()

    async def run() -> list[PageResponse]:
        scrapes = Scrapes(work.begin, lambda: 0)
        work.go_on.clear()
        tasks = [asyncio.create_task(scrapes.answer("text/plain", "gzip")) for _ in range(50)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # the first of them leaves
        work.go_on.set()
        return await asyncio.gather(*tasks[1:])

    answers = asyncio.run(run())
    assert len({id(answer.page) for answer in answers}) == 1
    assert work.made == 1
    assert work.begun == {"": 1}


def test_each_format_has_a_page_of_its_own() -> None:
    work = Work()

    async def run() -> None:
        scrapes = Scrapes(work.begin, lambda: 0)
        for accept in ("application/openmetrics-text", "text/plain", "*/*", "application/openmetrics-text;q=0"):
            await page(scrapes, accept)

    asyncio.run(run())
    assert work.begun == {"application/openmetrics-text": 1, "": 1}


def test_a_page_that_could_not_be_made_is_tried_again() -> None:
    work = Work()

    async def run() -> None:
        scrapes = Scrapes(work.begin, lambda: 0)
        work.fails = True
        with pytest.raises(MemoryError):
            await page(scrapes)
        work.fails = False
        assert (await page(scrapes)).text() == TEXT

    asyncio.run(run())


def test_slow_clients_hold_a_bounded_number_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)  # every scrape would have a page of its own
    monkeypatch.setattr(module, "STALE_SECONDS", 3600.0)

    async def run() -> None:
        scrapes = Scrapes(work.begin, lambda: 0)
        held = [await scrapes.answer("", "") for _ in range(100)]
        assert len({id(answer.page) for answer in held}) == MOST_PAGES
        held.clear()
        assert await page(scrapes) is not await page(scrapes)

    asyncio.run(run())


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_head_has_the_length_and_no_body(coding: str) -> None:
    async def run() -> None:
        sources = Sources(metrics=lambda _: partial(text_page, TEXT, "text/plain"), ready=lambda: True)
        async with serving(make_app(sources), [("127.0.0.1", 0)]) as [(_, port)]:
            head, whole = [
                await ask_on(port, "/metrics", f"Accept-Encoding: {coding}", method=method)
                for method in ("HEAD", "GET")
            ]
        assert not head.body
        assert head.all("content-length") == whole.all("content-length") == [str(len(whole.body))]
        assert (gzip.decompress(whole.body) if coding else whole.body) == TEXT

    asyncio.run(run())


def test_a_scrape_does_not_wait_for_the_threads_of_scans() -> None:
    stuck, begun = threading.Event(), threading.Semaphore(0)

    def block() -> None:
        begun.release()
        stuck.wait(60)

    async def run() -> bytes:
        sources = Sources(metrics=lambda _: partial(text_page, TEXT, "text/plain"), ready=lambda: True)
        async with serving(make_app(sources), [("127.0.0.1", 0)]) as [(_, port)]:
            loop = asyncio.get_running_loop()
            waiting = [loop.run_in_executor(None, block) for _ in range(100)]  # more than any default pool has
            try:
                await asyncio.sleep(0)
                assert begun.acquire(timeout=10)
                async with asyncio.timeout(30):
                    answer = await ask_on(port, "/metrics", "Accept-Encoding: gzip")
            finally:
                stuck.set()
            await asyncio.gather(*waiting)
        return answer.body

    assert gzip.decompress(asyncio.run(run())) == TEXT


def test_a_page_of_an_older_configuration_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        work, version = Work(), 0
        scrapes = Scrapes(work.begin, lambda: version)
        monkeypatch.setattr(module, "FRESH_SECONDS", 3600)
        before = await page(scrapes)
        assert await page(scrapes) is before
        version += 1
        after = await page(scrapes)
        assert after is not before
        assert await page(scrapes) is after

    asyncio.run(run())
