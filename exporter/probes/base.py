"""The definition of a probe.

A new probe is a file with a `PROBE`, and an entry in `exporter.probes.registry`. The class of its facts is in
`exporter.facts`. How they are shown is in `exporter.facts.shapes`, with an entry in `exporter.facts.registry`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from exporter.facts.shape import Shape
from exporter.model import Facts, Target
from exporter.moments import Time
from exporter.net.dial import Dialer
from exporter.net.records import RecordResolver
from exporter.workers import Workers

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Session:
    """The context of a probe in one scan.

    Attributes:
        now: start of the scan, UTC; the time at which certificates are judged.
        resolver: answers queries for DNS records (not addresses, which come from the system).
        workers: processes for what must not run in this one.
        known: facts of the previous probes of this scan, completed by valid facts of earlier scans.
        deadline: latest end of the scan, in the loop's time.
        until: latest end of this probe, in the loop's time, so that later probes have time left; None is the deadline.
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
        """Seconds that the probe may still take."""
        until = self.deadline if self.until is None else min(self.until, self.deadline)
        return until - asyncio.get_running_loop().time()


def always(_target: Target, _known: Facts, _now: datetime) -> bool:
    """The probe is due with every scan."""
    return True


def no_longer(_target: Target) -> timedelta:
    """Facts are valid for `max_age` and no longer."""
    return timedelta(0)


def unchanged(facts: F, _now: Time) -> F:
    """Facts without dates: they do not change while they are valid."""
    return facts


def no_turns(_facts: object) -> Iterable[datetime]:
    """No moments: the facts have no dates."""
    return ()


@dataclass(frozen=True, slots=True)
class Probe(Generic[F]):
    """One probe and everything the rest of the program needs to know of it.

    Attributes:
        name: label value of `tls_posture_probe_success`.
        shape: the class of its facts, and how they are shown.
        mandatory: a scan is not a success without it, where it applies.
        applies: whether it makes sense for a target; where it does not, it is not run and gives nothing.
        run: returns facts; raises `ProbeError` when it could not find them out, with those that it could.
        of_name: its facts are about the host's name, so it runs once for several addresses.
        due: whether a scan has to run it, given the known facts; where not, the known facts stay.
        longer: how much longer than `max_age` its facts are valid, because it is not due with every scan.
        later: what is still known of its facts at a time: without what a date in them has put in doubt. None when
            nothing is.
        turns: the moments at which that changes, in any order, past moments included.
    """

    name: str
    shape: Shape[F]
    mandatory: bool
    applies: Callable[[Target], bool]
    run: Callable[[Session], Awaitable[F]]
    of_name: bool = False
    due: Callable[[Target, Facts, datetime], bool] = always
    longer: Callable[[Target], timedelta] = no_longer
    later: Callable[[F, Time], F | None] = unchanged
    turns: Callable[[F], Iterable[datetime]] = no_turns

    @property
    def kind(self) -> type[F]:
        """The class of its facts."""
        return self.shape.kind
