"""The log of what changed: every change has a number, so that a reader can go on where it stopped.

Times do not serve for that: several changes have the same time, and a clock that was set back gives new changes old
times.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from exporter.store.history import StateChange

ALWAYS = datetime.fromtimestamp(0, UTC)
MOST_IN_MEMORY = 10_000
"""Some 5 MB."""


class Numbered(NamedTuple):
    """One change and its number; later changes have greater numbers."""

    number: int
    change: StateChange


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A place between two changes.

    Attributes:
        log: identity of the log. A database that was set aside, and memory after a restart, begin another log.
        number: of the change before this place, or after it if the log is read backwards.
    """

    log: str
    number: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is read.

    Attributes:
        place: where to begin; None is the first change, or the last one if the log is read backwards. A place in
            another log is the same as None, because a reader has seen nothing of this log.
        since: changes before this time are left out.
        target: of this target only.
        limit: most changes.
    """

    place: LogPlace | None = None
    since: datetime = ALWAYS
    target: str | None = None
    backwards: bool = False
    limit: int = 1000

    def number_in(self, log: str) -> int | None:
        """The number of the place in this log."""
        return self.place.number if self.place is not None and self.place.log == log else None


@dataclass(frozen=True, slots=True)
class LogPart:
    """What was read.

    Attributes:
        log: identity of the log.
        known_since: earlier changes are not known.
        last: the greatest number in the log; 0 if it is empty.
        found: in the order of the query; fewer than its limit when there are no others.
    """

    log: str
    known_since: datetime
    last: int
    found: Sequence[Numbered]


class MemoryLog:
    """The latest changes, without a database."""

    def __init__(self, identity: str, since: datetime, most: int = MOST_IN_MEMORY) -> None:
        self._identity, self._since = identity, since
        self._changes: deque[Numbered] = deque(maxlen=most)
        self._last = 0

    def add(self, changes: Sequence[StateChange]) -> None:
        """Add changes."""
        for change in changes:
            if len(self._changes) == self._changes.maxlen:
                self._since = max(self._since, self._changes[0].change.at)
            self._last += 1
            self._changes.append(Numbered(self._last, change))

    def read(self, query: LogQuery) -> LogPart:
        """Read a part of it."""
        place = query.number_in(self._identity)
        ordered = reversed(self._changes) if query.backwards else iter(self._changes)
        found = (
            one
            for one in ordered
            if (place is None or (one.number < place if query.backwards else one.number > place))
            and one.change.at >= query.since
            and query.target in {None, one.change.target}
        )
        return LogPart(self._identity, self._since, self._last, tuple(islice(found, query.limit)))
