"""Scans that are asked for: one for all who ask at once, its result, and limits."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from exporter.model import Target
from exporter.scan_requests import APART_SECONDS, MOST_OPEN
from exporter.web import Gate
from tests.support.known_fleet import FleetApi, KnownFleet, error_of, served
from tests.support.targets import make_target
from tests.web.client import Answer


def asking(steps: Callable[[FleetApi], Awaitable[None]], *targets: Target) -> None:
    async def run() -> None:
        fleet = KnownFleet(*(targets or (make_target(name="a/1"),)))
        async with served(fleet, Gate(enabled=True)) as api:
            await steps(api)

    asyncio.run(run())


async def post(api: FleetApi, name: str = "a%2F1") -> Answer:
    return await api.ask(f"/api/v1/targets/{name}/scan", method="POST")


def data_of(answer: Answer) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(answer.body)["data"]


async def ended(api: FleetApi, path: str) -> Any:  # noqa: ANN401 - any JSON
    """The scan when it has ended."""
    while True:
        data = await api.get(path.removeprefix("/api/v1"))
        if data["state"] not in {"queued", "running"}:
            return data
        await asyncio.sleep(0)


def test_a_scan_runs_and_its_report_is_there_when_it_is_done() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        answer = await post(api)
        (path,) = answer.all("location")
        assert answer.status == 202
        assert path == "/api/v1/scans/00000001"
        assert data_of(answer)["id"] == "00000001"
        assert data_of(answer)["target"] == "a/1"
        while not api.fleet.scans:
            await asyncio.sleep(0)
        running = await api.get("/scans/00000001")
        assert (running["state"], running["success"], running["reports"]) == ("running", None, None)
        api.fleet.finish.set()
        done = await ended(api, path)
        assert (done["state"], done["success"]) == ("done", True)
        assert [one["target"] for one in done["reports"]] == ["a/1"]
        assert done["reports"] == (await api.get("/targets/a%2F1"))["reports"]

    asking(steps)


def test_all_who_ask_at_once_get_one_scan() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        answers = await asyncio.gather(*(post(api) for _ in range(5)))
        assert {data_of(answer)["id"] for answer in answers} == {"00000001"}
        api.fleet.finish.set()
        await ended(api, "/scans/00000001")
        assert api.fleet.scans == ["a/1"]

    asking(steps)


def test_a_scan_that_already_runs_is_not_the_one_that_was_asked_for() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        first = api.fleet.schedule.scan_now("a/1")
        while not api.fleet.scans:
            await asyncio.sleep(0)
        asked = data_of(await post(api))
        assert asked["state"] == "queued"
        api.fleet.finish.set()
        assert (await ended(api, "/scans/00000001"))["state"] == "done"
        assert first.done()
        assert api.fleet.scans == ["a/1", "a/1"]

    asking(steps)


def test_a_target_is_asked_for_once_a_minute() -> None:
    async def steps(api: FleetApi) -> None:
        await post(api)
        await ended(api, "/scans/00000001")
        api.fleet.seconds += APART_SECONDS - 0.5
        answer = await post(api)
        assert error_of(answer)[:2] == (429, "too_many_requests")
        assert answer.all("retry-after") == ["1"]
        api.fleet.seconds += 1
        assert (await post(api)).status == 202
        await ended(api, "/scans/00000002")

    asking(steps)


def test_only_so_many_scans_wait() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        for number in range(MOST_OPEN):
            assert (await post(api, f"t{number}")).status == 202
        answer = await post(api, f"t{MOST_OPEN}")
        assert error_of(answer)[:2] == (429, "too_many_requests")
        assert answer.all("retry-after") == ["10"]
        assert (await post(api, "t0")).status == 202, "it waits already"
        api.fleet.finish.set()
        for number in range(MOST_OPEN):
            await ended(api, f"/scans/{number + 1:08x}")
        assert (await post(api, f"t{MOST_OPEN}")).status == 202

    asking(steps, *(make_target(name=f"t{number}") for number in range(MOST_OPEN + 1)))


def test_a_scan_whose_target_is_removed_has_failed() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        await post(api)
        api.fleet.apply()
        data = await ended(api, "/scans/00000001")
        assert (data["state"], data["success"], data["reports"]) == ("failed", None, None)

    asking(steps)


def test_a_target_that_is_removed_after_its_scan_has_no_reports() -> None:
    async def steps(api: FleetApi) -> None:
        await post(api)
        await ended(api, "/scans/00000001")
        api.fleet.apply()
        data = await api.get("/scans/00000001")
        assert data["reports"] in ([], None)

    asking(steps)


def test_a_scan_does_not_show_the_reports_of_another_service_with_the_name() -> None:
    async def steps(api: FleetApi) -> None:
        await post(api)
        await ended(api, "/scans/00000001")
        api.fleet.apply(make_target(name="a/1", labels={"team": "web"}))
        [report] = (await api.get("/scans/00000001"))["reports"]
        assert report["host"] == "www.test.example"
        api.fleet.apply(make_target(name="a/1", host="other.test.example"))
        await api.fleet.saw("a/1")
        data = await api.get("/scans/00000001")
        assert (data["state"], data["success"], data["reports"]) == ("done", True, [])

    asking(steps)


def test_a_scan_without_results_has_failed_and_the_old_report_is_not_its_own() -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw("a/1")

        def broken(*_: object) -> None:
            raise RuntimeError

        api.fleet.later = broken  # type: ignore[assignment,method-assign]
        api.fleet.saw = broken  # type: ignore[assignment,method-assign]
        await post(api)
        data = await ended(api, "/scans/00000001")
        assert (data["state"], data["success"], data["reports"]) == ("failed", None, None)

    asking(steps)


def test_what_is_unknown_is_not_found() -> None:
    async def steps(api: FleetApi) -> None:
        assert error_of(await post(api, "b")) == (404, "not_found", "there is no target 'b'")
        assert (await api.error("/scans/1"))[:2] == (404, "not_found")
        assert api.fleet.scans == []

    asking(steps)
