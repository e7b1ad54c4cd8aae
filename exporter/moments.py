"""The time of a judgement, which notes when the judgement can change.

A judgement gets the time as a `Now`. It can compare a `Now` with moments, and a `Today` with days. It cannot read
either of them. Each comparison notes the moment at which its result becomes another. Until the first of these moments
(`Now.next_change`) every comparison has the same result, and so has the judgement. So a check has nothing to declare,
and it cannot forget a date.
"""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import NoReturn

_TICK = timedelta.resolution


class _First:
    """The first of the moments that are ahead of a time.

    Attributes:
        at: None without any.
    """

    __slots__ = ("at", "since")

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.at: datetime | None = None

    def note(self, moment: datetime) -> None:
        if moment > self.since and (self.at is None or moment < self.at):
            self.at = moment


class Now:
    """A time (UTC) that can only be compared, and notes it."""

    __slots__ = ("_at", "_first", "_shift", "_time")

    def __init__(self, at: datetime, shift: timedelta = timedelta(0), first: _First | None = None) -> None:
        """Create it for a judgement at this time. The others are for times that are so much later than it."""
        self._time = at + shift
        self._at = at
        self._shift = shift
        self._first = first or _First(at)

    @property
    def next_change(self) -> datetime | None:
        """The first moment at which a comparison so far would have another result; None if there is none."""
        return self._first.at

    def _note(self, moment: datetime, after: timedelta = timedelta(0)) -> None:
        with suppress(OverflowError):  # what is before or after all calendars never comes
            self._first.note(moment - self._shift + after)

    def __add__(self, by: timedelta) -> "Now":
        return Now(self._at, self._shift + by, self._first)

    def __sub__(self, by: timedelta) -> "Now":
        return Now(self._at, self._shift - by, self._first)

    def __ge__(self, moment: datetime) -> bool:
        self._note(moment)
        return self._time >= moment

    def __gt__(self, moment: datetime) -> bool:
        self._note(moment, _TICK)
        return self._time > moment

    def __lt__(self, moment: datetime) -> bool:
        return not self >= moment

    def __le__(self, moment: datetime) -> bool:
        return not self > moment

    def __eq__(self, _other: object) -> NoReturn:
        raise TypeError("a time is before a moment or not")

    __hash__ = None  # type: ignore[assignment]

    def units_apart(self, moment: datetime, unit: timedelta) -> int:
        """The number of complete units between this time and the moment, on either side of it."""
        if self > moment:
            count = (self._time - moment) // unit
            with suppress(OverflowError):  # as `_note`
                self._note(moment + (count + 1) * unit)
        else:
            count = (moment - self._time) // unit
            with suppress(OverflowError):
                self._note(moment - count * unit, _TICK)
        return count

    @property
    def today(self) -> "Today":
        """The day (UTC)."""
        return Today(self)

    def day_text(self, form: str) -> str:
        """The day (UTC) in this form of strftime, which changes at midnight."""
        day = self._time.astimezone(UTC).date()
        _is_over(day, self)
        return day.strftime(form)


class Today:
    """A day (UTC) that can only be compared with days, and notes it."""

    __slots__ = ("_now",)

    def __init__(self, now: Now) -> None:
        """Create the day of this time."""
        self._now = now

    def __lt__(self, day: date) -> bool:
        return not _has_begun(day, self._now)

    def __le__(self, day: date) -> bool:
        return not _is_over(day, self._now)

    def __gt__(self, day: date) -> bool:
        return _is_over(day, self._now)

    def __ge__(self, day: date) -> bool:
        return _has_begun(day, self._now)

    def __eq__(self, _other: object) -> NoReturn:
        raise TypeError("a day is before another or not")

    __hash__ = None  # type: ignore[assignment]


def _has_begun(day: date, now: Now) -> bool:
    return now >= datetime.combine(day, time(), UTC)


def _is_over(day: date, now: Now) -> bool:
    """Whether the day is over. The last day of the calendar never is."""
    return day < date.max and _has_begun(day + timedelta(days=1), now)


Time = datetime | Now
"""What can be compared with moments."""
AnyDay = date | Today
"""What can be compared with days."""


def noting(time: Time) -> Now:
    """The time as a `Now`."""
    return time if isinstance(time, Now) else Now(time)
