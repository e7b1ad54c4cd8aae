"""Clients that read slowly hold at most so many answers in memory."""

import asyncio
from typing import Any

from starlette.types import Message

from exporter.web import Gate
from exporter.web.api import MOST_AT_ONCE, ApiRoute
from tests.support.known_fleet import KnownFleet
from tests.support.targets import make_target


def test_so_many_answers_are_made_at_once_and_others_wait() -> None:
    async def run() -> None:
        route, reads = ApiRoute(KnownFleet(make_target(name="a")).data, Gate()), asyncio.Event()
        begun: list[Message] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
            await reads.wait()

        scope: dict[str, Any] = {"type": "http", "method": "GET", "raw_path": b"/api/v1/targets", "query_string": b""}
        clients = [asyncio.create_task(route.handle({**scope, "headers": []}, _nothing, send)) for _ in range(40)]
        while len(begun) < MOST_AT_ONCE:
            await asyncio.sleep(0)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(begun) == MOST_AT_ONCE
        reads.set()
        await asyncio.gather(*clients)
        assert len(begun) == len(clients)

    asyncio.run(run())


async def _nothing() -> Message:
    raise AssertionError
