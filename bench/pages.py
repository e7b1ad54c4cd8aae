"""How long pages take with many targets, and the longest callback on the event loop, in CPU time.

Python's collection of garbage is not part of a callback: it looks through the complete memory of the process, now and
then, with or without pages. Also the bytes of memory that a target takes in lists.

.venv/bin/python -m bench.pages 2000 10000
"""

import argparse
import asyncio
import gc
import time
import tracemalloc
from asyncio import Handle
from collections.abc import Callable
from urllib.parse import quote, urlencode

from exporter.summaries import judged_of
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import make_target
from tests.support.varied_fleet import kinds, varied_fleet

QUERIES: dict[str, list[tuple[str, str]]] = {
    "all, worst first": [],
    "200 rows, last page": [("limit", "200"), ("page", "1000000")],
    "by grade": [("sort", "grade")],
    "by end of the certificate": [("sort", "-expiry"), ("limit", "200")],
    "a word in a name": [("search", "shop 77")],
    "a check that fails": [("check", "hsts"), ("verdict", "fail"), ("sort", "name")],
    "all filters": [
        *(("match[]", '{team=~"web|shop",site!="delft"}'), ("check", "protocols"), ("verdict", "pass")),
        *(
            ("policy", "kopano-checklist"),
            ("grade", "A+"),
            ("state", "pass"),
            ("search", "example"),
            ("sort", "-scanned"),
        ),
    ],
    "no target matches": [("search", "none")],
    "16 matchers over all": [("match[]", "{" + ",".join(['target=~"(x|s.*|w.*|m.*|p.*)*"'] * 16) + "}")],
}
OTHERS = {
    "/certificates": "/certificates",
    "/certificates, by issuer": "/certificates?sort=-issuer",
    "/changes": "/changes",
    "/policies": "/policies",
    "/policies/NAME": "/policies/kopano-checklist",
    "/status": "/status",
}
VIEWERS = 8


async def measure(number: int) -> None:
    """Print the figures for so many targets."""
    fleet = await varied_fleet(number)
    async with served(fleet) as api:
        target = f"/targets/{quote(fleet.queries.names()[0], safe='')}"
        fleets = {title: f"/?{urlencode(query)}" for title, query in QUERIES.items()}
        for title, path in {**fleets, **OTHERS, "/targets/NAME": target}.items():
            await ask(api, path)  # templates and caches
            await report(number, title, api, path)
        await report(number, f"{VIEWERS} viewers at once", api, "/", VIEWERS)


class Callbacks:
    """Measures the callbacks of the event loop while it is entered."""

    def __init__(self) -> None:
        self.longest = self._collecting = self._since = 0.0
        self._run: Callable[[Handle], None] = Handle._run  # noqa: SLF001 - the only place where all of them pass

    def __enter__(self) -> "Callbacks":
        def run(handle: Handle) -> None:
            before, self._collecting = time.thread_time(), 0.0
            self._run(handle)
            self.longest = max(self.longest, time.thread_time() - before - self._collecting)

        Handle._run = run  # type: ignore[method-assign, assignment]  # noqa: SLF001
        gc.callbacks.append(self._collects)
        return self

    def __exit__(self, *_: object) -> None:
        Handle._run = self._run  # type: ignore[method-assign, assignment]  # noqa: SLF001
        gc.callbacks.remove(self._collects)

    def _collects(self, phase: str, _: object) -> None:
        if phase == "start":
            self._since = time.thread_time()
        else:
            self._collecting += time.thread_time() - self._since


async def report(number: int, title: str, api: FleetApi, path: str, viewers: int = 1) -> None:
    """Print one line; the time is that of each viewer."""
    begun = time.thread_time()
    with Callbacks() as callbacks:
        await asyncio.gather(*(ask(api, path) for _ in range(viewers)))
    took = (time.thread_time() - begun) / viewers * 1000
    longest = callbacks.longest * 1000
    print(f"{number:6} targets  {title:28} {took:7.1f} ms  longest callback {longest:5.1f} ms", flush=True)  # noqa: T201


async def ask(api: FleetApi, path: str) -> None:
    """One request."""
    answer = await api.ask(path)
    assert answer.status == 200, answer  # noqa: S101 - a figure of an error would be wrong


async def memory(number: int) -> None:
    """Print the bytes that lists take of each target, as it is judged again and again."""
    fleet = KnownFleet(make_target(name="a"))
    reports = []
    for kind in kinds(fleet.now):
        if kind.seen is not None:
            await fleet.saw("a", kind.seen, **kind.changes)
            reports.append(fleet.publisher.reports_of("a"))
    kept = [judged_of(reports[place % len(reports)]) for place in range(100)]
    gc.collect()
    tracemalloc.start()
    kept.extend(judged_of(reports[place % len(reports)]) for place in range(number))
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{number:6} targets  {size / number:6.0f} bytes each in lists", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="+", type=int)
    for one in parser.parse_args().number:
        asyncio.run(measure(one))
        asyncio.run(memory(one))
