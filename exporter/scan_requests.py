"""Scans that somebody asked for: one for all who ask at once, and few enough that regular scans go on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil

from exporter.model import Target
from exporter.publisher import same_service

MOST_OPEN = 32
"""Most requests whose scans have not ended."""
APART_SECONDS = 60.0
"""From one request for a target to the next."""
_OPEN_RETRY_SECONDS = 10
MOST_KEPT = 1000
"""Most requests that can be asked about; the oldest that has ended is forgotten first."""


class ScanState(StrEnum):
    """How far a scan is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TooManyScansError(Exception):
    """A scan is refused for now.

    Attributes:
        retry_after: whole seconds until another request may be accepted.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Scanning:
    """What scans targets; see `exporter.schedule.Schedule`.

    Attributes:
        scan_now: queues a scan; returns the future of its success.
        waits_for: whether such a scan has not begun.
        begun_at: when the latest scan of a target began of which there are results.
        monotonic: a clock that nobody sets, in seconds.
        new_id: an id that nobody can guess.
        target_of: the target of this name; None if there is none.
    """

    scan_now: Callable[[str], asyncio.Future[bool | None]]
    waits_for: Callable[[str, asyncio.Future[bool | None]], bool]
    begun_at: Callable[[str], datetime | None]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
    target_of: Callable[[str], Target | None]


@dataclass(frozen=True, slots=True, eq=False)
class ScanRequest:
    """A scan that was asked for.

    Attributes:
        before: when the scan began whose results were the latest at that time.
        asked_at: by the monotonic clock.
        of: the target as it was then.
    """

    id: str
    target: str
    before: datetime | None
    asked_at: float
    answer: asyncio.Future[bool | None]
    of: Target | None


class ScanRequests:
    """Accepts requests within limits, and knows how far they are."""

    def __init__(self, scanning: Scanning) -> None:
        self._scanning = scanning
        self._by_id: dict[str, ScanRequest] = {}
        self._latest: dict[str, ScanRequest] = {}

    def ask(self, name: str) -> ScanRequest:
        """Ask for a scan of this target; the same request as before if its scan has not ended.

        Raises:
            KeyError: there is no such target.
            TooManyScansError: too many scans wait, or this target was asked for a short time ago.
        """
        now, before = self._scanning.monotonic(), self._latest.get(name)
        if before is not None and not before.answer.done():
            return before
        if before is not None and now - before.asked_at < APART_SECONDS:
            wait = ceil(before.asked_at + APART_SECONDS - now)
            raise TooManyScansError(f"a scan of this target was asked for less than {APART_SECONDS:g} s ago", wait)
        if sum(not one.answer.done() for one in self._by_id.values()) >= MOST_OPEN:
            raise TooManyScansError(f"{MOST_OPEN} scans that were asked for have not ended", _OPEN_RETRY_SECONDS)
        begun = self._scanning.begun_at(name)
        of = self._scanning.target_of(name)
        request = ScanRequest(self._scanning.new_id(), name, begun, now, self._scanning.scan_now(name), of)
        self._by_id[request.id] = self._latest[name] = request
        self._forget_oldest()
        return request

    def _forget_oldest(self) -> None:
        if len(self._by_id) > MOST_KEPT:
            oldest = next(one for one in self._by_id.values() if one.answer.done())
            del self._by_id[oldest.id]
            if self._latest[oldest.target] is oldest:
                del self._latest[oldest.target]

    def get(self, request_id: str) -> ScanRequest | None:
        """The request with this id; None if there is none, or it was forgotten."""
        return self._by_id.get(request_id)

    def has_reports(self, request: ScanRequest) -> bool:
        """Whether the reports of this name are about what was scanned: it may be another service by now."""
        return same_service(self._scanning.target_of(request.target), request.of)

    def state(self, request: ScanRequest) -> ScanState:
        """How far the scan is. It is done when it has ended with results, also if the server could not be reached."""
        if not request.answer.done():
            waits = self._scanning.waits_for(request.target, request.answer)
            return ScanState.QUEUED if waits else ScanState.RUNNING
        if request.answer.result() is None or self._scanning.begun_at(request.target) == request.before:
            return ScanState.FAILED  # the target was changed or removed, the program stops, or the scan had a bug
        return ScanState.DONE
