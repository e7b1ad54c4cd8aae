"""Clients that read slowly hold at most so many answers in memory."""

import asyncio
from typing import Any

from starlette.types import Message

from exporter.web import Gate
from exporter.web.access import NETWORK
from exporter.web.api import ApiRoute
from exporter.web.places import MOST_AT_ONCE, MOST_OF_NETWORK
from tests.support.known_fleet import KnownFleet
from tests.support.targets import make_target

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "raw_path": b"/api/v1/targets", "query_string": b""}


def ask_slowly(*networks: str, first: int) -> list[str]:
    """One client of each network asks and does not read; the networks of those who got an answer.

    `first`: how many answers are awaited before others count as waiting.
    """

    async def run() -> list[str]:
        route, reads = ApiRoute(KnownFleet(make_target(name="a")).data, Gate()), asyncio.Event()
        begun: list[str] = []

        async def ask(network: str) -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    begun.append(network)
                await reads.wait()

            await route.handle({**SCOPE, "headers": [], "state": {NETWORK: network}}, _nothing, send)

        clients = [asyncio.create_task(ask(network)) for network in networks]
        async with asyncio.timeout(60):
            while len(begun) < first:
                await asyncio.sleep(0)
        for _ in range(1000):
            await asyncio.sleep(0)
        answered = list(begun)
        reads.set()
        await asyncio.gather(*clients)
        assert len(begun) == len(clients)
        return answered

    return asyncio.run(run())


def test_so_many_answers_are_made_at_once_and_others_wait() -> None:
    assert len(ask_slowly(*map(str, range(40)), first=MOST_AT_ONCE)) == MOST_AT_ONCE


def test_clients_of_one_network_do_not_keep_out_others() -> None:
    answered = ask_slowly(*["slow"] * 40, "other", first=MOST_OF_NETWORK + 1)
    assert sorted(answered) == ["other", *["slow"] * MOST_OF_NETWORK]


async def _nothing() -> Message:
    raise AssertionError
