"""Scans of services that are not configured: in places of their own, one scan for all who ask together.

The addresses that were checked are those that are dialled: a scan gets a lookup that knows no others.
"""

import asyncio
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exporter.backends import Backend
from exporter.judge import Judge, held, seen_after
from exporter.logs import about, fields
from exporter.logs.trace import Trace, tracing
from exporter.metrics import ProbeOutcome
from exporter.model import Reason, ScanResult, Seen, Target, holds
from exporter.probing.allow import Allow
from exporter.probing.cache import Kept, ProbeCache
from exporter.probing.lookups import look_up_once, narrowed, only
from exporter.probing.question import Found, Limits, UnansweredError, forbidden, unavailable
from exporter.probing.settings import without_paths
from exporter.publisher import service_key
from exporter.scan import Environment
from exporter.scan_log import log_scan
from exporter.store.form import UnreadableRecordError, pack, unpack

log = logging.getLogger(__name__)

LEAST_SECONDS = 0.1
"""With less time left, no scan is begun."""
MORE_SECONDS = 1.0
"""A scan whose time ended is made again for somebody who has so much more time."""
_UNHURRIED_SHARE = 0.4
"""A scan that took a smaller share of its time left nothing out. The first limits inside of a scan are at half of it:
those of the HTTP probe and of a wait for a worker."""


@dataclass(frozen=True, slots=True)
class Using:
    """What scans need of the configuration in use.

    Attributes:
        make_backend: makes what runs a scan in an environment of its own.
    """

    allow: Allow
    judge: Judge
    environment: Environment
    make_backend: Callable[[Environment], Backend]


class Prober:
    """Scans services, and keeps what it saw of them.

    Attributes:
        running, waiting: scans that have a place, and those that wait for one.
    """

    def __init__(self, places: int, now: Callable[[], datetime], cache: ProbeCache | None = None) -> None:
        self.running = self.waiting = 0
        self._places = asyncio.Semaphore(places)
        self._now = now
        self._cache = ProbeCache() if cache is None else cache
        self._flights: dict[str, asyncio.Task[bool]] = {}
        self._using: Using | None = None

    def use(self, using: Using) -> None:
        """Use this configuration from now on."""
        self._using = using

    async def find(self, target: Target, limits: Limits) -> Found:
        """What is known of the target: of its last scan if that is recent, else of a scan now.

        Raises:
            UnansweredError: it is not permitted, or nothing is known of it in time.
        """
        loop, key = asyncio.get_running_loop(), _key(target)
        if not self._now_using().allow.may_permit(target):
            raise forbidden()
        outcome = ProbeOutcome.STORED
        while True:
            kept = self._kept(key, target)
            scanned = outcome is ProbeOutcome.SCANNED
            if kept and (scanned or self._is_fresh(kept[0], target, limits.scan_by - loop.time())):
                return self._found(*kept, outcome)
            if loop.time() + LEAST_SECONDS > limits.scan_by:
                return self._older(key, target)
            flight = self._flights.get(key) or self._begin(key, target, limits.scan_by)
            await asyncio.wait({flight}, timeout=limits.answer_by - loop.time())
            if not flight.done() or flight.cancelled():
                return self._older(key, target)
            if flight.result():
                outcome = ProbeOutcome.SCANNED

    def _now_using(self) -> Using:
        if self._using is None:
            raise unavailable("the exporter is not ready")
        return self._using

    def _kept(self, key: str, target: Target) -> tuple[Kept, Target] | None:
        """What is kept of the target, and the target as it may be scanned now at the same addresses.

        None if nothing is kept, it is about another service, or it is not permitted now.
        """
        kept, allow = self._cache.get(key), self._now_using().allow
        if kept is None:
            return None
        allowed = _allowed(allow, target, kept.addresses)
        return (kept, allowed) if allowed and kept.service == service_key(target) else None

    def _is_fresh(self, kept: Kept, target: Target, seconds: float) -> bool:
        recent = holds(kept.begun_at, self._now(), target.scan_interval)
        return recent and not (kept.cut and seconds > kept.seconds + MORE_SECONDS)

    def _older(self, key: str, target: Target) -> Found:
        """What an older scan saw, if it still counts.

        Raises:
            UnansweredError: there is nothing that counts.
        """
        kept = self._kept(key, target)
        if kept and holds(kept[0].begun_at, self._now(), target.max_age):
            return self._found(*kept, ProbeOutcome.OLDER)
        raise unavailable("no report was ready in time: the scan runs, or waits for a place; ask again")

    def _found(self, kept: Kept, target: Target, outcome: ProbeOutcome) -> Found:
        seen = self._seen(kept, target)
        if not seen:
            raise unavailable("what was kept cannot be read; ask again")
        return Found(target, seen, outcome, kept.begun_at, zlib.decompress(kept.log).decode())

    def _seen(self, kept: Kept, target: Target) -> tuple[Seen, ...]:
        try:
            return tuple(unpack(record, target) for record in kept.records)
        except UnreadableRecordError:
            log.exception("what was kept cannot be read", extra=fields(target=target.name))
            self._cache.remove(_key(target))
            return ()

    def _begin(self, key: str, target: Target, scan_by: float) -> asyncio.Task[bool]:
        flight = asyncio.create_task(self._fly(key, target, scan_by), name=f"probe-{key}")
        self._flights[key] = flight

        def landed(done: asyncio.Task[bool]) -> None:
            del self._flights[key]
            if not done.cancelled():
                done.exception()  # nobody may wait any more, and asyncio would log it

        flight.add_done_callback(landed)
        return flight

    async def _fly(self, key: str, target: Target, scan_by: float) -> bool:
        """One scan, for all who ask meanwhile; whether it was made. False if it got no place in time.

        Raises:
            UnansweredError: the addresses are not permitted, or not known in time.
        """
        if not await self._take_place(scan_by):
            return False
        try:
            with about(target=target.name):
                await self._look_up_and_scan(key, target, scan_by)
        except UnansweredError:
            raise
        except Exception as error:  # a named border: whoever asks gets an answer
            log.exception("probe failed", extra=fields(target=target.name))
            raise unavailable("internal error") from error
        finally:
            self.running -= 1
            self._places.release()
        return True

    async def _take_place(self, by: float) -> bool:
        self.waiting += 1
        try:
            async with asyncio.timeout_at(by - LEAST_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
        self.running += 1
        return True

    async def _look_up_and_scan(self, key: str, target: Target, by: float) -> None:
        using, trace = self._now_using(), Trace()
        with tracing(trace):
            addresses, failure = await look_up_once(target, using.environment.lookup)
            allowed = _allowed(using.allow, target, addresses)
            if allowed is None:
                self._cache.remove(key)
                log.debug("addresses are not permitted to /probe", extra=fields(addresses=", ".join(addresses)))
                raise forbidden()
            seconds = by - asyncio.get_running_loop().time()
            if failure is not None:  # which is known, however late it came
                seconds = max(seconds, MORE_SECONDS)
            if seconds < LEAST_SECONDS:
                raise unavailable("the name was not resolved in time; ask again")
            kept = self._kept(key, target)
            known = self._seen(kept[0], allowed) if kept else ()
            facts = {one.address: held(one.facts, allowed, self._now()) for one in known}
            lookup = only(target.host, addresses, failure)
            backend = using.make_backend(replace(using.environment, lookup=lookup))
            results = await backend.run(narrowed(allowed, addresses, seconds), facts, lambda: None)
            seen = seen_after([replace(result, target=allowed) for result in results], self._now(), known)
            log_scan(using.judge.reports(seen, allowed, self._now()))
        shown = addresses or (kept[0].addresses if kept else ())  # whose facts stay if the name does not resolve now
        self._cache.put(key, _to_keep(seen, target, shown, seconds, trace))

    async def stop(self) -> None:
        """Cancel the scans that run."""
        tasks = list(self._flights.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _to_keep(seen: Sequence[Seen], target: Target, addresses: tuple[str, ...], seconds: float, trace: Trace) -> Kept:
    return Kept(
        service=service_key(target),
        begun_at=min(one.result.started_at for one in seen),
        seconds=seconds,
        cut=any(_was_cut(one.result, seconds / len(seen)) for one in seen),
        addresses=addresses,
        records=tuple(map(pack, seen)),
        log=zlib.compress(without_paths(trace.text(), target).encode("utf-8", "replace"), 1),
    )


def _was_cut(result: ScanResult, seconds: float) -> bool:
    """Whether the scan may have left something out in this time. Some probes give less and do not fail."""
    late = (result.elapsed_seconds or 0.0) > _UNHURRIED_SHARE * seconds
    return late or any(failure.reason is Reason.DEADLINE_EXCEEDED for failure in result.failures)


def _allowed(allow: Allow, target: Target, addresses: tuple[str, ...]) -> Target | None:
    """The target as it may be scanned. Whether a name without addresses exists is known to those who may name it."""
    if addresses:
        return allow.permitted(target, addresses)
    return target if allow.names(target) else None


def _key(target: Target) -> str:
    """What distinguishes services: two texts can have the same `host:port` and different dialogues."""
    return f"{target.protocol} {target.starttls or ''} {target.name}"
