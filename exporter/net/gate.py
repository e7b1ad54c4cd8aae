"""How many connections one address gets at once, over all targets and scans of this process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _Door:
    """One address: its open connections, and who waits for a place, first come first served."""

    __slots__ = ("active", "waiting")

    def __init__(self) -> None:
        self.active = 0
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def let_in(self) -> None:
        """Give free places to those who wait; each has its own idea of how many may be open."""
        while self.waiting and (self.waiting[0][1].done() or self.active < self.waiting[0][0]):
            _, ready = self.waiting.popleft()
            if not ready.done():
                self.active += 1
                ready.set_result(None)


class HostGate:
    """Counts connections by address; two targets on one address share its places."""

    def __init__(self) -> None:
        self._doors: dict[str, _Door] = {}

    @asynccontextmanager
    async def admit(self, address: str, limit: int) -> AsyncIterator[None]:
        """Wait until fewer than `limit` connections to the address are open, then hold one place."""
        door = self._doors.setdefault(address, _Door())
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        door.waiting.append((limit, ready))
        door.let_in()
        try:
            await ready
            yield
        finally:
            # Cancelled while waiting, `ready` holds no place; cancelled just after it was let in, it does.
            if ready.done() and not ready.cancelled():
                door.active -= 1
            else:
                ready.cancel()
            door.let_in()
            if not door.active and not door.waiting:
                self._doors.pop(address, None)
