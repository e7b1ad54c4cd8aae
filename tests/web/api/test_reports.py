"""Reports of many targets as one document."""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import Message

from exporter.model import Protocol, Target
from exporter.querying import TargetFilter
from exporter.reports.base import ReportSet
from exporter.reports.collect import MOST_TARGETS
from exporter.reports.making import MOST_AT_ONCE
from exporter.reports.registry import MODULES, find
from exporter.web import Gate
from exporter.web.api import ApiRoute, openapi_text
from tests.support.facts import CBC_RSA, GOOD_SUITES, KOPANO, facts, handshake
from tests.support.known_fleet import FleetApi, KnownFleet, error_of, served
from tests.support.targets import make_target

WEAK = facts(handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)}))


def target(name: str, **changes: Any) -> Target:  # noqa: ANN401 - any field of Target
    return make_target(name=name, labels={"team": "web" if name != "never" else "mail"}, **changes)


def asking(steps: Callable[[FleetApi], Awaitable[None]], *targets: Target) -> None:
    async def run() -> None:
        async with served(KnownFleet(*(targets or map(target, ("good", "never", "weak"))))) as api:
            if not targets:
                await api.fleet.saw("good")
                await api.fleet.saw("weak", WEAK)
            await steps(api)

    asyncio.run(run())


@pytest.mark.parametrize("name", MODULES)
def test_each_format_is_what_it_is_of_the_same_reports_with_the_worst_target_first(name: str) -> None:
    async def steps(api: FleetApi) -> None:
        reports = [api.fleet.publisher.reports_of(one) for one in ("weak", "good")]
        expected = find(name).render(ReportSet(reports, {KOPANO.name: KOPANO}, api.fleet.now, (target("never"),)))
        answer = await api.ask(f"/api/v1/reports/{name}")
        assert answer.status == 200
        form = find(name)
        assert answer.all("content-type") == [form.media_type]
        file = f"tls-posture-{api.fleet.now:%Y%m%dT%H%M%SZ}.{form.extension}"
        assert answer.all("content-disposition") == [f'attachment; filename="{file}"']
        assert answer.all("content-security-policy") == ["default-src 'none'; sandbox"]
        assert answer.all("cache-control") == ["no-store"]
        if name != "cyclonedx":  # it has a serial number of its own
            assert answer.body.decode() == expected

    asking(steps)


def test_head_has_no_body() -> None:
    async def steps(api: FleetApi) -> None:
        answer = await api.ask("/api/v1/reports/csv", method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.all("content-length")[0]) > 1000

    asking(steps)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["weak", "good"]),
        ("?check=protocols&verdict=fail", ["weak"]),
        ("?match[]=%7Btarget%3D%22good%22%7D", ["good"]),
        ("?grade=A%2B", ["good"]),
        ("?policy=none", []),
    ],
)
def test_filters_are_those_of_lists(query: str, found: list[str]) -> None:
    async def steps(api: FleetApi) -> None:
        answer = await api.ask(f"/api/v1/reports/json{query}")
        assert [one["target"] for one in json.loads(answer.body)["reports"]] == found

    asking(steps)


@pytest.mark.parametrize(
    ("path", "status", "kind", "message"),
    [
        ("/reports/pdf", 404, "not_found", "there is no format 'pdf'; formats: json, "),
        ("/reports/table", 404, "not_found", "there is no format 'table'"),
        ("/reports/csv?limit=1", 400, "bad_data", 'invalid parameter "limit": it is unknown here'),
        ("/reports/csv?check=x", 400, "bad_data", 'invalid parameter "check"'),
        ("/reports", 404, "not_found", "there is no such path"),
    ],
)
def test_errors_are_those_of_the_api(path: str, status: int, kind: str, message: str) -> None:
    async def steps(api: FleetApi) -> None:
        found = await api.error(path)
        assert found[:2] == (status, kind)
        assert message in found[2]

    asking(steps)


def test_nothing_is_reported_before_all_targets_are_known() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.ready = False
        assert (await api.error("/reports/csv"))[:2] == (503, "unavailable")

    asking(steps)


def test_a_report_of_too_many_targets_says_to_filter_them() -> None:
    async def steps(api: FleetApi) -> None:
        status, kind, message = await api.error("/reports/csv")
        assert (status, kind) == (400, "bad_data")
        assert message == (
            f"the report would have more than {MOST_TARGETS} targets; filter them by match[], check, verdict, policy "
            "or grade"
        )
        answer = await api.ask("/api/v1/reports/csv?match[]=%7Btarget!%3D%22t0%22%7D")
        assert answer.body.decode().count("\r\n") == 1 + MOST_TARGETS, "so many are not too many"

    asking(steps, *(target(f"t{number}") for number in range(MOST_TARGETS + 1)))


def test_a_target_that_is_removed_meanwhile_is_left_out() -> None:
    async def run() -> None:
        fleet = KnownFleet(target("a"), target("b"))
        for name in ("a", "b"):
            await fleet.saw(name)
        made_by = find("json")
        making = asyncio.create_task(fleet.data.documents.make(made_by, fleet.queries, TargetFilter()))
        while not making.done():
            await asyncio.sleep(0)
            fleet.apply(target("b"))
        assert [one["target"] for one in json.loads(await making)["reports"]] in (["b"], ["a", "b"])

    asyncio.run(run())


def test_slow_clients_hold_so_many_documents_and_others_are_told_when_to_ask_again() -> None:
    async def run() -> None:
        fleet = KnownFleet(target("a"))
        await fleet.saw("a")
        route, reads = ApiRoute(fleet.data, Gate()), asyncio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "raw_path": b"/api/v1/reports/csv",
            "query_string": b"",
            "headers": [],
        }
        statuses: list[int] = []
        headers: list[tuple[bytes, bytes]] = []

        async def ask() -> None:
            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                    headers.extend(message["headers"])
                await reads.wait()

            await route.handle(dict(scope), _nothing, send)

        clients = [asyncio.create_task(ask()) for _ in range(MOST_AT_ONCE + 1)]
        async with asyncio.timeout(60):
            while len(statuses) < len(clients):
                await asyncio.sleep(0.01)
        assert sorted(statuses) == [*[200] * MOST_AT_ONCE, 429]
        assert (b"retry-after", b"10") in headers
        clients[0].cancel()
        reads.set()
        await asyncio.gather(*clients, return_exceptions=True)
        for _ in range(MOST_AT_ONCE + 1):
            await ask()
        assert statuses[-1] == 200, "the places of clients that are gone are free"

    asyncio.run(run())


async def _nothing() -> Message:
    raise AssertionError


def test_a_document_that_cannot_be_made_gives_its_place_back() -> None:
    async def steps(api: FleetApi) -> None:
        for _ in range(MOST_AT_ONCE + 1):
            assert (await api.ask("/api/v1/reports/csv?check=x")).status == 400
        broken = replace(find("csv"), render=lambda _: str(1 // 0))
        for _ in range(MOST_AT_ONCE + 1):
            with pytest.raises(ZeroDivisionError):
                await api.fleet.data.documents.make(broken, api.fleet.queries, TargetFilter())
        assert (await api.ask("/api/v1/reports/csv")).status == 200
        assert gc.isenabled()

    asking(steps)


def test_the_description_has_the_formats_and_their_media_types() -> None:
    described = json.loads(openapi_text())["paths"]["/api/v1/reports/{format}"]["get"]
    (name,) = [one for one in described["parameters"] if one["in"] == "path"]
    assert name["schema"] == {"type": "string", "enum": list(MODULES)}
    kinds = {find(one).media_type.partition(";")[0] for one in MODULES}
    assert set(described["responses"]["200"]["content"]) == kinds
    assert set(described["responses"]) == {"200", "400", "404", "405", "429", "503"}


def test_any_error_is_in_the_form_of_the_api() -> None:
    async def steps(api: FleetApi) -> None:
        assert error_of(await api.ask("/api/v1/reports/csv", method="POST"))[0] == 405

    asking(steps)
