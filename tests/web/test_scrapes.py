"""Many scrapers at once: one rendering, one compression, and threads that scans do not use."""

import asyncio
import gzip
import threading
from collections import Counter

import pytest

from exporter.web import scrapes as module
from exporter.web.application import Sources, make_app
from exporter.web.scrapes import MOST_PAGES, Scrapes
from exporter.web.server import serving
from tests.web.client import ask_on

TEXT = b"metric 1\n" * 5000


class Work:
    """Counts renderings and compressions; the latter wait while `held`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rendered: Counter[str] = Counter()
        self.compressed = 0
        self.go_on = threading.Event()
        self.go_on.set()
        compress = gzip.compress

        def counting(data: bytes, level: int) -> bytes:
            self.compressed += 1
            assert self.go_on.wait(60)
            return compress(data, level)

        monkeypatch.setattr("exporter.web.scrapes.gzip.compress", counting)

    def render(self, accept: str) -> tuple[bytes, str]:
        self.rendered[accept] += 1
        return TEXT, f"text/plain; form={accept}"

    @property
    def sources(self) -> Sources:
        return Sources(metrics=self.render, ready=lambda: True)


def test_fifty_scrapers_cost_one_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def run() -> list[bytes]:
        scrapes = Scrapes(work.render, lambda: 0)
        work.go_on.clear()
        tasks = [asyncio.create_task(scrapes.page("text/plain").packed()) for _ in range(50)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # the first of them leaves
        work.go_on.set()
        return await asyncio.gather(*tasks[1:])

    bodies = asyncio.run(run())
    assert {gzip.decompress(body) for body in bodies} == {TEXT}
    assert work.compressed == 1
    assert work.rendered == {"": 1}


def test_each_format_is_rendered_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)

    async def run() -> None:
        scrapes = Scrapes(work.render, lambda: 0)
        for accept in ("application/openmetrics-text", "text/plain", "*/*", "application/openmetrics-text;q=0"):
            scrapes.page(accept)

    asyncio.run(run())
    assert work.rendered == {"application/openmetrics-text": 1, "": 1}


def test_slow_clients_hold_a_bounded_number_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)  # every scrape would have a page of its own

    async def run() -> None:
        scrapes = Scrapes(work.render, lambda: 0)
        held = [scrapes.page("") for _ in range(100)]
        assert len(set(held)) == MOST_PAGES
        held.clear()
        assert scrapes.page("") is not scrapes.page("")

    asyncio.run(run())


def test_a_scrape_does_not_wait_for_the_threads_of_scans() -> None:
    stuck, begun = threading.Event(), threading.Semaphore(0)

    def block() -> None:
        begun.release()
        stuck.wait(60)

    async def run() -> bytes:
        sources = Sources(metrics=lambda _: (TEXT, "text/plain"), ready=lambda: True)
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
        work, version = Work(monkeypatch), 0
        scrapes = Scrapes(work.render, lambda: version)
        monkeypatch.setattr(module, "FRESH_SECONDS", 3600)
        before = scrapes.page("")
        assert scrapes.page("") is before
        version += 1
        after = scrapes.page("")
        assert after is not before
        assert scrapes.page("") is after

    asyncio.run(run())
