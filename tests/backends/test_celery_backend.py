"""Assignments: each ends with a result or a reason, a target is never scanned twice at once, and no lie is believed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from exporter.backends.celery_backend import Around, CeleryBackend, Times
from exporter.backends.messages import (
    MOST_TASKS,
    Parcel,
    RefusalCause,
    Tasks,
    WorkerReply,
    open_envelope,
    open_tasks,
    seal,
)
from exporter.backends.wire import results_document, target_and_known
from exporter.facts.vulnerabilities import VulnerabilityFacts
from exporter.model import Reason, ScanResult, Target
from tests.backends.test_wire import scanned
from tests.support.clock import run_in_feigned_time
from tests.support.facts import good_facts
from tests.support.targets import NOW, make_target

KEYS = {"office": b"o" * 32, "dmz": b"d" * 32}
SHORT = Times(start=0.01, end=0.0, transit=0.01, batch=0.0)
LONG = Times(start=600, batch=0.0)


@dataclass
class Broker:
    """A broker in memory; what is published waits in `parcels`."""

    reply_to: str = "e" * 32
    losses: int = 0
    connected: bool = True
    parcels: asyncio.Queue[tuple[str, Parcel]] = field(default_factory=asyncio.Queue)

    async def publish(self, zone: str, make: Callable[[], Parcel | None]) -> None:
        while not self.connected:
            await asyncio.sleep(0.001)
        if parcel := make():
            self.parcels.put_nowait((zone, parcel))

    async def tasks(self) -> Tasks:
        """The next batch, as a worker reads it."""
        zone, parcel = await self.parcels.get()
        return open_tasks(open_envelope(parcel.message), zone, KEYS[zone])


@dataclass
class Exporter:
    """A backend with its broker."""

    times: Times = LONG
    now: datetime = NOW
    broker: Broker = field(default_factory=Broker)
    refused: list[RefusalCause] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        around = Around(lambda: self.now, self._new_id, self.refused.append)
        self.backend = CeleryBackend(self.broker, KEYS, self.times, around)

    def _new_id(self) -> str:
        self.made += 1
        return f"{self.made:032x}"

    def scan(self, target: Target) -> asyncio.Task[tuple[ScanResult, ...]]:
        return asyncio.create_task(self.backend.run(target, {}, lambda: None))

    def reply(self, kind: Any, *ids: str, zone: str = "dmz", key: bytes | None = None, **more: Any) -> None:  # noqa: ANN401
        message = WorkerReply(kind=kind, ids=ids, **more)
        self.backend.receive(seal(message, zone, key or KEYS[zone]))


def target(name: str = "one", zone: str = "dmz", **changes: Any) -> Target:  # noqa: ANN401 - any field
    return make_target(name=name, zone=zone, **changes)


def document(of: Target, at: datetime = NOW) -> str:
    """The results of a good server."""
    known = good_facts(at=at).without([VulnerabilityFacts])
    return results_document([scanned(known, target=of, started_at=at, ended_at=at)])


def run(scenario: Callable[[Exporter], Awaitable[None]], times: Times = LONG) -> None:
    async def main() -> None:
        async with asyncio.timeout(3600):
            await scenario(Exporter(times))

    run_in_feigned_time(main())  # how slow the machine is does not matter


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_target_is_scanned_by_a_worker_of_its_zone() -> None:
    async def scenario(exporter: Exporter) -> None:
        one = target(labels={"team": "web"})
        scan = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        assert target_and_known(assignment.task)[0] == replace(one, policies=(), labels={}, zone="")
        exporter.reply("begun", assignment.id)
        exporter.reply("done", assignment.id, results=document(one))
        (found,) = await scan
        assert found.target is one
        assert found.success
        assert not exporter.refused

    run(scenario)


def test_targets_that_are_due_together_are_sent_together() -> None:
    async def scenario(exporter: Exporter) -> None:
        scans = [exporter.scan(target(f"t{number}")) for number in range(MOST_TASKS + 2)]
        scans.append(exporter.scan(target("other", "office")))
        sent = [len((await exporter.broker.tasks()).assignments) for _ in range(3)]
        assert sorted(sent) == [1, 2, MOST_TASKS]
        for scan in scans:
            scan.cancel()

    run(scenario, replace(LONG, batch=0.1))


def test_a_target_is_sent_again_when_a_worker_was_lost_and_then_fails_with_a_reason() -> None:
    async def scenario(exporter: Exporter) -> None:
        scan = exporter.scan(target(scan_timeout=timedelta(seconds=0.01)))
        first = await exporter.broker.tasks()
        exporter.reply("begun", first.assignments[0].id)
        second = await exporter.broker.tasks()
        assert second.assignments[0].id != first.assignments[0].id
        exporter.reply("begun", second.assignments[0].id)
        (found,) = await scan
        assert (found.success, found.probes, len(found.facts)) == (False, {"handshake": False}, 0)
        (failure,) = found.failures
        assert failure.reason is Reason.NO_WORKER
        assert failure.detail == "a worker of zone dmz began the scan and sent no result"
        exporter.reply("done", first.assignments[0].id, results=document(target()))
        assert exporter.refused == [RefusalCause.LATE]

    run(scenario, SHORT)


def test_without_workers_one_target_finds_out_and_the_others_do_not_fill_the_broker() -> None:
    async def scenario(exporter: Exporter) -> None:
        found = await asyncio.gather(*(exporter.scan(target(f"t{number}")) for number in range(20)))
        details = {one.failures[0].detail for (one,) in found}
        assert details <= {
            "no worker of zone dmz began the scan within 0.01 s",
            "no worker of zone dmz began the scan while others waited",
        }
        sent = []
        while not exporter.broker.parcels.empty():
            sent.append(len((await exporter.broker.tasks()).assignments))
        assert sum(sent) == 21, "each once, and one of them a second time"

    run(scenario, SHORT)


def test_a_zone_is_used_again_when_a_worker_answers() -> None:
    async def scenario(exporter: Exporter) -> None:
        assert exporter.backend.answering == {"office": None, "dmz": None}
        await exporter.scan(target())
        assert exporter.backend.answering == {"office": None, "dmz": False}
        while not exporter.broker.parcels.empty():
            await exporter.broker.parcels.get()
        one = target()
        scan = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("done", assignment.id, results=document(one))
        assert (await scan)[0].success
        assert exporter.backend.answering == {"office": None, "dmz": True}

    run(scenario, replace(SHORT, start=0.2))


def test_scans_wait_while_the_broker_is_away_and_nothing_fails() -> None:
    async def scenario(exporter: Exporter) -> None:
        exporter.broker.connected = False
        one = target()
        scan = exporter.scan(one)
        await asyncio.sleep(0.2)  # many times longer than a worker may take to begin
        assert not scan.done()
        exporter.broker.connected = True
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("done", assignment.id, results=document(one))
        assert (await scan)[0].success

    run(scenario, SHORT)


def test_whoever_stops_waiting_does_not_cause_a_second_scan_at_the_same_time() -> None:
    async def scenario(exporter: Exporter) -> None:
        one = target()
        first = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("begun", assignment.id)
        first.cancel()
        second = exporter.scan(one)
        changed = exporter.scan(replace(one, timeout_seconds=9.0))
        await settled()
        assert exporter.broker.parcels.empty()
        exporter.reply("done", assignment.id, results=document(one))
        assert (await second)[0].success
        (again,) = (await exporter.broker.tasks()).assignments
        exporter.reply("done", again.id, results=document(one))
        assert (await changed)[0].target.timeout_seconds == 9.0

    run(scenario)


def test_what_is_forged_repeated_or_late_is_refused_and_changes_nothing() -> None:
    async def scenario(exporter: Exporter) -> None:
        one, other = target(), target("other", "office")
        scans = exporter.scan(one), exporter.scan(other)
        sent = {}
        for _ in scans:
            zone, parcel = await exporter.broker.parcels.get()
            tasks = open_tasks(open_envelope(parcel.message), zone, KEYS[zone])
            sent[zone] = tasks.assignments[0].id, parcel.message
        mine, theirs = sent["dmz"][0], sent["office"][0]
        forged = document(one)
        exporter.backend.receive({"zone": "dmz"})
        exporter.backend.receive(sent["dmz"][1])  # the exporter's own message
        exporter.reply("done", mine, key=b"x" * 32, results=forged)
        exporter.reply("done", "f" * 32, results=forged)
        exporter.reply("done", theirs, results=document(other))  # of a zone whose key somebody has
        assert exporter.refused == [
            *(RefusalCause.MALFORMED, RefusalCause.SIGNATURE, RefusalCause.SIGNATURE),
            *(RefusalCause.UNKNOWN, RefusalCause.ZONE),
        ]
        await settled()
        assert not any(scan.done() for scan in scans)
        exporter.reply("done", mine, results=document(one))
        exporter.reply("done", mine, results=document(one))
        assert (await scans[0])[0].success
        exporter.reply("done", mine, results=document(one))
        assert exporter.refused[5:] == [RefusalCause.REPEATED, RefusalCause.REPEATED]
        scans[1].cancel()

    run(scenario)


@pytest.mark.parametrize("minutes", [-30, 30])
def test_results_of_another_time_are_refused_and_nothing_is_known(minutes: int) -> None:
    async def scenario(exporter: Exporter) -> None:
        one = target()
        scan = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("done", assignment.id, results=document(one, NOW + timedelta(minutes=minutes)))
        (found,) = await scan
        assert exporter.refused == [RefusalCause.INVALID]
        assert (found.success, len(found.facts)) == (False, 0)
        assert found.failures[0].reason is Reason.NO_WORKER
        assert "clocks may differ" in found.failures[0].detail

    run(scenario)


def test_a_worker_that_cannot_scan_says_why() -> None:
    async def scenario(exporter: Exporter) -> None:
        scan = exporter.scan(target())
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("refused", assignment.id, problem="there are no credentials\x1b[31m")
        (found,) = await scan
        assert found.failures[0].detail == "the worker refused the task: there are no credentials\\u001b[31m"

    run(scenario)


def test_the_last_scan_of_an_old_configuration_ends_its_connection() -> None:
    async def scenario(exporter: Exporter) -> None:
        one, closed = target(), asyncio.Event()
        scan = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.backend.when_idle(closed.set)
        assert not closed.is_set()
        exporter.reply("done", assignment.id, results=document(one))
        await scan
        await closed.wait()

    run(scenario)


def test_scans_that_wait_for_a_broker_end_when_the_configuration_names_another() -> None:
    async def scenario(exporter: Exporter) -> None:
        closed = asyncio.Event()
        exporter.broker.connected = False
        scan = exporter.scan(target())
        await settled()
        exporter.backend.when_idle(closed.set)
        (found,) = await scan
        assert [(one.reason, len(found.facts)) for one in found.failures] == [(Reason.NO_WORKER, 0)]
        await closed.wait()
        exporter.broker.connected = True
        await settled()
        assert exporter.broker.parcels.empty()

    run(scenario)


def test_a_changed_target_does_not_wait_for_a_connection_that_is_closed() -> None:
    async def scenario(exporter: Exporter) -> None:
        one, closed = target(), asyncio.Event()
        scan = exporter.scan(one)
        (assignment,) = (await exporter.broker.tasks()).assignments
        changed = exporter.scan(replace(one, timeout_seconds=9.0))
        await settled()
        exporter.backend.when_idle(closed.set)
        exporter.reply("done", assignment.id, results=document(one))
        assert (await scan)[0].success
        exporter.broker.connected = False  # it is closed
        assert (await changed)[0].failures[0].reason is Reason.NO_WORKER

    run(scenario)


def test_an_assignment_that_is_over_does_not_take_others_of_its_reply_with_it() -> None:
    async def scenario(exporter: Exporter) -> None:
        scan = exporter.scan(target(scan_timeout=timedelta(seconds=0.01)))
        (assignment,) = (await exporter.broker.tasks()).assignments
        exporter.reply("begun", "f" * 32, assignment.id)
        assert exporter.refused == [RefusalCause.UNKNOWN]
        (again,) = (await exporter.broker.tasks()).assignments
        exporter.reply("refused", again.id, problem="x")
        assert (await scan)[0].failures[0].detail == "the worker refused the task: x"

    run(scenario, SHORT)
