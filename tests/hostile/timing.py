"""How late scans of a target are. It is due soon after the start, and then at its phase (`exporter.schedule`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from exporter.schedule import first_delay, phase
from tests.hostile.watching import Scan

_TOO_SOON = 0.5
"""Share of an interval after the start of a scan, in which the next is skipped."""


@dataclass(frozen=True, slots=True)
class Due:
    """A time at which a target was due, in seconds since 1970; `late` is None if no scan was seen before the next."""

    at: float
    late: float | None


def dues(name: str, scans: Sequence[Scan], *, interval: float, targets: int, began: float, ended: float) -> list[Due]:
    """When the target was due between these times, and how late its scans were.

    The last of them is left out if no scan of it was seen yet.
    """
    every = timedelta(seconds=interval)
    starts = sorted(scan.began_at for scan in scans)
    found = [_due(began + first_delay(name, every, targets).total_seconds(), interval, starts)]
    at = phase(name, every).timestamp() + (began - phase(name, every).timestamp()) // interval * interval + interval
    while at < ended:
        first = found[0].at + (found[0].late or 0.0)
        if at - first >= _TOO_SOON * interval:
            found.append(_due(at, interval, starts))
        at += interval
    return [one for one in found if one.late is not None or one.at + interval < ended]


def _due(at: float, interval: float, starts: Sequence[float]) -> Due:
    slack = 1.0  # of the measurement
    late = [start - at for start in starts if -slack <= start - at < interval]
    return Due(at, max(0.0, min(late)) if late else None)
