"""Places for answers that take memory and time. Requests without a place wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from starlette.types import Scope

from exporter.web.access import NETWORK

MOST_AT_ONCE, MOST_OF_NETWORK = 32, 8
"""Most requests that are answered at once, of all clients and of one network; others wait. A slow client holds an
answer of up to a megabyte, and must not keep out the others."""


class Places:
    """So many places, of which one client network gets a part."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(MOST_AT_ONCE)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # while somebody has a place

    @asynccontextmanager
    async def taken(self, scope: Scope) -> AsyncIterator[None]:
        """Wait for a place, and have it until the answer is sent."""
        network = str(scope.get("state", {}).get(NETWORK, ""))
        share = self._shares.setdefault(network, asyncio.Semaphore(MOST_OF_NETWORK))
        async with share, self._all:
            yield
