"""What a probe is. A new one is a file with a `PROBE` of this kind, and an entry in `exporter.probes.registry`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from exporter.facts.shape import Shape
from exporter.model import Facts, Target
from exporter.net.dial import Dialer
from exporter.net.records import RecordResolver
from exporter.workers import Workers

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Session:
    """What a probe has to work with in one scan.

    Attributes:
        now: start of the scan, UTC; the time that certificates are judged at.
        resolver: answers questions about DNS records (not addresses: those come from the system).
        workers: run what must not run in this process.
        known: what the probes before saw in this scan, completed by what earlier scans saw and still holds.
        deadline: when the scan ends at the latest, in the loop's time.
        until: when this probe has to be done, in the loop's time, so that those behind it have time left; None is the
            deadline.
    """

    target: Target
    dialer: Dialer
    resolver: RecordResolver
    now: datetime
    workers: Workers
    known: Facts
    deadline: float
    until: float | None = None

    def seconds_left(self) -> float:
        """What the probe may still take."""
        until = self.deadline if self.until is None else min(self.until, self.deadline)
        return until - asyncio.get_running_loop().time()


def always(_target: Target, _known: Facts, _now: datetime) -> bool:
    """With every scan."""
    return True


def no_longer(_target: Target) -> timedelta:
    """No longer than `max_age`."""
    return timedelta(0)


def unchanged(facts: F, _now: datetime) -> F:
    """They have no dates: what was seen holds as long as facts do."""
    return facts


def no_turns(_facts: object) -> Iterable[datetime]:
    """They have no dates."""
    return ()


@dataclass(frozen=True, slots=True)
class Probe(Generic[F]):
    """One probe and everything the rest of the program needs to know of it.

    Attributes:
        name: label value of `tls_posture_probe_success`.
        shape: the class of its facts, and how they are shown.
        mandatory: a scan is no success without it, where it applies.
        applies: whether it makes sense for a target; where it does not, it is not run and leaves nothing.
        run: gives facts; raises `ProbeError` when it could not tell, with what it could tell all the same.
        of_name: its facts are of the host's name: with several addresses it runs once.
        due: whether a scan has to run it, beside the facts at hand; where not, they stay.
        longer: how much longer than `max_age` its facts hold, since it is not due with every scan.
        later: what of its facts is still known at a time: not what a date in them has put in doubt since they were
            seen. None when nothing is.
        turns: the moments at which that changes, in any order, those that are over included.
    """

    name: str
    shape: Shape[F]
    mandatory: bool
    applies: Callable[[Target], bool]
    run: Callable[[Session], Awaitable[F]]
    of_name: bool = False
    due: Callable[[Target, Facts, datetime], bool] = always
    longer: Callable[[Target], timedelta] = no_longer
    later: Callable[[F, datetime], F | None] = unchanged
    turns: Callable[[F], Iterable[datetime]] = no_turns

    @property
    def kind(self) -> type[F]:
        """Class of its facts."""
        return self.shape.kind
