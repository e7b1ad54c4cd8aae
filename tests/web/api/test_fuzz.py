"""Any path and any query is answered: in the form that is described, and never by an error of the server."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web import Gate
from exporter.web.api import OPERATIONS
from tests.support.facts import facts, handshake, steady
from tests.support.json_schema import violations
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import make_target
from tests.web.api.test_catalogue import schema_of

NAMES = sorted({field.alias or name for one in OPERATIONS for name, field in one.parameters.model_fields.items()})
VALUES = st.one_of(
    st.sampled_from(
        ["", "1", "0", "-1", "fail", "hsts", "A+", "{}", '{team="web"}', '{target=~".*"}', "2026-11-22T12:00:00Z"]
    ),
    st.text("0123456789abcZT:-+._={}[]\"'`\\,~!|()*?%&#/ \u202e\x00\xe4", max_size=40),
)
BYTES = st.binary(max_size=12).map(lambda raw: "".join(f"%{byte:02X}" for byte in raw))
RAW = st.text("".join(map(chr, range(0x21, 0x7F))), max_size=30)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


PAIRS = st.tuples(st.sampled_from(NAMES) | RAW, VALUES.map(_percent) | BYTES | RAW)
QUERIES = st.lists(PAIRS.map("=".join), max_size=5).map("&".join)
SEGMENTS = st.one_of(
    st.sampled_from(sorted({segment for one in OPERATIONS for segment in one.segments})),
    *(st.sampled_from(["a", "a%2Fb", "b", "00000001", "kopano-checklist", "", ".", ".."]), BYTES, RAW),
)
PATHS = st.lists(SEGMENTS, max_size=4).map("/".join) | st.sampled_from(
    ["targets", "targets/a", "targets/a/history", "changes", "policies", "policies/kopano-checklist", "metadata"]
)
STATUSES = {200, 202, 400, 404, 405, 429}


@pytest.fixture(scope="module")
def runner() -> Iterator[tuple[asyncio.Runner, FleetApi]]:
    """One server for all examples."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> FleetApi:
            fleet = KnownFleet(make_target(name="a"), make_target(name="a/b"), make_target(name="c", port=25))
            await fleet.saw("a")
            await fleet.saw("a/b", facts(handshake()))
            return await stack.enter_async_context(served(fleet, Gate(enabled=True)))

        yield runner, runner.run(start())
        runner.run(stack.aclose())


def described(method: str, path: str, status: int, document: object) -> list[tuple[str, str]]:
    """What an answer has that the description of its path does not."""
    segments = path.partition("?")[0].removeprefix("/api/v1/").split("/")
    for one in OPERATIONS:
        fits = len(segments) == len(one.segments) and all(
            fixed.startswith("{") or fixed == value for fixed, value in zip(one.segments, segments, strict=True)
        )
        if fits and one.method == method:
            return list(violations(document, schema_of(method.lower(), f"/api/v1{one.path}", status)))
    return []


@steady
@given(st.sampled_from(["GET", "GET", "GET", "POST", "PUT"]), PATHS, QUERIES)
def test_any_request_is_answered_as_described(
    runner: tuple[asyncio.Runner, FleetApi], method: str, path: str, query: str
) -> None:
    loop, api = runner
    target = f"/api/v1/{path}".partition("?")[0].partition("#")[0] + f"?{query}"
    answer = loop.run(api.ask(target, method=method))
    assert answer.status in STATUSES, (answer, target)
    document = json.loads(answer.body)
    if document.keys() != {"openapi", "info", "paths", "components"}:
        assert document["status"] == ("success" if answer.status < 400 else "error")
        assert described(method, target, answer.status, document) == []
