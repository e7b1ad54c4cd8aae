"""Lists of targets: values, filters, pages; and the reports of one target."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Addresses, Protocol, Target
from exporter.querying import TargetFilter
from exporter.report import reports_json
from tests.support.exceptions import exceptions
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, good_facts, handshake, result, steady
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import NOW, make_target

WEAK = facts(handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)}))
TWO = ("kopano-checklist", "mozilla-intermediate")


def target(name: str, team: str = "web", **changes: Any) -> Target:  # noqa: ANN401 - any field of Target
    return make_target(name=name, labels={"team": team}, **changes)


def asking(*targets: Target, steps: Callable[[FleetApi], Awaitable[None]]) -> None:
    async def run() -> None:
        async with served(KnownFleet(*targets)) as api:
            await steps(api)

    asyncio.run(run())


def names(data: Any) -> list[str]:  # noqa: ANN401 - any JSON
    return [one["name"] for one in data["targets"]]


def test_a_target_that_was_never_scanned_is_there_and_nothing_is_known_of_it() -> None:
    async def steps(api: FleetApi) -> None:
        data = await api.get("/targets")
        assert data == {
            "targets": [
                {
                    "name": "a",
                    "host": "www.test.example",
                    "port": 443,
                    "protocol": "https",
                    "starttls": None,
                    "server_name": "www.test.example",
                    "labels": {"team": "web"},
                    "policies": {"kopano-checklist": None},
                    "failed": {},
                    "accepted": {},
                    "grade": None,
                    "success": None,
                    "scanned_at": None,
                    "last_success_at": None,
                    "found_in": [],
                    "next_scan_at": None,
                    "addresses": [],
                }
            ],
            "next_cursor": None,
        }
        assert await api.get("/targets/a") == {"reports": []}

    asking(target("a"), steps=steps)


def test_a_scanned_target_has_what_its_report_says() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.finish.clear()
        api.fleet.schedule.start()
        await api.fleet.saw("a", WEAK)
        (one,) = (await api.get("/targets"))["targets"]
        (report,) = (await api.get("/targets/a"))["reports"]
        assert report == json.loads(reports_json(api.fleet.publisher.reports_of("a")))["reports"][0]
        assert one["policies"] == report["policies"] == {"kopano-checklist": False, "mozilla-intermediate": False}
        failed = {(f["policy"], f["check"]) for f in report["findings"] if f["verdict"] == "fail"}
        assert {(policy, check) for policy, checks in one["failed"].items() for check in checks} == failed
        assert ("kopano-checklist", "protocols") in failed
        assert one["grade"] == report["grade"]["letter"]
        assert (one["success"], one["scanned_at"]) == (True, report["scanned_at"])
        assert one["last_success_at"] == report["scanned_at"]
        assert datetime.fromisoformat(one["next_scan_at"]) >= NOW
        assert [address["address"] for address in one["addresses"]] == [None]

    asking(target("a", policies=TWO), steps=steps)


def test_accepted_failures_are_failures_with_a_reason() -> None:
    async def run() -> None:
        some = exceptions(check="protocols", policy=TWO[0])
        async with served(KnownFleet(target("a", policies=TWO), exceptions=some)) as api:
            await api.fleet.saw("a", WEAK)
            (one,) = (await api.get("/targets"))["targets"]
            assert one["accepted"] == {TWO[0]: ["protocols"]}
            assert {"protocols"} <= set(one["failed"][TWO[0]]) & set(one["failed"][TWO[1]])
            assert one["policies"] == dict.fromkeys(TWO, False)
            (report,) = (await api.get("/targets/a"))["reports"]
            shown = {(f["policy"], f["check"]): f["accepted"] for f in report["findings"] if f["accepted"]}
            accepted = {"until": "2026-12-31", "reason": "It moves.", "accepted_by": "Jane"}
            assert shown == {(TWO[0], "protocols"): accepted}

    asyncio.run(run())


def test_several_addresses_are_one_target_with_the_worst_of_them() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.later(hours=1)
        seen = (good_facts(api.fleet.now), WEAK, facts())
        results = [
            replace(
                result(one, target=api.fleet.publisher.setup.targets["a"], ended_at=api.fleet.now, success=bool(place)),
                address=f"10.0.0.{place}",
                addresses_found=3,
            )
            for place, one in enumerate(seen)
        ]
        await api.fleet.took(results)
        (one,) = (await api.get("/targets"))["targets"]
        assert [address["address"] for address in one["addresses"]] == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
        assert [address["success"] for address in one["addresses"]] == [False, True, True]
        assert one["success"] is False
        assert one["policies"] == {"kopano-checklist": False}
        assert one["grade"] is None, "it is not known of one address"
        assert one["last_success_at"] is None, "one address was never reached"
        assert len((await api.get("/targets/a"))["reports"]) == 3
        grades = [address["grade"] for address in one["addresses"]]
        assert grades[0] is not None
        assert names(await api.get("/targets", ("grade", grades[0]))) == ["a"], "an address has it"

    asking(target("a", addresses=Addresses.ALL), steps=steps)


FILTERS: list[tuple[list[tuple[str, str]], str]] = [
    ([], "good never weak"),
    ([("match[]", '{team="web"}')], "good weak"),
    ([("match[]", '{team="mail"}')], "never"),
    ([("match[]", '{team="mail"}'), ("match[]", '{target="good"}')], "good never"),
    ([("match[]", '{target=~".*e.*",team!="mail"}')], "weak"),
    ([("match[]", '{host="www.test.example",port="443",protocol="https",starttls=""}')], "good never weak"),
    ([("match[]", '{starttls="smtp"}')], ""),
    ([("verdict", "fail")], "weak"),
    ([("verdict", "fail"), ("check", "protocols")], "weak"),
    ([("verdict", "pass"), ("check", "protocols")], "good weak"),
    ([("verdict", "pass"), ("check", "protocols"), ("policy", "kopano-checklist")], "good"),
    ([("verdict", "pass"), ("check", "protocols"), ("policy", "mozilla-old")], "weak"),
    ([("verdict", "fail"), ("check", "protocols"), ("policy", "mozilla-old")], ""),
    ([("check", "protocols")], "good weak"),
    ([("policy", "mozilla-old")], "never weak"),
    ([("policy", "kopano-checklist")], "good weak"),
    ([("policy", "kopano-checklist"), ("policy", "mozilla-old")], "good never weak"),
    ([("policy", "none")], ""),
    ([("grade", "F"), ("grade", "T")], ""),
    ([("check", "protocols"), ("check", "hsts"), ("verdict", "fail"), ("verdict", "unknown")], "weak"),
]


@pytest.mark.parametrize(("query", "found"), FILTERS)
def test_a_target_is_listed_if_it_meets_every_filter(query: list[tuple[str, object]], found: str) -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw("good")
        await api.fleet.saw("weak", WEAK)
        assert names(await api.get("/targets", *query)) == found.split()

    both = ("kopano-checklist", "mozilla-old")
    asking(
        target("weak", policies=both), target("good"), target("never", "mail", policies=("mozilla-old",)), steps=steps
    )


def test_pages_are_in_the_order_of_names_and_end() -> None:
    async def steps(api: FleetApi) -> None:
        first = await api.get("/targets", ("limit", 2))
        second = await api.get("/targets", ("limit", 2), ("cursor", first["next_cursor"]))
        assert (names(first), names(second), second["next_cursor"]) == (["a", "b"], ["c", "d/%\n"], None)

    asking(*map(target, ("d/%\n", "b", "a", "c")), steps=steps)


@steady
@given(
    st.lists(st.text("abcäz/%", min_size=1, max_size=3), unique=True, max_size=12),
    st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.text("abcäz/%", min_size=1, max_size=3)), max_size=10),
    st.integers(1, 4),
)
def test_targets_that_come_and_go_between_pages_neither_hide_nor_repeat_others(
    before: list[str], changes: list[tuple[str, str]], limit: int
) -> None:
    async def run() -> None:
        fleet, there = KnownFleet(*map(target, before)), set(before)
        always, ever = set(before), set(before)
        found, place, left = list[str](), None, list(changes)
        while True:
            page = await fleet.queries.targets(TargetFilter(), place, limit)
            found += [one.target.name for one in page.summaries]
            if page.next is None:
                break
            place = page.next
            if left:
                what, name = left.pop()
                there = there | {name} if what == "add" else there - {name}
                always, ever = always & there, ever | there
                fleet.apply(*map(target, there))
        assert found == sorted(set(found)), "each at most once, in order"
        assert always <= set(found) <= ever

    asyncio.run(run())


def test_a_target_without_grade_is_not_found_by_one() -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw("a", facts())
        for letter in ("A+", "F", "T"):
            assert names(await api.get("/targets", ("grade", letter))) == []

    asking(target("a"), steps=steps)


@pytest.mark.parametrize("name", ["a/b", "a%b", "a%2Fb", "ä b", "..", "a?b#c", 'q"\\', "a\nb", "{name}", "history"])
def test_a_name_can_have_any_character(name: str) -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw(name)
        path = f"/targets/{quote(name, safe='')}"
        (report,) = (await api.get(path))["reports"]
        assert report["target"] == name
        assert (await api.get(f"{path}/history"))["states"]

    asking(target(name), steps=steps)


def test_text_of_others_is_escaped_and_still_the_same_text() -> None:
    async def steps(api: FleetApi) -> None:
        answer = await api.ask("/api/v1/targets")
        assert b"\\u202e" in answer.body
        assert "\u202e".encode() not in answer.body
        assert json.loads(answer.body)["data"]["targets"][0]["labels"] == {"team": "\u202eweb\x00"}
        assert answer.all("content-type") == ["application/json"]

    asking(target("a", "\u202eweb\x00"), steps=steps)


def test_a_filter_sees_new_verdicts_at_once_and_a_removed_target_is_gone() -> None:
    async def steps(api: FleetApi) -> None:
        fails = ("verdict", "fail"), ("check", "protocols")
        await api.fleet.saw("a", WEAK)
        assert names(await api.get("/targets", *fails)) == ["a"]
        api.fleet.later(hours=1)
        await api.fleet.saw("a")
        assert names(await api.get("/targets", *fails)) == []
        api.fleet.apply(target("b"))
        assert names(await api.get("/targets")) == ["b"]
        assert (await api.error("/targets/a"))[:2] == (404, "not_found")
        api.fleet.apply(target("a", connect_address="127.0.0.2"), target("b"))
        (one, _) = (await api.get("/targets"))["targets"]
        assert one["success"] is None, "another service of the same name inherits nothing"

    asking(target("a"), steps=steps)


def test_the_age_of_facts_counts_at_the_time_of_the_question() -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw("a")
        api.fleet.later(days=3)
        (report,) = (await api.get("/targets/a"))["reports"]
        assert report["facts"]["protocols"] is None
        assert report["compliant"] is None

    asking(target("a", max_age=timedelta(days=1)), steps=steps)
