"""Limit, over all targets and scans, how many connections one address has at once and how soon they follow."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class _Visitor(NamedTuple):
    """Someone waiting for a place: the most connections it allows, and the least time until the next connection."""

    ready: asyncio.Future[None]
    limit: int
    gap_seconds: float


class _Door:
    """One address: its open connections and those waiting for a place, first come, first served.

    Attributes:
        shut_until: time of the event loop before which nobody is let in.
        timer: calls the gate at that time; None if nothing needs it.
    """

    __slots__ = ("active", "shut_until", "timer", "waiting")

    def __init__(self) -> None:
        self.active = 0
        self.shut_until = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.waiting: deque[_Visitor] = deque()

    def let_in(self, now: float) -> None:
        """Give free places to those that wait."""
        while self.waiting and (self.waiting[0].ready.done() or self._takes(self.waiting[0], now)):
            visitor = self.waiting.popleft()
            if not visitor.ready.done():
                self.active += 1
                self.shut_until = now + visitor.gap_seconds
                visitor.ready.set_result(None)

    def _takes(self, visitor: _Visitor, now: float) -> bool:
        return self.active < visitor.limit and now >= self.shut_until


class HostGate:
    """Counts connections by address; targets with the same address share its places."""

    def __init__(self) -> None:
        self._doors: dict[str, _Door] = {}

    @asynccontextmanager
    async def admit(self, address: str, limit: int, gap_seconds: float = 0.0) -> AsyncIterator[None]:
        """Wait until fewer than `limit` connections to the address are open, then hold one place.

        The next connection, of this scan or another, has to wait `gap_seconds` from then on.
        """
        door = self._doors.setdefault(address, _Door())
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        door.waiting.append(_Visitor(ready, limit, gap_seconds))
        self._tend(address, door)
        try:
            await ready
            yield
        finally:
            # If cancelled while waiting, `ready` holds no place. If cancelled just after it was let in, it holds one.
            if ready.done() and not ready.cancelled():
                door.active -= 1
            else:
                ready.cancel()
            self._tend(address, door)

    def _tend(self, address: str, door: _Door) -> None:
        """Let in those that may enter, and set a timer for when the door opens. Forget a door that is not needed.

        A door that is shut is kept even if nobody waits, because the gap applies to the next scan too.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        door.let_in(now)
        if door.timer is not None:
            door.timer.cancel()
            door.timer = None
        if now < door.shut_until:
            if door.waiting or not door.active:
                door.timer = loop.call_at(door.shut_until, self._tend, address, door)
        elif not door.active and not door.waiting:
            self._doors.pop(address, None)
