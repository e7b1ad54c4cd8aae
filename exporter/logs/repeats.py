"""How often the same warning or error is logged."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.logs.about import Field

PASS, WITHIN_SECONDS = 5, 60.0
"""The first few records of a kind within a minute are logged; the others are only counted."""
WARNINGS = "py.warnings"
"""The logger of Python's warnings. A certificate causes the same ones with every scan."""
PASS_WARNINGS, WARNINGS_WITHIN_SECONDS = 1, 86_400.0
MOST_KINDS = 4096
"""Most kinds that are counted at once: servers choose the texts. The kind that was first seen is given up first."""
LOOKED_AT_SECONDS = 1.0
"""Least time between two looks at all kinds."""
LONGEST_WAIT_SECONDS = 3600.0

_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
_SHOWN_CHARACTERS = 500

Kind = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What is kept of a record: not its exception, whose trace would keep the objects of a scan in memory."""

    name: str
    level: int
    message: str
    fields: Mapping[str, Field]


@dataclass(slots=True)
class _Window:
    ends: float
    passed: int = 0
    held: int = 0
    what: _Held | None = None


class Repeats:
    """Counts records by kind. The caller makes sure that it is used by one thread at a time."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Create it; `now` is a monotonic clock in seconds."""
        self._now = now
        self._windows: dict[Kind, _Window] = {}
        self._next_end = float("inf")

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged. Records below a warning always are."""
        if record.levelno < logging.WARNING:
            return True
        most, seconds = (PASS_WARNINGS, WARNINGS_WITHIN_SECONDS) if record.name == WARNINGS else (PASS, WITHIN_SECONDS)
        window = self._windows.setdefault(_kind(record), _Window(self._now() + seconds))
        self._next_end = min(self._next_end, window.ends)
        if window.passed < most:
            window.passed += 1
            return True
        window.held += 1
        if window.what is None:
            window.what = _Held(record.name, record.levelno, record.getMessage(), getattr(record, "fields", {}))
        return False

    def summaries(self, *, of_all: bool = False) -> list[logging.LogRecord]:
        """One record for each kind whose time is over, or of all kinds, if some of its records were not logged."""
        ended = []
        while len(self._windows) > MOST_KINDS:
            ended.append(self._windows.pop(next(iter(self._windows))))
        now = self._now()
        if of_all or now >= self._next_end:
            over = [kind for kind, window in list(self._windows.items()) if of_all or window.ends <= now]
            ended += [self._windows.pop(kind) for kind in over]
            first = min((window.ends for window in list(self._windows.values())), default=float("inf"))
            self._next_end = max(first, now + LOOKED_AT_SECONDS)
        return [_summary(window.what, window.held) for window in ended if window.what is not None]

    def seconds_left(self) -> float | None:
        """Time until the next kind's time is over; None if nothing is counted. Any thread may call it at any moment.

        Between the steps of `admits` a kind is counted whose end is not. A queue does not accept the infinite time that
        would follow, and the thread that writes would end.
        """
        return min(max(0.0, self._next_end - self._now()), LONGEST_WAIT_SECONDS) if self._windows else None


def _kind(record: logging.LogRecord) -> Kind:
    """What two records share that say the same: numbers in a text made without arguments do not count."""
    first = record.args[:1] if isinstance(record.args, tuple) else record.args
    kind = record.exc_info[0] if record.exc_info else None
    about = sorted(getattr(record, "fields", {}).items())
    template = _NUMBERS.sub("#", str(record.msg)[:_SHOWN_CHARACTERS])
    return record.name, record.levelno, template, str(first)[:_SHOWN_CHARACTERS], str(about)[:_SHOWN_CHARACTERS], kind


def _summary(of: _Held, count: int) -> logging.LogRecord:
    times = f"{count} more time{'' if count == 1 else 's'}"
    made = logging.LogRecord(of.name, of.level, "", 0, "repeated %s: %s", (times, of.message), None)
    made.fields = of.fields
    return made
