"""What is wrong with a request: the status, the type, and a message that names it."""

import asyncio
import base64
import json

import pytest

from exporter.store.changelog import LogPlace
from exporter.web.api.parameters import log_cursor, name_cursor
from tests.support.known_fleet import KnownFleet, error_of, served
from tests.support.targets import make_target

LOG, NAME = log_cursor(LogPlace("abc", 1)), name_cursor("a")
BAD_LOG = base64.urlsafe_b64encode(b"log\0abc").decode()

PARAMETERS = [
    ("/targets?x=1", "x", "it is unknown here"),
    ("/targets?match=1", "match", "it is unknown here; did you mean match[]?"),
    ("/targets?limit=0", "limit", "'0' is less than 1"),
    ("/targets?limit=1001", "limit", "'1001' is more than 1000"),
    ("/targets?limit=-1", "limit", "'-1' is less than 1"),
    ("/targets?limit=", "limit", "'' is not a whole number"),
    ("/targets?limit=1.0", "limit", "'1.0' is not a whole number"),
    ("/targets?limit=%D9%A1", "limit", "'\u0661' is not a whole number"),
    ("/targets?limit=1&limit=2", "limit", "it is there more than once"),
    ("/targets?limit=10000000000000", "limit", "'10000000000000' is not a whole number"),
    ("/targets?check=protocol", "check", "there is no check 'protocol'; did you mean protocols?"),
    (
        "/targets?verdict=failed",
        "verdict",
        "'failed' is not one of 'pass', 'fail', 'unknown' or 'not_applicable'; did you mean fail?",
    ),
    (
        "/targets?grade=a",
        "grade",
        "'a' is not one of 'A+', 'A', 'A-', 'B', 'C', 'D', 'E', 'F', 'T' or 'M'; did you mean A?",
    ),
    ("/targets?match[]=%7Bteam%7D", "match[]", "at character 6: expected one of =, !=, =~, !~"),
    ("/targets?cursor=x", "cursor", "it is not a cursor of this API"),
    ("/targets?cursor=%C3%A4", "cursor", "it is not a cursor of this API"),
    ("/targets?cursor=", "cursor", "it is the cursor of something else"),
    (f"/targets?cursor={LOG}", "cursor", "it is the cursor of something else"),
    (f"/changes?cursor={NAME}", "cursor", "it is the cursor of something else"),
    (f"/changes?cursor={BAD_LOG}", "cursor", "it is not a cursor of this API"),
    (f"/targets/a/history?cursor={NAME}", "cursor", "it is the cursor of something else"),
    ("/changes?what=weather", "what", None),
    (
        "/changes?since=yesterday",
        "since",
        "'yesterday' is neither a time by RFC 3339 nor seconds since 1970; a + has to be written as %2B",
    ),
    ("/changes?since=2026-11-30T12:00:00+01:00", "since", None),
    ("/changes?since=2026-11-30", "since", None),
    ("/changes?since=2026-13-30T12:00:00Z", "since", "'2026-13-30T12:00:00Z' is not a time"),
    ("/changes?since=0001-01-01T00:00:00%2B23:59", "since", "'0001-01-01T00:00:00+23:59' is not a time"),
    ("/changes?since=nan", "since", None),
    ("/changes?since=1e9", "since", None),
    ("/changes?since=-1", "since", "'-1' is not between the years 1970 and 9999"),
    ("/changes?since=999999999999999", "since", "'999999999999999' is not between the years 1970 and 9999"),
    ("/targets/a?limit=1", "limit", "it is unknown here"),
    ("/policies?x", "x", "it is unknown here"),
    ("/metadata?limit=x", "limit", "'x' is not a whole number"),
    ("/openapi.json?x=1", "x", "it is unknown here"),
    ("/targets?%E2%80%AE=1", "\u202e", "it is unknown here"),
    (
        "/targets?" + "&".join(["check=hsts"] * 33),
        "check",
        "List should have at most 32 items after validation, not 33",
    ),
    ("/targets?" + "&".join(["match[]=%7Ba=%22b%22%7D"] * 17), "match[]", "more than 16 matchers"),
]


@pytest.mark.parametrize(("path", "name", "problem"), PARAMETERS)
def test_a_wrong_parameter_is_named(path: str, name: str, problem: str | None) -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a"))) as api:
            status, kind, message = await api.error(path)
            assert (status, kind) == (400, "bad_data")
            assert message.startswith(f'invalid parameter "{name}": ')
            if problem is not None:
                assert message == f'invalid parameter "{name}": {problem}'

    asyncio.run(run())


PATHS = [
    ("GET", "/api/v1/", 404, None),
    ("GET", "/api/v1/x", 404, None),
    ("GET", "/api/v1/targets/", 404, None),
    ("GET", "/api/v1/targets/none", 404, None),
    ("GET", "/api/v1/targets/a/", 404, None),
    ("GET", "/api/v1/targets/a/x", 404, None),
    ("GET", "/api/v1/targets/a/history/x", 404, None),
    ("GET", "/api/v1//targets", 404, None),
    ("GET", "/api/v1/policies/none", 404, None),
    ("GET", "/api/v1/targets/%FF", 400, None),
    ("POST", "/api/v1/targets", 405, "GET, HEAD"),
    ("DELETE", "/api/v1/targets/a", 405, "GET, HEAD"),
    ("GET", "/api/v1/targets/a/scan", 405, "POST"),
    ("HEAD", "/api/v1/targets/a/scan", 405, "POST"),
    ("POST", "/api/v1/openapi.json", 405, "GET, HEAD"),
    ("BREW", "/api/v1/targets", 405, "GET, HEAD"),
    ("POST", "/api/v1/x", 404, None),
]


@pytest.mark.parametrize(("method", "path", "status", "allow"), PATHS)
def test_a_path_or_method_that_does_not_exist_is_answered_in_the_same_form(
    method: str, path: str, status: int, allow: str | None
) -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a"))) as api:
            answer = await api.ask(path, method=method)
            assert answer.status == status
            assert answer.all("allow") == ([] if allow is None else [allow])
            if method != "HEAD":
                error_of(answer)

    asyncio.run(run())


def test_other_paths_are_not_of_the_api() -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a"))) as api:
            for path in ("/api", "/api/v1", "/api/v2/targets", "/api%2Fv1/targets", "/x/api/v1/targets"):
                assert (await api.ask(path)).status == 404
            assert (await api.ask("/-/healthy")).status == 200

    asyncio.run(run())


def test_head_is_get_without_a_body() -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a"))) as api:
            for path in ("/api/v1/targets", "/api/v1/targets/a", "/api/v1/metadata", "/api/v1/openapi.json"):
                head, get = await api.ask(path, method="HEAD"), await api.ask(path)
                assert head.status == 200
                assert head.all("content-length") == get.all("content-length") == [str(len(get.body))]

    asyncio.run(run())


def test_before_all_targets_are_known_there_are_no_lists_without_them() -> None:
    async def run() -> None:
        fleet = KnownFleet(make_target(name="a"))
        fleet.ready = False
        async with served(fleet) as api:
            for path in ("/targets", "/targets/a", "/changes", "/policies"):
                assert await api.error(path) == (503, "unavailable", "not all targets are known yet")
            assert (await api.ask("/api/v1/openapi.json")).status == 200

    asyncio.run(run())


def test_text_of_a_request_is_escaped_in_the_answer() -> None:
    async def run() -> None:
        async with served(KnownFleet()) as api:
            answer = await api.ask("/api/v1/targets/%E2%80%AE%00%1B%3Cb%3E")
            assert answer.body.isascii()
            assert json.loads(answer.body)["error"].startswith("there is no target")
            assert answer.all("content-type") == ["application/json"]
            assert answer.all("x-content-type-options") == ["nosniff"]

    asyncio.run(run())
