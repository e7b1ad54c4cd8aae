"""Sources: the last good list stays, whatever happens to them."""

import asyncio
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.config import Config
from exporter.targets.discovery import Discovery, SourceState
from exporter.targets.groups import Group
from exporter.targets.lists import Lists
from tests.support.clock import run_in_feigned_time
from tests.support.sources import LedSource, group_of, led_sources

NOW = datetime(2026, 11, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[LedSource]]:
    with led_sources(monkeypatch) as sources:
        yield sources


def configured(*entries: dict[str, object]) -> Config:
    return Config.model_validate({"file_sd_configs": [{"files": ["a.yaml"], **entry} for entry in entries]})


def used(config: Config) -> Discovery:
    discovery = Discovery(lambda: NOW)
    discovery.use(discovery.stage(config))
    return discovery


def addresses(state: SourceState) -> list[str] | None:
    return (
        None if state.groups is None else [target["__address__"] for group in state.groups for target in group.targets]
    )


def test_a_list_is_in_use_when_it_was_found(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({}))
        (state,) = discovery.states
        assert (state.place, state.up, state.count, state.refreshed_at) == ("file_sd_configs.0", None, None, None)
        assert discovery.groups == {}
        made[0].find("a.example", "b.example")
        await made[0].settled()
        assert (state.up, state.count, state.refreshed_at) == (True, 2, NOW)
        assert discovery.changed.is_set()
        discovery.changed.clear()
        made[0].find("a.example", "b.example")
        await made[0].settled()
        assert not discovery.changed.is_set()
        assert discovery.groups == {"file_sd_configs.0": (group_of("a.example", "b.example"),)}

    run_in_feigned_time(run())


@pytest.mark.parametrize(
    ("entry", "found", "error"),
    [
        ({}, None, "no answer"),
        ({}, (), "the list has become empty; set allow_empty: true if that is intended"),
        (
            {"target_limit": 2},
            ("1.example", "2.example", "3.example"),
            "3 targets are more than target_limit, which is 2",
        ),
    ],
)
def test_the_last_good_list_stays(
    made: list[LedSource],
    caplog: pytest.LogCaptureFixture,
    entry: dict[str, object],
    found: tuple[str, ...] | None,
    error: str,
) -> None:
    async def run() -> None:
        discovery = used(configured(entry))
        (state,) = discovery.states
        made[0].find("a.example")
        await made[0].settled()
        discovery.changed.clear()
        for _ in range(3):
            made[0].fail() if found is None else made[0].find(*found)
        await made[0].settled()
        assert (state.up, state.error, addresses(state)) == (False, error, ["a.example"])
        assert not discovery.changed.is_set()
        made[0].find("b.example")
        await made[0].settled()
        assert (state.up, state.error, addresses(state)) == (True, None, ["b.example"])

    with caplog.at_level(logging.INFO):
        run_in_feigned_time(run())
    messages = [record.message for record in caplog.records]
    assert messages == [
        f"file_sd_configs.0 failed: {error}; a list with 1 targets is in use",
        "file_sd_configs.0 can be read again: 1 targets",
    ]


def test_a_list_may_become_empty_where_that_is_allowed(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({"allow_empty": True}))
        made[0].find("a.example")
        made[0].find()
        await made[0].settled()
        (state,) = discovery.states
        assert (state.up, state.count) == (True, 0)

    run_in_feigned_time(run())


def test_a_first_list_may_be_empty(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({}))
        made[0].find()
        await made[0].settled()
        assert (discovery.states[0].up, discovery.states[0].count) == (True, 0)

    run_in_feigned_time(run())


def test_a_source_with_a_defect_is_run_again_and_the_others_go_on(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({}, {}))
        made[0].find("a.example")
        made[0].fail(RuntimeError("defect"))
        made[1].find("b.example")
        await made[1].settled()
        first, second = discovery.states
        assert (first.up, first.error, addresses(first), second.up) == (False, "internal error", ["a.example"], True)
        await asyncio.sleep(120)
        made[0].find("c.example")
        await asyncio.sleep(1)
        assert (first.up, addresses(first)) == (True, ["c.example"])

    run_in_feigned_time(run())


def test_a_reload_leaves_sources_alone_that_have_not_changed(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({}, {"files": ["b.yaml"]}, {"files": ["c.yaml"]}))
        for number, source in enumerate(made):
            source.find(f"{number}.example")
            await source.settled()
        staged = discovery.stage(configured({}, {"files": ["other.yaml"]}))
        assert [run.state.place for run in staged.new] == ["file_sd_configs.1"]
        # until the changed source has answered, what was found in its place before is its list
        assert staged.groups == {
            "file_sd_configs.0": (group_of("0.example"),),
            "file_sd_configs.1": (group_of("1.example"),),
        }
        discovery.use(staged)
        await asyncio.sleep(1)
        assert [source.ended for source in made[:3]] == [False, True, True]
        assert [state.place for state in discovery.states] == ["file_sd_configs.0", "file_sd_configs.1"]
        made[-1].find("new.example")
        await made[-1].settled()
        assert addresses(discovery.states[1]) == ["new.example"]

    run_in_feigned_time(run())


def test_a_configuration_that_is_not_used_ends_only_its_own_sources(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery = used(configured({}))
        staged = discovery.stage(configured({}, {"files": ["b.yaml"]}))
        await asyncio.sleep(1)
        discovery.abandon(staged)
        await asyncio.sleep(1)
        assert [made[0].ended, made[-1].ended] == [False, True]
        made[0].find("a.example")
        await made[0].settled()
        assert discovery.states[0].up

    run_in_feigned_time(run())


def test_new_sources_have_some_time_for_their_first_answer(made: list[LedSource]) -> None:
    async def run() -> None:
        discovery, loop = Discovery(lambda: NOW), asyncio.get_running_loop()
        staged = discovery.stage(configured({}, {}))
        loop.call_later(2, made[0].find, "a.example")
        loop.call_later(3, made[1].fail)
        await staged.answered()
        assert loop.time() == pytest.approx(3, abs=0.5)
        late = discovery.stage(configured({}))
        await late.answered()
        assert loop.time() == pytest.approx(13, abs=1)

    run_in_feigned_time(run())


LABELS = Group("x", ({"__address__": "a.example", "zürich": "\n\u202e"},), {"team": "web"})


def test_lists_are_there_after_a_restart(made: list[LedSource], tmp_path: Path) -> None:
    async def first() -> None:
        discovery = Discovery(lambda: NOW)
        discovery.keep_in(Lists(tmp_path))
        discovery.use(discovery.stage(configured({}, {})))
        for number in range(20):
            made[0].find(*(f"{one}.example" for one in range(number + 1)))
        made[1].find("b.example")
        await made[0].settled()
        await made[1].settled()
        await discovery.stop(MINUTE)

    async def second() -> None:
        discovery = Discovery(lambda: NOW)
        discovery.keep_in(Lists(tmp_path))
        staged = discovery.stage(configured({}))
        discovery.use(staged)
        (state,) = discovery.states
        assert (state.up, state.count, state.refreshed_at) == (None, 20, None)
        assert discovery.changed.is_set()
        made[-1].find()
        await made[-1].settled()
        assert (state.up, state.count) == (False, 20)
        await discovery.stop(MINUTE)

    asyncio.run(first())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "file_sd_configs.0.targets.json",
        "file_sd_configs.1.targets.json",
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    asyncio.run(second())
    assert [path.name for path in tmp_path.iterdir()] == ["file_sd_configs.0.targets.json"]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    lists = Lists(tmp_path)
    assert lists.load("a") is None
    lists.save("a", [LABELS, Group("y")])
    assert lists.load("a") == (LABELS, Group("y"))


def test_a_file_whose_name_is_not_utf_8_is_restored_too(tmp_path: Path) -> None:
    lists, path = Lists(tmp_path), os.fsdecode(b"/targets/\xff.json")
    group = Group(f"{path}:0", ({"__address__": "a.example"},), {"__meta_filepath": path})
    lists.save("a", [group])
    assert lists.load("a") == (group,)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"form":2,"groups":[]}', b'{"form":1,"groups":[[1]]}', b"\xff", b"[" * 100_000],
)
def test_a_damaged_list_is_as_none(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.targets.json").write_bytes(content)
    assert Lists(tmp_path).load("a") is None
    assert "cannot be restored" in caplog.text


def test_a_list_that_cannot_be_written_stays_as_it_was(
    made: list[LedSource], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        discovery = Discovery(lambda: NOW)
        discovery.keep_in(Lists(tmp_path / "missing"))
        discovery.use(discovery.stage(configured({})))
        made[0].find("a.example")
        await made[0].settled()
        async with asyncio.timeout(60):
            while "cannot be stored" not in caplog.text:
                await asyncio.sleep(0.01)
        await discovery.stop(timedelta(0))  # the next try would come a minute later
        assert discovery.states[0].up

    asyncio.run(run())
    assert "the list of file_sd_configs.0 cannot be stored: No such file or directory" in caplog.text


def test_a_source_that_moves_keeps_its_list_and_gives_it_to_no_other(made: list[LedSource], tmp_path: Path) -> None:
    entries: list[dict[str, object]] = [{"files": [f"{name}.yaml"]} for name in "abc"]
    one, two, three = entries

    async def run() -> None:
        discovery = Discovery(lambda: NOW)
        discovery.keep_in(Lists(tmp_path))
        discovery.use(discovery.stage(configured(one, two)))
        made[0].find("a.example")
        made[1].find("b.example")
        for source in made:
            await source.settled()
        discovery.use(discovery.stage(configured(two)))
        assert [(state.place, addresses(state)) for state in discovery.states] == [("file_sd_configs.0", ["b.example"])]
        await asyncio.sleep(0)
        assert (made[0].ended, made[1].ended) == (True, False)
        discovery.use(discovery.stage(configured(three, two, two)))
        assert [addresses(state) for state in discovery.states] == [None, ["b.example"], None]
        assert [state.place for state in discovery.states] == [f"file_sd_configs.{index}" for index in range(3)]
        made[1].find("b2.example")
        await made[1].settled()
        assert addresses(discovery.states[1]) == ["b2.example"]
        await discovery.stop(MINUTE)

    asyncio.run(run())
    assert Lists(tmp_path).load("file_sd_configs.1") == (group_of("b2.example"),)
    assert Lists(tmp_path).load("file_sd_configs.0") is None
