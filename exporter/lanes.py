"""Divides a few places between work that is known to be quick, work that is unknown, and work that is slow.

Work in the slow lane has a bounded share of the places, and the other two lanes have places that are reserved for them.
Work that turns out to be slow moves to the slow lane. If that lane is full while others wait, it gives up its place.

This module knows nothing about the work: it calls functions when a place is given, and when it is needed by others.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

OLDEST_EVERY = 4
"""In the slow lane, every fourth place goes to who has waited longest, whatever its rank. Otherwise work of a high rank
would never begin while there is enough of a lower one."""


class Lane(StrEnum):
    """The kinds of work, in the order in which they get a place that is reserved for none of them."""

    HEALTHY = "healthy"
    NEW = "new"
    SLOW = "slow"


@dataclass(slots=True, eq=False)
class Place:
    """What one piece of work waits for, and then holds.

    Attributes:
        lane: where it waits, or whose share it uses.
        rank: of the slow lane, the lowest rank is usually first.
        number: counts those that came to wait.
        begin: called with it when it is given.
        give_up: called with it at most once, if others need the place; the work then has to end soon and to `leave`.
        late: it is slower than its lane allows.
        given_up: `give_up` was called.
    """

    lane: Lane
    rank: int
    number: int
    begin: "Callable[[Place], None]"
    give_up: "Callable[[Place], None]"
    late: bool = False
    given_up: bool = False


class Lanes:
    """A number of places, and those that hold them or wait for them.

    Of ten places, the slow lane never has more than three. It gets them if it has work. At least three are for new work
    and four for healthy work as soon as there is some. Without other work, each of these two lanes has all places.

    A single place is not divided: it goes to the first lane that has work.
    """

    def __init__(self, places: int) -> None:
        third = places // 3
        slow = max(third, min(1, places - 1))
        self._places = places
        self._reserved = {Lane.HEALTHY: places - third - slow, Lane.NEW: third, Lane.SLOW: slow}
        self._most = {Lane.HEALTHY: places, Lane.NEW: places, Lane.SLOW: max(1, slow)}
        self._waiting: dict[Lane, dict[int, OrderedDict[Place, None]]] = {lane: {} for lane in Lane}
        self._held: dict[Lane, set[Place]] = {lane: set() for lane in Lane}
        self._numbers = itertools.count()
        self._slow_turns = 0

    def waiting(self, lane: Lane) -> int:
        """How many wait in this lane."""
        return sum(map(len, self._waiting[lane].values()))

    def running(self, lane: Lane) -> int:
        """How many places this lane holds."""
        return len(self._held[lane])

    def wait(
        self, lane: Lane, begin: Callable[[Place], None], give_up: Callable[[Place], None], rank: int = 0
    ) -> Place:
        """Wait for a place; `begin` may be called at once."""
        place = Place(lane, rank, next(self._numbers), begin, give_up)
        self._waiting[lane].setdefault(rank, OrderedDict())[place] = None
        self._share_out()
        return place

    def leave(self, place: Place) -> None:
        """Give the place back, or wait for it no longer."""
        self._held[place.lane].discard(place)
        self._remove(place)
        self._share_out()

    def make_late(self, place: Place) -> None:
        """The work is slow: it moves to the slow lane as soon as there is room, or others may get its place."""
        place.late = True
        self._share_out()

    def _remove(self, place: Place) -> None:
        ranks = self._waiting[place.lane]
        if place in ranks.get(place.rank, ()):
            del ranks[place.rank][place]
            if not ranks[place.rank]:
                del ranks[place.rank]

    def _share_out(self) -> None:
        """Give away what is free, and ask for places back that are held too long while others wait."""
        self._move_late()
        while sum(map(len, self._held.values())) < self._places and (place := self._next()):
            self._remove(place)
            self._held[place.lane].add(place)
            self._slow_turns += place.lane is Lane.SLOW
            place.begin(place)
        leaving = sum(place.given_up for places in self._held.values() for place in places)
        needed = self.waiting(Lane.HEALTHY) + self.waiting(Lane.NEW) - leaving
        for place in list(itertools.islice(self._late(), max(0, needed))):
            place.given_up = True
            place.give_up(place)

    def _move_late(self) -> None:
        """Count late work in the slow lane while that has room. One place alone would not become free by that."""
        room = self._most[Lane.SLOW] - self.running(Lane.SLOW) if self._places > 1 else 0
        for place in list(itertools.islice(self._late(), room)):
            self._held[place.lane].discard(place)
            place.lane = Lane.SLOW
            self._held[Lane.SLOW].add(place)

    def _late(self) -> "itertools.chain[Place]":
        """Late work outside of the slow lane that still has its place."""
        return itertools.chain.from_iterable(
            (place for place in self._held[lane] if place.late and not place.given_up)
            for lane in (Lane.NEW, Lane.HEALTHY)
        )

    def _next(self) -> Place | None:
        """Who gets a free place: a lane that has less than is reserved for it, else the first that may have more."""
        for limits in (self._reserved, self._most):
            for lane in Lane:
                if self._waiting[lane] and self.running(lane) < limits[lane]:
                    return self._first(lane)
        return None

    def _first(self, lane: Lane) -> Place:
        """Who is first of those that wait in this lane."""
        ranks = self._waiting[lane]
        firsts = [next(iter(ranks[rank])) for rank in sorted(ranks)]
        oldest = (self._slow_turns + 1) % OLDEST_EVERY == 0
        return min(firsts, key=lambda place: place.number) if oldest else firsts[0]
