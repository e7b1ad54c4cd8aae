"""Limit, over all targets and scans, how many connections one address has at once and how soon they follow.

Ports of one address share its places by time: a free place goes to the port that has held places for the shortest time.
So a port that keeps each connection open in silence does not keep the others waiting. Most scans open one connection
after the other. So the place of a port that has held places for a shorter time than those that wait is kept for it for
a moment.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

KEPT_SECONDS = 0.1
"""How long a place is kept: what a scan does between two connections takes some milliseconds."""


class _Visitor(NamedTuple):
    """Someone waiting for a place: the most connections it allows, and the least time until the next connection."""

    ready: asyncio.Future[None]
    limit: int
    gap_seconds: float


@dataclass(slots=True)
class _Port:
    """One port: its open connections, how long it has held places, and those waiting for one, first come, first served.

    Attributes:
        held_seconds: time of all its connections together, until `counted_at`.
        kept_until: until this time its last place is kept for it.
    """

    active: int = 0
    held_seconds: float = 0.0
    counted_at: float = 0.0
    kept_until: float = 0.0
    waiting: deque[_Visitor] = field(default_factory=deque)

    def count(self, now: float) -> float:
        """Add the time since the last count; returns the sum."""
        self.held_seconds += self.active * (now - self.counted_at)
        self.counted_at = now
        return self.held_seconds

    def drop_gone(self) -> None:
        """Remove those at the front that wait no longer."""
        while self.waiting and self.waiting[0].ready.done():
            self.waiting.popleft()


_WAITING = attrgetter("waiting")


class _Door:
    """One address: its ports, and when the next connection may begin.

    Attributes:
        active: open connections.
        shut_until: time of the event loop before which nobody is let in.
        timer: calls the gate at that time; None if nothing needs it.
    """

    __slots__ = ("active", "ports", "shut_until", "timer")

    def __init__(self) -> None:
        self.active = 0
        self.shut_until = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.ports: dict[int, _Port] = {}

    @property
    def waiting(self) -> bool:
        """Whether somebody waits."""
        return any(map(_WAITING, self.ports.values()))

    def port(self, number: int, now: float) -> _Port:
        """The port of this number. A new one does not get what the others have used before it came."""
        if number not in self.ports:
            least = min((port.count(now) for port in self.ports.values()), default=0.0)
            self.ports[number] = _Port(held_seconds=least, counted_at=now)
        return self.ports[number]

    def let_in(self, now: float) -> None:
        """Give free places to those that wait."""
        for port in self.ports.values():
            port.drop_gone()
        while ports := [port for port in self.ports.values() if port.waiting]:
            port = min(ports, key=lambda port: port.count(now))
            visitor = port.waiting[0]
            if not self.admits(port, visitor.limit, now):
                return  # others may not go first, or one that wants the address for itself would never get it
            port.waiting.popleft()
            self.open(port, visitor.gap_seconds, now)
            visitor.ready.set_result(None)
            port.drop_gone()

    def admits(self, port: _Port, limit: int, now: float) -> bool:
        """Whether one more connection to this port may be opened, if there may be `limit` to the address."""
        return self.active + self._kept_from(port, now) < limit and now >= self.shut_until

    def open(self, port: _Port, gap_seconds: float, now: float) -> None:
        """Count one more connection to this port."""
        self.active += 1
        port.active += 1
        port.kept_until = now
        self.shut_until = now + gap_seconds

    def end(self, port: _Port, now: float) -> None:
        """Count one connection less."""
        port.count(now)
        self.active -= 1
        port.active -= 1
        port.kept_until = now + KEPT_SECONDS

    def _kept_from(self, port: _Port, now: float) -> int:
        """Places that this port may not have yet: they are kept for ports that have held places for a shorter time."""
        if len(self.ports) == 1:
            return 0
        return sum(
            one.kept_until > now and not one.waiting and one.count(now) < port.held_seconds
            for one in self.ports.values()
        )

    def opens_at(self, now: float) -> float | None:
        """When somebody could be let in although nobody leaves; None if that is at no later time."""
        if now < self.shut_until:
            return self.shut_until
        kept = [port.kept_until for port in self.ports.values() if port.kept_until > now]
        return min(kept) if kept and self.waiting else None


class GatePlace(NamedTuple):
    """A place for one connection, until `HostGate.leave`."""

    address: str
    door: _Door
    port: _Port


class HostGate:
    """Counts connections by address; targets with the same address share its places."""

    def __init__(self) -> None:
        self._doors: dict[str, _Door] = {}

    @asynccontextmanager
    async def admit(self, address: str, limit: int, gap_seconds: float = 0.0, port: int = 0) -> AsyncIterator[None]:
        """Hold a place as of `enter`, until the end of the context."""
        place = await self.enter(address, limit, gap_seconds, port)
        try:
            yield
        finally:
            self.leave(place)

    def enter_now(self, address: str, limit: int, gap_seconds: float = 0.0, port: int = 0) -> GatePlace | None:
        """As `enter`, if that need not wait; otherwise None. Most connections need not."""
        now = asyncio.get_running_loop().time()
        door = self._doors.get(address)
        if door is None:
            door = self._doors[address] = _Door()
        of_port = door.port(port, now)
        of_port.count(now)
        if door.waiting or not door.admits(of_port, limit, now):
            return None
        door.open(of_port, gap_seconds, now)
        return GatePlace(address, door, of_port)

    async def enter(self, address: str, limit: int, gap_seconds: float = 0.0, port: int = 0) -> GatePlace:
        """Wait until fewer than `limit` connections to the address are open, then hold one place.

        The next connection, of this scan or another, has to wait `gap_seconds` from then on.
        """
        place = self.enter_now(address, limit, gap_seconds, port)
        if place is not None:
            return place
        loop = asyncio.get_running_loop()
        door = self._doors[address]
        ready: asyncio.Future[None] = loop.create_future()
        place = GatePlace(address, door, door.port(port, loop.time()))
        place.port.waiting.append(_Visitor(ready, limit, gap_seconds))
        self._tend(address, door)
        try:
            await ready
        except BaseException:
            # If cancelled while waiting, `ready` holds no place. If cancelled just after it was let in, it holds one.
            if ready.done() and not ready.cancelled():
                self.leave(place)
            else:
                ready.cancel()
                self._tend(address, door)
            raise
        return place

    def leave(self, place: GatePlace) -> None:
        """Free the place."""
        address, door, port = place
        now = asyncio.get_running_loop().time()
        door.end(port, now)
        if door.waiting or (not door.active and (door.timer is not None or now < door.shut_until)):
            self._tend(address, door)
        elif not door.active:
            self._doors.pop(address, None)

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
        opens_at = door.opens_at(now)
        if opens_at is not None:
            if door.waiting or not door.active:
                door.timer = loop.call_at(opens_at, self._tend, address, door)
        elif not door.active and not door.waiting:
            self._doors.pop(address, None)
