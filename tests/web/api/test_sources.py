"""Sources of targets: what is known of each, nothing of what is not known, and no secrets."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from exporter.config.discovery import FileSource
from exporter.targets.discovered import Rejected, TargetList
from exporter.targets.discovery import SourceState
from exporter.targets.groups import Group
from tests.support.known_fleet import FleetApi, KnownFleet, served
from tests.support.targets import NOW, make_target

FILES, URL = "file_sd_configs.0", "http_sd_configs.0"


def asking(steps: Callable[[FleetApi], Awaitable[None]]) -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a"), make_target(name="b"))) as api:
            await steps(api)

    asyncio.run(run())


def state(place: str, *addresses: str) -> SourceState:
    groups = (Group("x", tuple({"__address__": one} for one in addresses)),)
    return SourceState(place, FileSource(files=["x.yaml"]), groups if addresses else None)


def test_a_source_that_has_not_answered_is_null_in_all_parts() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.sources = [state(FILES)]
        unknown = dict.fromkeys(("up", "error", "targets", "refreshed_at", "outcomes"))
        assert await api.get("/sources") == {"sources": [{"place": FILES, **unknown, "rejected": []}]}

    asking(steps)


def test_each_source_has_its_state_and_what_became_of_its_targets() -> None:
    async def steps(api: FleetApi) -> None:
        good, bad = state(FILES, "a:443", "b:443", "c:443", "x y"), state(URL, "a:443")
        good.answered.set()
        good.refreshed_at = NOW
        bad.answered.set()
        bad.error = "the server answers 500"
        api.fleet.sources = [good, bad]
        outcomes = {"used": 1, "merged": 1, "dropped": 1, "rejected": 1}
        rejected = Rejected(FILES, {"__address__": "x y"}, "'x y' is not a target")
        api.fleet.listing = TargetList((), {"a": (FILES, URL)}, {FILES: outcomes}, (rejected,))
        [first, second] = (await api.get("/sources"))["sources"]
        assert first == {
            "place": FILES,
            "up": True,
            "error": None,
            "targets": 4,
            "refreshed_at": NOW.isoformat().replace("+00:00", "Z"),
            "outcomes": outcomes,
            "rejected": [{"address": "x y", "reason": "'x y' is not a target"}],
        }
        assert (second["up"], second["error"]) == (False, "the server answers 500")
        assert (second["targets"], second["outcomes"], second["rejected"]) == (1, None, [])
        targets = (await api.get("/targets"))["targets"]
        assert [one["found_in"] for one in targets] == [[FILES, URL], []]

    asking(steps)


def test_rejected_targets_show_neither_secrets_nor_control_characters() -> None:
    async def steps(api: FleetApi) -> None:
        api.fleet.sources = [state(FILES, "x")]
        labels = (
            {"__address__": "https://user:hidden@host/?token=hidden", "__meta_url": "hidden", "password": "hidden"},
            {"__host__": "\x1b]"},
            {"__address__": "\u202e\x9b" + "x" * 10_000},
        )
        rejected = tuple(Rejected(FILES, one, "a\x00\u2028b") for one in labels)
        api.fleet.listing = TargetList((), {}, {}, rejected)
        answer = await api.ask("/api/v1/sources")
        assert "hidden" not in answer.body.decode()
        assert answer.body.decode().isprintable()
        assert len(answer.body) < 2000
        [source] = json.loads(answer.body)["data"]["sources"]
        assert [one["reason"] for one in source["rejected"]] == ["a\x00\u2028b"] * 3
        assert source["rejected"][1]["address"] is None

    asking(steps)
