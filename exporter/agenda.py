"""Names with a moment each, and those whose moment has come."""

import heapq
from collections.abc import Set as AbstractSet
from datetime import datetime

_LEAST_STALE = 1_000
"""Replaced moments stay in the heap. When they are more than this and more than the others, the heap is built again."""


class Agenda:
    """One moment for each name, or none. All calls cost the logarithm of the number of names."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def put(self, name: str, moment: datetime | None) -> None:
        """Replace the moment of this name; None removes it."""
        if moment is None:
            self._at.pop(name, None)
        elif self._at.get(name) != moment:
            self._at[name] = moment
            heapq.heappush(self._heap, (moment, name))
            if len(self._heap) > 2 * len(self._at) + _LEAST_STALE:
                self._heap = [(at, one) for one, at in self._at.items()]
                heapq.heapify(self._heap)

    def keep_only(self, names: AbstractSet[str]) -> None:
        """Remove all other names."""
        for name in self._at.keys() - names:
            del self._at[name]

    def take(self, until: datetime) -> list[str]:
        """Remove the names whose moment has come by then, and return them, the earliest first."""
        taken = []
        while self._heap and self._heap[0][0] <= until:
            moment, name = heapq.heappop(self._heap)
            if self._at.get(name) == moment:
                del self._at[name]
                taken.append(name)
        return taken

    def __len__(self) -> int:
        return len(self._at)

    @property
    def heap_size(self) -> int:
        """Number of moments in memory, with replaced ones."""
        return len(self._heap)
