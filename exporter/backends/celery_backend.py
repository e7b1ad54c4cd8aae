"""Scans by workers of zones: each scan is an assignment that one worker gets, and that ends with a result or a reason.

At most one scan of a target runs. An assignment has two times: a worker does not begin after `start_by`, and stops at
`done_by`. Only when these times are over, and nothing came, the target is assigned again. Nothing is sent twice.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from exporter.backends.messages import (
    MOST_TASKS,
    Assignment,
    Parcel,
    RefusalCause,
    RefusedError,
    Tasks,
    WorkerReply,
    open_envelope,
    open_reply,
    seal,
)
from exporter.backends.wire import WireError, check_times, results_of, task_of
from exporter.model import CLOCK_TOLERANCE, Facts, Failure, Reason, ScanResult, Target
from exporter.net.patience import SCAN_SECONDS
from exporter.probes.registry import PROBES
from exporter.scan import Known
from exporter.text import escaped

ATTEMPTS = 2
"""A worker that was killed is not the target's fault: the target is assigned once more."""
MOST_ENDED = 10_000
"""Assignments that are remembered after their end, to say why a message about them is refused."""

Results = tuple[ScanResult, ...]


class Link(Protocol):
    """A connection to a broker: `CeleryLink`."""

    reply_to: str
    losses: int
    connected: bool

    def publish(self, zone: str, make: Callable[[], Parcel | None]) -> Awaitable[None]:
        """See `CeleryLink.publish`."""


class LostError(Exception):
    """An assignment ended without a result. The message says why.

    Attributes:
        again: whether it may be assigned again.
    """

    def __init__(self, reason: Reason, detail: str, *, again: bool = True) -> None:
        super().__init__(detail)
        self.reason, self.again = reason, again


@dataclass(frozen=True, slots=True)
class Times:
    """How long things may take, in seconds.

    Attributes:
        start: until a worker begins.
        end: the time that a worker has in addition to `scan_timeout`: a scan waits for others of the same address.
        transit: of a message.
        batch: how long a target waits for others of its zone, to be sent with them.
    """

    start: float
    end: float = 30.0
    transit: float = 10.0
    batch: float = 0.05

    def start_by(self, now: datetime) -> datetime:
        """When a worker has to have begun what is sent now."""
        return now + timedelta(seconds=self.start)

    def longest(self, target: Target) -> timedelta:
        """How long a worker may take for the target."""
        return target.scan_timeout + timedelta(seconds=self.end)


@dataclass(frozen=True, slots=True)
class Around:
    """What the backend needs of its surroundings.

    Attributes:
        now: the clock.
        new_id: 32 hexadecimal digits that nobody can guess.
        refused: called for each message that is not believed.
    """

    now: Callable[[], datetime]
    new_id: Callable[[], str]
    refused: Callable[[RefusalCause], None]


@dataclass(slots=True)
class _Open:
    """An assignment that waits for a result.

    Attributes:
        task: a document of `wire.task_of`.
        sent: done when the broker has it, or may have it.
        published: set before that, by the thread of the link.
    """

    id: str
    target: Target
    task: str
    sent: asyncio.Future[None]
    begun: asyncio.Event
    answer: asyncio.Future[Results]
    published: bool = False


@dataclass(slots=True)
class _Zone:
    """What is known of a zone's workers.

    Attributes:
        waiting: what is sent with the next batch.
        trial: while no worker answers, one assignment at a time finds out whether one does; the others wait for it.
    """

    name: str
    key: bytes = field(repr=False)
    waiting: list[_Open] = field(default_factory=list)
    silent: bool = False
    has_answered: bool = False
    trial: asyncio.Future[bool] | None = None


@dataclass(frozen=True, slots=True)
class _Flight:
    """A scan of a target, with or without somebody who waits for it."""

    target: Target
    task: asyncio.Task[Results]


class CeleryBackend:
    """Scans by the workers of zones. All methods are called on the event loop."""

    def __init__(self, link: Link, keys: Mapping[str, bytes], times: Times, around: Around) -> None:
        """Create it. The link's messages go to `receive`; `keys` are those of all zones."""
        self._link, self._times, self._around = link, times, around
        self._zones = {name: _Zone(name, key) for name, key in keys.items()}
        self._open: dict[str, _Open] = {}
        self._ended: OrderedDict[str, RefusalCause] = OrderedDict()
        self._flights: dict[str, _Flight] = {}
        self._idle: Callable[[], None] = lambda: None
        self._replaced = False
        self._sending: set[asyncio.Task[None]] = set()

    def when_idle(self, function: Callable[[], None]) -> None:
        """Call this as soon as no scan has begun; there are no more.

        What the broker cannot have ends now: this broker may never be reached, and its scans would wait for ever.
        """
        self._idle, self._replaced = function, True
        for one in self._open.values():
            if not one.published and not one.sent.done():
                one.sent.set_exception(_no_broker())
                one.sent.exception()  # it is retrieved also if nobody waits any more
        if not self._flights:
            self._end()

    def _end(self) -> None:
        for task in self._sending:
            task.cancel()
        self._idle()

    @property
    def answering(self) -> Mapping[str, bool | None]:
        """Zone -> whether a worker began the last scan that the zone was asked for; None before the first."""
        return {name: not one.silent if one.silent or one.has_answered else None for name, one in self._zones.items()}

    @property
    def open(self) -> int:
        """Number of assignments without a result yet."""
        return len(self._open)

    async def run(self, target: Target, known: Known, late: Callable[[], None]) -> Results:
        """See `Backend`. A caller that stops waiting does not stop the worker; the next one gets its result."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(SCAN_SECONDS, late)
        try:
            while True:
                flight = self._flights.get(target.name)
                if flight is None:
                    flight = _Flight(target, loop.create_task(self._scan(target, known)))
                    self._flights[target.name] = flight
                    flight.task.add_done_callback(lambda _done: self._landed(target.name))
                results = await asyncio.shield(flight.task)
                if flight.target == target:
                    return results
        finally:
            timer.cancel()

    def _landed(self, name: str) -> None:
        del self._flights[name]
        if not self._flights and self._replaced:
            self._end()

    async def _scan(self, target: Target, known: Known) -> Results:
        """A result, or a failure that says why no worker has scanned the target."""
        started, zone = self._around.now(), self._zones.get(target.zone)
        lost = LostError(Reason.NO_WORKER, f"there is no zone {escaped(target.zone)!r}", again=False)
        attempts = 0
        while zone is not None and attempts < ATTEMPTS:
            if self._replaced:
                lost = lost if attempts else _no_broker()
                break
            if zone.silent and zone.trial is not None and not await asyncio.shield(zone.trial):
                lost = _nobody(zone.name, "while others waited")
                break
            losses, is_trial = self._link.losses, zone.silent
            try:
                return await self._tried(zone, target, known)
            except LostError as error:
                lost = error
                attempts += self._link.connected and losses == self._link.losses  # else the broker was away
                if not error.again or (is_trial and zone.silent):
                    break
        return (_failed(target, started, self._around.now(), lost),)

    async def _tried(self, zone: _Zone, target: Target, known: Known) -> Results:
        """The results of one assignment; if the zone is silent, this is the one that finds out."""
        trial = zone.trial = asyncio.get_running_loop().create_future() if zone.silent else None
        try:
            return await self._assign(zone, target, known)
        finally:
            if trial is not None:
                zone.trial = None
                trial.set_result(not zone.silent)

    async def _assign(self, zone: _Zone, target: Target, known: Known) -> Results:
        loop = asyncio.get_running_loop()
        one = _Open(
            *(self._around.new_id(), target, task_of(target, known)),
            *(loop.create_future(), asyncio.Event(), loop.create_future()),
        )
        end = RefusalCause.LATE
        self._open[one.id] = one
        try:
            self._queue(zone, one)
            await one.sent
            start_by = loop.time() + self._times.start + self._times.transit
            try:
                async with asyncio.timeout_at(start_by):
                    await one.begun.wait()
            except TimeoutError:
                zone.silent = zone.silent or self._link.connected
                raise _nobody(zone.name, f"within {self._times.start:g} s") from None
            zone.silent, zone.has_answered = False, True
            try:
                async with asyncio.timeout_at(start_by + self._times.longest(target).total_seconds()):
                    results = await one.answer
            except TimeoutError:
                detail = f"a worker of zone {zone.name} began the scan and sent no result"
                raise LostError(Reason.NO_WORKER, detail) from None
            end = RefusalCause.REPEATED
            return results
        finally:
            del self._open[one.id]
            self._ended[one.id] = end
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
            if one in zone.waiting:
                zone.waiting.remove(one)

    # --- sending ------------------------------------------------------------------------------------------------------

    def _queue(self, zone: _Zone, one: _Open) -> None:
        zone.waiting.append(one)
        if len(zone.waiting) == 1:
            asyncio.get_running_loop().call_later(self._times.batch, self._flush, zone)
        elif len(zone.waiting) >= MOST_TASKS:
            self._flush(zone)

    def _flush(self, zone: _Zone) -> None:
        batch, zone.waiting = zone.waiting, []
        if batch:
            task = asyncio.get_running_loop().create_task(self._send(zone, batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, zone: _Zone, batch: list[_Open]) -> None:
        def make() -> Parcel | None:
            """Runs in the link's thread when the broker takes the batch; None if it must not have it any more.

            `when_idle` sets the one and then reads the other. So either it sees that this is sent, or this is not sent.
            """
            for one in batch:
                one.published = True
            if self._replaced:
                return None
            start_by = self._times.start_by(self._around.now())
            assignments = tuple(
                Assignment(id=one.id, task=one.task, done_by=start_by + self._times.longest(one.target))
                for one in batch
            )
            tasks = Tasks(reply_to=self._link.reply_to, start_by=start_by, assignments=assignments)
            longest = max(self._times.longest(one.target).total_seconds() for one in batch)
            limit = self._times.start + longest + self._times.transit
            return Parcel(seal(tasks, zone.name, zone.key), start_by, self._times.start, limit)

        await self._link.publish(zone.name, make)
        for one in batch:
            if not one.sent.done():
                one.sent.set_result(None)

    # --- receiving ----------------------------------------------------------------------------------------------------

    def receive(self, data: object) -> None:
        """Take a message from the broker, which anybody may have sent. What is not believed is counted."""
        try:
            envelope = open_envelope(data)
            zone = self._zones.get(envelope.zone)
            if zone is None:
                raise RefusedError(RefusalCause.ZONE, "there is no such zone")
            self._take(zone, open_reply(envelope, zone.name, zone.key))
        except RefusedError as error:
            self._around.refused(error.cause)

    def _take(self, zone: _Zone, reply: WorkerReply) -> None:
        """Take what a reply says of each assignment; one that is over does not take the others with it."""
        for number in reply.ids:
            try:
                self._take_one(zone, reply, number)
            except RefusedError as error:
                self._around.refused(error.cause)

    def _take_one(self, zone: _Zone, reply: WorkerReply, number: str) -> None:
        one = self._open.get(number)
        if one is None:
            raise RefusedError(self._ended.get(number, RefusalCause.UNKNOWN), "nobody waits for it")
        if one.target.zone != zone.name:
            raise RefusedError(RefusalCause.ZONE, "it is about a target of another zone")
        if not one.published:
            raise RefusedError(RefusalCause.UNKNOWN, "it was not sent yet")
        if one.answer.done():
            raise RefusedError(RefusalCause.REPEATED, "it is answered")
        one.begun.set()
        if reply.kind == "done":
            self._answer(one, reply)
        elif reply.kind == "refused":
            detail = f"the worker refused the task: {escaped(reply.problem or 'it does not say why')}"
            _fail(one, LostError(Reason.NO_WORKER, detail, again=False))

    def _answer(self, one: _Open, reply: WorkerReply) -> None:
        try:
            results = results_of(reply.results or "", one.target)
            longest = self._times.longest(one.target) + timedelta(seconds=self._times.start + self._times.transit)
            check_times(results, self._around.now() - longest - CLOCK_TOLERANCE, self._around.now() + CLOCK_TOLERANCE)
        except WireError as error:
            _fail(one, LostError(Reason.NO_WORKER, f"the worker's result was refused: {error}", again=False))
            raise RefusedError(RefusalCause.INVALID, str(error)) from error
        one.answer.set_result(results)


def _fail(one: _Open, error: LostError) -> None:
    one.answer.set_exception(error)
    one.answer.exception()  # it is retrieved also if nobody waits any more


def _no_broker() -> LostError:
    detail = "the configuration was replaced before the broker had the task"
    return LostError(Reason.NO_WORKER, detail, again=False)


def _nobody(zone: str, when: str) -> LostError:
    return LostError(Reason.NO_WORKER, f"no worker of zone {zone} began the scan {when}")


def _failed(target: Target, started: datetime, ended: datetime, lost: LostError) -> ScanResult:
    """A result without facts: nothing is known of the target."""
    return ScanResult(
        target=target,
        started_at=started,
        ended_at=ended,
        facts=Facts(),
        probes={PROBES[0].name: False},
        failures=(Failure(PROBES[0].name, lost.reason, str(lost)),),
        success=False,
        connections=0,
        bytes_sent=0,
        bytes_received=0,
    )
