"""What changed: the history of a target, and polls for changes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exporter.model import Protocol
from exporter.querying import MOST_VALUES
from exporter.store.changelog import MemoryLog
from exporter.store.history import StateChange, StateKey, What
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, good_facts, handshake
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import NOW, make_target

CHECKLIST = "kopano-checklist"


def asking(steps: Callable[[FleetApi], Awaitable[None]]) -> None:
    async def run() -> None:
        fleet = KnownFleet(
            make_target(name="a", labels={"team": "web"}), make_target(name="b", labels={"team": "mail"})
        )
        async with served(fleet) as api:
            await steps(api)

    asyncio.run(run())


async def worsens(api: FleetApi, name: str) -> None:
    """The target accepted TLS 1.2 and 1.3 only, and from now on TLS 1.0 too."""
    await api.fleet.saw(name, facts(handshake(), at=api.fleet.now))
    api.fleet.later(hours=1)
    weak = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})
    await api.fleet.saw(name, facts(weak, at=api.fleet.now))


def whats(data: Any) -> set[tuple[str, str, str]]:  # noqa: ANN401 - any JSON
    return {(one["target"], one["what"], one["subject"]) for one in data["changes"]}


def test_the_history_has_states_with_their_begin_and_changes_the_newest_first() -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api, "a")
        worse = api.fleet.now.isoformat().replace("+00:00", "Z")
        data = await api.get("/targets/a/history")
        change = next(one for one in data["changes"] if one["what"] == "protocol")
        assert change == {
            "target": "a",
            "address": None,
            "what": "protocol",
            "subject": "TLSv1.0",
            "before": False,
            "after": True,
            "at": worse,
        }
        states = {(one["what"], one["subject"]): one for one in data["states"]}
        assert states["protocol", "TLSv1.0"] == {
            "address": None,
            "what": "protocol",
            "subject": "TLSv1.0",
            "value": True,
            "since": worse,
        }
        assert states["protocol", "TLSv1.2"]["since"] == NOW.isoformat().replace("+00:00", "Z")
        assert states["cipher_suites", "TLSv1.0"]["value"] == [CBC_RSA]
        assert data["known_since"] == NOW.isoformat().replace("+00:00", "Z")
        assert data["next_cursor"] is None

    asking(steps)


def test_pages_of_the_history_have_each_change_once_the_newest_first() -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api, "a")
        await worsens(api, "b")
        await worsens(api, "a")
        complete = (await api.get("/targets/a/history"))["changes"]
        found: list[Any] = []
        query: list[tuple[str, object]] = [("limit", 2)]
        while True:
            data = await api.get("/targets/a/history", *query)
            found += data["changes"]
            if data["next_cursor"] is None:
                break
            query = [("limit", 2), ("cursor", data["next_cursor"])]
        assert found == complete
        assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)
        assert {one["target"] for one in found} == {"a"}

    asking(steps)


def test_before_the_first_scan_there_is_no_state_and_no_change() -> None:
    async def steps(api: FleetApi) -> None:
        data = await api.get("/targets/a/history")
        assert (data["states"], data["changes"]) == ([], [])

    asking(steps)


def test_a_poller_gets_each_change_once() -> None:
    """Also when a page is empty, changes come at once, and the clock is set back."""

    async def steps(api: FleetApi) -> None:
        data = await api.get("/changes", ("since", NOW.timestamp()))
        assert (data["changes"], data["more"]) == ([], False)
        found: list[Any] = []
        for round_ in range(4):
            if round_ < 3:
                await worsens(api, "a" if round_ % 2 else "b")
            if round_ == 1:
                api.fleet.later(hours=-3)
            while True:
                data = await api.get("/changes", ("cursor", data["next_cursor"]), ("limit", 2))
                found += data["changes"]
                if not data["more"]:
                    break
        complete = await api.get("/changes", ("limit", 1000))
        assert found == complete["changes"]
        assert len(found) > 6
        assert len({str(one) for one in found}) == len(found)

    asking(steps)


FILTERS: list[tuple[list[tuple[str, str]], set[str]]] = [
    ([("match[]", '{team="web"}')], {"a"}),
    ([("match[]", '{team="web"}'), ("match[]", '{target="b"}')], {"a", "b"}),
    ([("what", "protocol")], {"a", "b"}),
    ([("what", "certificate")], set()),
    ([("check", "protocols"), ("verdict", "fail"), ("policy", CHECKLIST)], {"a", "b"}),
    ([("check", "protocols"), ("verdict", "pass")], set()),
    ([("check", "hsts")], set()),
    ([("policy", "other")], set()),
    ([("verdict", "fail"), ("what", "protocol")], set()),
    ([("since", "2026-11-22T13:00:00Z")], {"a", "b"}),
    ([("since", "2026-11-22T13:00:01+00:00")], {"b"}),
    ([("since", "2026-11-22T23:00:00.5+09:00")], set()),
]


@pytest.mark.parametrize(("query", "targets"), FILTERS)
def test_a_change_is_reported_if_it_meets_every_filter(query: list[tuple[str, object]], targets: set[str]) -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api, "a")
        await worsens(api, "b")
        data = await api.get("/changes", *query)
        assert {one["target"] for one in data["changes"]} == targets
        if ("what", "protocol") in query and len(query) == 1:
            assert whats(data) == {("a", "protocol", "TLSv1.0"), ("b", "protocol", "TLSv1.0")}

    asking(steps)


def test_of_a_target_that_is_gone_its_name_is_known() -> None:
    async def steps(api: FleetApi) -> None:
        await worsens(api, "a")
        api.fleet.apply()
        assert (await api.get("/changes", ("match[]", '{target="a"}')))["changes"]
        assert (await api.get("/changes", ("match[]", '{team="web"}')))["changes"] == []
        assert (await api.error("/targets/a/history"))[0] == 404

    asking(steps)


def test_what_time_alone_changes_is_a_change() -> None:
    async def steps(api: FleetApi) -> None:
        await api.fleet.saw("a", good_facts(api.fleet.now))
        api.fleet.later(days=3)
        api.fleet.publisher.judge_again("a")
        data = await api.get("/changes", ("what", "grade"))
        (one,) = data["changes"]
        assert one["before"] is not None
        assert one["after"] is None

    asking(steps)


def test_a_history_that_cannot_be_read_is_unavailable_and_not_empty() -> None:
    async def run() -> None:
        fleet = KnownFleet(make_target(name="a"))
        fleet.store.keep_log(None)
        async with served(fleet) as api:
            for path in ("/changes", "/targets/a/history"):
                assert await api.error(path) == (503, "unavailable", "the history cannot be read now")

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/changes", "/targets/a/history"])
@pytest.mark.parametrize("values", [300, 2 * MOST_VALUES])
def test_a_page_ends_after_so_many_values_and_the_next_one_goes_on(path: str, values: int) -> None:
    async def steps(api: FleetApi) -> None:
        log, number = MemoryLog("abc", NOW), 2 * MOST_VALUES // 300
        api.fleet.store.keep_log(log)
        key = StateKey(What.CERTIFICATE, "")
        before, after = [{"issuer": "x", "key": "y"}] * (values // 4), ["s"] * (values // 2)
        log.add([StateChange("a", f"192.0.2.{n}", key, before, after, NOW) for n in range(number)])
        seen: list[str] = []
        query: list[tuple[str, object]] = [("limit", 1000)]
        for _ in range(number):
            data = await api.get(path, *query)
            page = [one["address"] for one in data["changes"]]
            assert len(page) <= max(1, MOST_VALUES // values + 1)
            seen += page
            query = [("limit", 1000), ("cursor", data["next_cursor"])]
            if not data.get("more", data["next_cursor"]):
                break
        ordered = [f"192.0.2.{n}" for n in range(number)]
        assert seen == (ordered if path == "/changes" else ordered[::-1])

    asking(steps)
