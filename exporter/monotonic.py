"""Makes APScheduler count on the monotonic clock, which nobody sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Monotonic(tzinfo):
    """A time zone for APScheduler whose current time is that of the monotonic clock, which nobody sets.

    APScheduler gets the time only from `datetime.now(zone)` (3.11, `schedulers/base.py`), which calls the zone's
    `fromutc`. With the system's clock, a step back would leave each next run in the future. After a step forward,
    APScheduler would list all the runs that were missed.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        """The current time in this zone.

        All times of jobs use this zone, because APScheduler would convert others, which calls `fromutc` too.
        """
        return self.at(self._seconds())

    def at(self, seconds: float) -> datetime:
        """A reading of the monotonic clock as a time."""
        return EPOCH.replace(tzinfo=self) + timedelta(seconds=seconds)

    def fromutc(self, _dt: datetime, /) -> datetime:
        """The time of the monotonic clock, whatever the system's clock shows."""
        return self.now()

    def utcoffset(self, _dt: datetime | None, /) -> timedelta:
        """Zero."""
        return timedelta(0)

    def dst(self, _dt: datetime | None, /) -> timedelta:
        """Zero."""
        return timedelta(0)

    def tzname(self, _dt: datetime | None, /) -> str:
        """The name of the zone."""
        return "monotonic"


class Every(BaseTrigger):  # type: ignore[misc]  # untyped
    """Fires each interval, counted from a start time; runs missed during a pause are skipped."""

    def __init__(self, interval: timedelta, begin: datetime) -> None:
        self._interval = interval
        self._begin = begin

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first time after now."""
        return self._begin + ((now - self._begin) // self._interval + 1) * self._interval
