"""Targets with results for tests of lists and of the API: a publisher, a store and a schedule without a network."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import urlencode

from exporter.exceptions import NO_EXCEPTIONS, Exceptions
from exporter.fleet import KeyIndex
from exporter.metrics import Exposition, OwnMetrics, text_page
from exporter.model import Facts, ScanResult, Target
from exporter.policies import load_policy
from exporter.publisher import Publisher, Setup
from exporter.querying import Queries
from exporter.scan_requests import Scanning, ScanRequests
from exporter.schedule import Schedule
from exporter.store import Store
from exporter.store.changelog import MemoryLog
from exporter.summaries import LatestVerdicts
from exporter.targets.discovered import TargetList
from exporter.targets.discovery import SourceState
from exporter.web import ApiData, Gate, Sources, make_app, serving
from tests.support.facts import good_facts, result
from tests.support.judging import judge_by
from tests.support.targets import NOW
from tests.web.client import Answer, ask_on

POLICIES = tuple(map(load_policy, ("kopano-checklist", "mozilla-intermediate", "mozilla-old")))


class KnownFleet:
    """Targets, of which the test says what scans found.

    Attributes:
        now: the system's clock.
        seconds: the monotonic clock of requests for scans.
        ready: whether the API is ready.
        scans: targets whose scans have begun.
        finish: scans go on when it is set.
        sources, listing: see `ApiData`.
    """

    def __init__(self, *targets: Target, exceptions: Exceptions = NO_EXCEPTIONS) -> None:
        self.now = NOW
        self.seconds = 0.0
        self.ready = True
        self.scans: list[str] = []
        self.finish = asyncio.Event()
        self.finish.set()
        self.store = Store()
        self.store.keep_log(MemoryLog("abc", NOW))
        self._keys = KeyIndex()
        self.publisher = Publisher(self.store, Exposition(OwnMetrics()), self._keys, lambda: self.now)
        self.schedule = Schedule(self._scan, workers=4, now=lambda: self.now)
        self.queries = Queries(self.publisher, self.store, self.schedule.next_due_of)
        ids = count(1)
        scanning = Scanning(
            self.schedule.scan_now,
            self.schedule.waits_for,
            self.publisher.begun_at,
            lambda: self.seconds,
            lambda: f"{next(ids):08x}",
            lambda name: self.publisher.setup.targets.get(name),  # noqa: PLW0108 - the setup changes
        )
        self.sources: list[SourceState] = []
        self.listing = TargetList((), {}, {}, ())
        self.data = ApiData(
            self.queries, ScanRequests(scanning), lambda: self.ready, lambda: self.sources, lambda: self.listing
        )
        self.apply(*targets, exceptions=exceptions)

    def apply(self, *targets: Target, exceptions: Exceptions = NO_EXCEPTIONS) -> None:
        """Use these targets and exceptions."""
        judge = replace(judge_by(*POLICIES), neighbours=self._keys.neighbours, exceptions=exceptions)
        self.schedule.sync({target.name: target.scan_interval for target in targets})
        self.publisher.apply(Setup({target.name: target for target in targets}, judge))

    async def saw(self, name: str, facts: Facts | None = None, **changes: Any) -> None:  # noqa: ANN401 - of `result`
        """A scan of the target has ended now and saw this."""
        target = self.publisher.setup.targets[name]
        seen = good_facts(self.now) if facts is None else facts
        await self.took([result(seen, target=target, ended_at=self.now, **changes)])

    async def took(self, results: list[ScanResult]) -> None:
        """A scan of all addresses of a target has ended."""
        await self.publisher.take(results, 0)

    def knows(self, name: str, judged: LatestVerdicts) -> None:
        """Lists show this of the target, although nothing is stored of it."""
        self.publisher._judged[name] = judged  # noqa: SLF001 - to judge ten thousand takes minutes

    async def _scan(self, name: str, _late: object) -> bool:
        self.scans.append(name)
        await self.finish.wait()
        self.now += timedelta(seconds=5)
        await self.saw(name)
        return True

    def later(self, **passed: float) -> datetime:
        """Move the clock."""
        self.now += timedelta(**passed)
        return self.now


@dataclass
class FleetApi:
    """The API of a fleet over HTTP."""

    fleet: KnownFleet
    port: int
    headers: tuple[str, ...] = field(default=())

    async def ask(self, path: str, *headers: str, method: str = "GET") -> Answer:
        """One request."""
        return await ask_on(self.port, path, *headers, method=method)

    async def get(self, path: str, *query: tuple[str, object]) -> Any:  # noqa: ANN401 - any JSON
        """The data of a successful answer."""
        answer = await self.ask(f"/api/v1{path}" + (f"?{urlencode(query)}" if query else ""))
        document = json.loads(answer.body)
        assert (answer.status, document["status"]) == (200, "success"), document
        return document["data"]

    async def error(self, path: str, *query: tuple[str, object], method: str = "GET") -> tuple[int, str, str]:
        """Status, type and message of an error."""
        answer = await self.ask(f"/api/v1{path}" + (f"?{urlencode(query)}" if query else ""), method=method)
        return error_of(answer)


def error_of(answer: Answer) -> tuple[int, str, str]:
    """Status, type and message of an error."""
    document: Mapping[str, str] = json.loads(answer.body)
    assert document.keys() == {"status", "errorType", "error"}
    assert document["status"] == "error"
    return answer.status, document["errorType"], document["error"]


@asynccontextmanager
async def served(fleet: KnownFleet, gate: Gate | None = None) -> AsyncIterator[FleetApi]:
    """Serve the API of the fleet; by default nobody may change anything."""

    async def reload() -> str | None:
        return None

    sources = Sources(lambda _: partial(text_page, b"", "text/plain"), lambda: True, reload, api=fleet.data)
    async with serving(make_app(sources, gate), [("127.0.0.1", 0)]) as [(_, port)]:
        try:
            yield FleetApi(fleet, port)
        finally:
            fleet.finish.set()
            await fleet.schedule.stop(timedelta(seconds=60))
