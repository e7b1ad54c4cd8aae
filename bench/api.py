"""How long lists of the API take with many targets, and for how long they hold the event loop, in CPU time.

.venv/bin/python -m bench.api 2000 10000
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from exporter.model import Protocol, Target
from exporter.querying import TargetFilter
from exporter.reports.collect import MOST_TARGETS
from exporter.reports.registry import MODULES, find
from exporter.selectors import parse_selectors
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, good_facts, handshake
from tests.support.known_fleet import POLICIES, FleetApi, KnownFleet, served
from tests.support.targets import make_target

QUERIES = {
    "a page of 100": [],
    "a page of 1,000": [("limit", "1000")],
    "no target matches": [("match[]", '{team="none"}')],
    "an expression over all": [("match[]", '{target=~".*a.*b.*c.*"}')],
    "16 matchers over all": [("match[]", "{" + ",".join(['target=~"(x|t.*)*"'] * 15) + ',team="none"}')],
    "a check that fails nowhere": [("check", "dane"), ("verdict", "fail")],
}
FIRST = TargetFilter(tuple(parse_selectors(['{target=~"t00.*"}'])))
"""The first 1,000 targets."""


def targets(number: int) -> list[Target]:
    """So many targets with two policies and three labels."""
    policies = tuple(policy.name for policy in POLICIES)
    labels = {"team": "web", "site": "berlin", "owner": "platform"}
    return [make_target(name=f"t{n:05}.example.com:443", policies=policies, labels=labels) for n in range(number)]


async def longest_gap(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds that the work takes, and the longest time in which nothing else ran; both of CPU, on a busy machine."""
    gaps, running = [0.0], True

    async def watch() -> None:
        before = time.thread_time()
        while running:
            await asyncio.sleep(0)
            now = time.thread_time()
            gaps.append(now - before)
            before = now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    begun = time.thread_time()
    await work()
    ended = time.thread_time() - begun
    running = False
    await watching
    return ended, max(gaps)


async def measure(number: int) -> None:
    """Print the figures for so many targets."""
    fleet = KnownFleet(*targets(number))
    weak = facts(handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)}), at=fleet.now)
    for place, name in enumerate(fleet.queries.names()):
        await fleet.saw(name, good_facts(fleet.now) if place % 3 else weak)
    async with served(fleet) as api:
        for title, query in QUERIES.items():
            took, gap = await longest_gap(lambda query=query: ask(api, query))  # type: ignore[misc]
            print(f"{number:6} targets  {title:28} {took * 1000:7.1f} ms  longest gap {gap * 1000:6.1f} ms", flush=True)  # noqa: T201
        for name in MODULES:
            took, gap = await longest_gap(lambda name=name: make(fleet, name))  # type: ignore[misc]
            title = f"{min(number, MOST_TARGETS)} targets as {name}"
            print(f"{number:6} targets  {title:28} {took * 1000:7.1f} ms  longest gap {gap * 1000:6.1f} ms", flush=True)  # noqa: T201


async def ask(api: FleetApi, query: list[tuple[str, str]]) -> None:
    """One request."""
    answer = await api.ask(f"/api/v1/targets?{urlencode(query)}")
    assert answer.status == 200, answer  # noqa: S101 - a figure of an error would be wrong


async def make(fleet: KnownFleet, name: str) -> None:
    """A report of as many targets as one may have. The time of the thread that makes the document does not count."""
    await fleet.data.documents.make(find(name), fleet.queries, FIRST)
    fleet.data.documents.release()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="+", type=int)
    for one in parser.parse_args().number:
        asyncio.run(measure(one))
