"""Policies, the metadata of metrics, and the description of the API."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.metrics import FAMILIES, OWN_FAMILIES
from exporter.model import Protocol
from exporter.policies import load_policy
from exporter.web import Gate
from exporter.web.api import OPERATIONS, openapi_text
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, handshake
from tests.support.json_schema import violations
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import make_target

ROOT = Path(__file__).parent.parent.parent.parent
DESCRIPTION = json.loads(openapi_text())


def asking(steps: Callable[[FleetApi], Awaitable[None]], gate: Gate | None = None) -> None:
    async def run() -> None:
        fleet = KnownFleet(make_target(name="a"), make_target(name="b", policies=("kopano-checklist", "mozilla-old")))
        async with served(fleet, gate) as api:
            await steps(api)

    asyncio.run(run())


def test_policies_have_the_number_of_their_targets() -> None:
    async def steps(api: FleetApi) -> None:
        found = (await api.get("/policies"))["policies"]
        used = {one["name"]: one["targets"] for one in found}
        assert used == {"kopano-checklist": 2, "mozilla-intermediate": 0, "mozilla-old": 1}

    asking(steps)


def test_a_policy_has_every_demand_and_says_what_it_does_not_judge() -> None:
    async def steps(api: FleetApi) -> None:
        policy, found = load_policy("mozilla-old"), await api.get("/policies/mozilla-old")
        assert found["title"] == policy.title
        assert [one["check"] for one in found["demands"]] == [
            check for check, demands in policy.demands.items() for _ in demands
        ]
        assert all(one["asks"] and one["source"] for one in found["demands"])
        assert len(found["not_expressed"]) == len(policy.not_expressed)
        assert str(ROOT) not in json.dumps(found)

    asking(steps)


@pytest.mark.parametrize(
    ("query", "number"),
    [([], None), ([("limit", -1)], None), ([("limit", 0)], 0), ([("limit", 2)], 2), ([("metric", "x")], 0)],
)
def test_metadata_is_limited_as_in_prometheus(query: list[tuple[str, object]], number: int | None) -> None:
    async def steps(api: FleetApi) -> None:
        names = {family.name for family in (*FAMILIES, *OWN_FAMILIES)}
        assert len(await api.get("/metadata", *query)) == (len(names) if number is None else number)

    asking(steps)


def test_metadata_of_a_metric_has_type_help_and_unit() -> None:
    async def steps(api: FleetApi) -> None:
        name = "tls_posture_scan_duration_seconds"
        found = await api.get("/metadata", ("metric", name))
        assert found == {name: [{"type": "gauge", "help": found[name][0]["help"], "unit": "seconds"}]}
        assert found[name][0]["help"].startswith("Wall time")
        counters = await api.get("/metadata", ("metric", "tls_posture_exporter_scans_total"))
        assert counters["tls_posture_exporter_scans_total"][0]["type"] == "counter"
        assert counters["tls_posture_exporter_scans_total"][0]["unit"] == ""

    asking(steps)


def test_the_published_description_is_the_one_of_the_program() -> None:
    """Made by tools/write_openapi.py."""
    assert (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8") == openapi_text()

    async def steps(api: FleetApi) -> None:
        answer = await api.ask("/api/v1/openapi.json")
        assert answer.body.decode() == openapi_text()

    asking(steps)


def schema_of(method: str, path: str, status: int) -> dict[str, Any]:
    """The schema of an answer, with its definitions."""
    content = DESCRIPTION["paths"][path][method]["responses"][str(status)]["content"]
    text = json.dumps({**content["application/json"]["schema"], "$defs": DESCRIPTION["components"]["schemas"]})
    found: dict[str, Any] = json.loads(text.replace("#/components/schemas/", "#/$defs/"))
    return found


def test_every_field_of_every_answer_is_described() -> None:
    async def steps(api: FleetApi) -> None:
        weak = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})
        for seen in (None, facts(weak), None):
            await api.fleet.saw("a", seen)
            api.fleet.later(hours=1)
        paths = {"{name}": {"policies": "mozilla-old"}, "{id}": {"scans": "00000001"}}
        for one in OPERATIONS:
            if not isinstance(one.answer, type):  # tests/web/api/test_reports.py
                continue
            path = f"/api/v1{one.path}"
            for segment, values in paths.items():
                path = path.replace(segment, values.get(one.segments[0], "a"))
            if one.id == "getScan":
                request = api.fleet.data.scans.get("00000001")
                assert request is not None
                await request.answer
            answer = await api.ask(path, method=one.method)
            assert answer.status == one.status, answer
            schema = schema_of(one.method.lower(), f"/api/v1{one.path}", one.status)
            assert list(violations(json.loads(answer.body), schema)) == []
        answer = await api.ask("/api/v1/targets?limit=x")
        assert list(violations(json.loads(answer.body), schema_of("get", "/api/v1/targets", 400))) == []

    asking(steps, Gate(enabled=True))


def test_forms_allow_no_field_that_is_not_described() -> None:
    open_ones = {
        name
        for name, form in DESCRIPTION["components"]["schemas"].items()
        if form["type"] == "object" and form.get("additionalProperties") is not False
    }
    assert open_ones == set()


def test_the_page_about_the_api_has_every_path_and_parameter() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`(?:GET|POST) /api/v1([^`?]*)", page))
    assert paths == {one.path for one in OPERATIONS} | {"/openapi.json"}
    named = {field.alias or name for one in OPERATIONS for name, field in one.parameters.model_fields.items()}
    assert named <= set(re.findall(r"`([a-z\[\]]+)`", page))
