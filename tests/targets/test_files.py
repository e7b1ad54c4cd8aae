"""file_sd_configs: which files are read, when changes are used, and what stays when a file is broken."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Config
from exporter.config.discovery import FileSource
from exporter.config.values import Surroundings
from exporter.errors import ConfigError
from exporter.files import Mark, View
from exporter.policies import read_config
from exporter.targets import files
from exporter.targets.discovery import Discovery
from exporter.targets.files import WatchedFiles, make_source
from exporter.targets.lists import Lists
from exporter.targets.sources import DatedSource, ResumedSource
from tests.support.sources import Pauses, RememberingSink, following

REFRESH_ROUNDS = 150
"""5 minutes of looks."""

Steps = Callable[[RememberingSink, Pauses], Coroutine[Any, Any, None]]


def _settings(*patterns: Path | str) -> FileSource:
    """As read from a file of this folder."""
    around = Surroundings(Path(patterns[0]).parent, lambda _policy: None)
    names = [Path(pattern).name if Path(pattern).parent == around.folder else str(pattern) for pattern in patterns]
    return FileSource.model_validate({"files": names}, context=around)


def _follow(steps: Steps, *patterns: Path | str) -> None:
    """Run the source of these files, and the steps of the test next to it."""

    async def run() -> None:
        pauses = Pauses()
        source = WatchedFiles(_settings(*patterns), pauses)
        async with following(source, pauses) as sink:
            await steps(sink, pauses)

    asyncio.run(run())


def _write(path: Path, *targets: str) -> None:
    """Replace the file at once, as configuration management does."""
    text = "".join(f"- targets: [{target}]\n" for target in targets)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text if path.suffix != ".json" else json.dumps([{"targets": targets}]))
    new.rename(path)


def test_files_are_read_at_once_in_the_order_of_their_patterns(tmp_path: Path) -> None:
    _write(tmp_path / "b.yml", "b")
    _write(tmp_path / "a.yaml", "a")
    _write(tmp_path / "c.json", "c", "d")

    async def steps(sink: RememberingSink, _pauses: Pauses) -> None:
        assert sink.addresses == ["c", "d", "a", "b"]
        assert sink.groups is not None
        (c, a, b) = (str(tmp_path / name) for name in ("c.json", "a.yaml", "b.yml"))
        assert [group.source for group in sink.groups] == [f"{c}:0", f"{a}:0", f"{b}:0"]
        assert [group.labels["__meta_filepath"] for group in sink.groups] == [c, a, b]

    _follow(steps, tmp_path / "*.json", tmp_path / "a.yaml", tmp_path / "*.yml", tmp_path / "b.yml")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.yml", ["one", "two", "hidden"]),
        ("o*.yml", ["one"]),
        ("?ne.yml", ["one"]),
        ("[ot]*.yml", ["one", "two"]),
        ("[^ot]*.yml", ["hidden"]),
        ("one.yml", ["one"]),
        ("three.yml", []),
        ("*.json", []),
        ("missing/*.yml", []),
        ("one.yml/*.yml", []),
    ],
)
def test_a_pattern_is_for_names_in_one_folder(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    (tmp_path / "below").mkdir()
    for name, target in {"one": "one", "two": "two", ".hidden": "hidden", "below/three": "three"}.items():
        _write(tmp_path / f"{name}.yml", target)

    async def steps(sink: RememberingSink, _pauses: Pauses) -> None:
        assert sorted(sink.addresses) == sorted(expected)
        assert sink.errors == []

    _follow(steps, f"{tmp_path}/{pattern}")


def test_characters_of_patterns_in_the_folder_are_only_characters(tmp_path: Path) -> None:
    folder = tmp_path / "[a]?"
    folder.mkdir()
    _write(folder / "t.yml", "a")

    async def steps(sink: RememberingSink, _pauses: Pauses) -> None:
        assert sink.addresses == ["a"]

    _follow(steps, folder / "*.yml")


def test_a_change_is_used_once_two_looks_have_seen_it(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    _write(file, "a")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        await pauses.round(5)
        assert (sink.addresses, sink.lists) == (["a"], 1)
        _write(file, "a", "b")
        await pauses.round()
        assert sink.addresses == ["a"]
        await pauses.round()
        assert (sink.addresses, sink.lists) == (["a", "b"], 2)
        await pauses.round(5)
        assert (sink.lists, sink.errors) == (2, [])
        assert set(pauses.seconds) == {2}

    _follow(steps, file)


def test_a_file_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    """Half of a list of YAML is a list of YAML."""
    file = tmp_path / "t.yml"
    _write(file, "a", "b", "c")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        with file.open("w") as writing:
            for target in "abcd":
                writing.write(f"- targets: [{target}]\n")
                writing.flush()
                await pauses.round()
                assert sink.addresses == ["a", "b", "c"]
        await pauses.round()
        assert sink.addresses == ["a", "b", "c", "d"]
        assert sink.errors == []

    _follow(steps, file)


def test_a_file_that_is_written_all_the_time_is_an_error_at_the_refresh(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    _write(file, "a")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        for count in range(REFRESH_ROUNDS + 20):
            _write(file, *"b" * (count % 7 + 1))
            await pauses.round()
        assert sink.addresses == ["a"]
        assert sink.errors == ["the files change all the time, so they are not read"]

    _follow(steps, file)


def test_a_change_when_a_refresh_is_due_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    _write(file, "a")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        await pauses.round(REFRESH_ROUNDS - 1)
        _write(file, "b")
        await pauses.round(2)
        assert (sink.addresses, sink.errors) == (["b"], [])

    _follow(steps, file)


def test_a_change_while_files_are_read_is_not_half_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "t.yml"
    _write(file, "a")
    original = View.read_again
    changes = iter([("a", "b")])

    def read_again(view: View, path: str) -> Any:  # noqa: ANN401 - as of View
        content = original(view, path)
        for targets in changes:
            _write(file, *targets)
        return content

    monkeypatch.setattr(View, "read_again", read_again)

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        assert sink.groups is None
        await pauses.round(2)
        assert sink.addresses == ["a", "b"]

    _follow(steps, file)


def test_a_broken_file_keeps_its_last_groups_and_others_are_used(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    _write(one, "a")
    _write(two, "b")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        one.write_text("- targets: [a]\n- targets: [hal")
        _write(two, "b", "c")
        await pauses.round(2)
        assert sink.addresses == ["a", "b", "c"]
        (error,) = sink.new_errors()
        assert error.startswith(f"{one}:3:1: not valid YAML")
        await pauses.round(5)
        assert sink.new_errors() == []  # not with each look
        _write(two, "b")
        await pauses.round(2)
        assert sink.addresses == ["a", "b"]
        assert len(sink.new_errors()) == 1  # `failed` is said with each list that lacks something
        _write(one, "d")
        await pauses.round(2)
        assert (sink.addresses, sink.errors) == (["d", "b"], [])

    _follow(steps, tmp_path / "*.yml")


@pytest.mark.parametrize("broken", ["folder", "fifo", "link", "latin-1", "huge"])
def test_what_is_not_a_list_is_an_error_and_the_groups_stay(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "t.yml"
    _write(file, "a")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        file.unlink()
        match broken:
            case "folder":
                file.mkdir()
            case "fifo":
                os.mkfifo(file)
            case "link":
                file.symlink_to("nowhere")
            case "latin-1":
                file.write_bytes(b"- targets: [\xe9]")
            case _:
                with file.open("wb") as sparse:
                    sparse.truncate(16 * 2**20 + 1)
        await pauses.round(2)
        assert sink.addresses == ["a"]
        assert len(sink.new_errors()) == 1
        await pauses.round(REFRESH_ROUNDS)
        assert len(sink.new_errors()) == 1  # once more with the refresh

    _follow(steps, tmp_path / "*.yml")


def test_a_file_that_vanishes_takes_its_targets_with_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    _write(one, "a")
    _write(two, "b")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        one.unlink()
        await pauses.round(2)
        assert (sink.addresses, sink.errors) == (["b"], [])
        two.unlink()
        await pauses.round(2)
        assert (sink.addresses, sink.errors) == ([], [])
        _write(one, "c")
        await pauses.round(2)
        assert sink.addresses == ["c"]

    _follow(steps, one, two)


def test_the_swap_of_a_configmap_is_a_change(tmp_path: Path) -> None:
    for version in "12":
        (tmp_path / f"..{version}").mkdir()
        _write(tmp_path / f"..{version}" / "t.yml", version)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "t.yml").symlink_to("..data/t.yml")

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        assert sink.addresses == ["1"]
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await pauses.round(2)
        assert sink.addresses == ["2"]

    _follow(steps, tmp_path / "*.yml")


def test_a_change_that_leaves_no_mark_is_seen_with_the_refresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a file is written twice within the resolution of the file system's clock."""
    file = tmp_path / "t.yml"
    _write(file, "a")
    monkeypatch.setattr(View, "mark", lambda _self, _path: Mark(1, 2, 3, 4, 5))

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        _write(file, "b")
        await pauses.round(REFRESH_ROUNDS - 1)
        assert sink.addresses == ["a"]
        await pauses.round()
        assert sink.addresses == ["b"]

    _follow(steps, file)


def test_a_folder_that_cannot_be_listed_keeps_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _write(tmp_path / name / "t.yml", name)
    original = View.names

    def names(view: View, folder: str) -> list[str]:
        if folder.endswith("one"):
            raise PermissionError(13, "Permission denied")
        return original(view, folder)

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        monkeypatch.setattr(View, "names", names)
        _write(tmp_path / "two" / "t.yml", "three")
        await pauses.round(2)
        assert sink.addresses == ["one", "three"]
        assert sink.new_errors() == [f"{tmp_path}/one: cannot be listed: Permission denied"]
        monkeypatch.undo()
        await pauses.round(2)
        assert (sink.addresses, sink.errors) == (["one", "three"], [])

    patterns = (tmp_path / "one" / "*.yml", tmp_path / "two" / "*.yml")
    _follow(steps, *patterns)

    async def restart() -> None:
        pauses = Pauses()
        async with following(WatchedFiles(_settings(*patterns), pauses), pauses) as before:
            assert before.groups is not None
        monkeypatch.setattr(View, "names", names)
        source = WatchedFiles(_settings(*patterns), pauses)
        source.resume(before.groups)
        async with following(source, pauses) as sink:
            assert sink.addresses == ["one", "three"]
            assert len(sink.errors) == 1

    asyncio.run(restart())


def test_a_file_that_is_broken_at_the_start_keeps_what_was_found_before(tmp_path: Path) -> None:
    for name in "abc":
        _write(tmp_path / f"{name}.yml", f"{name}1", f"{name}2")

    async def run() -> None:
        pauses = Pauses()
        async with following(WatchedFiles(_settings(tmp_path / "*.yml"), pauses), pauses) as before:
            assert before.groups is not None
        (tmp_path / "a.yml").write_text("- targets: [")
        (tmp_path / "c.yml").unlink()
        _write(tmp_path / "b.yml", "b3")
        source = WatchedFiles(_settings(tmp_path / "*.yml"), pauses)
        assert isinstance(source, ResumedSource)
        source.resume(before.groups)
        async with following(source, pauses) as sink:
            assert sink.addresses == ["a1", "a2", "b3"]
            assert len(sink.errors) == 1

    asyncio.run(run())


def test_a_list_with_a_broken_file_is_complete_after_a_restart(tmp_path: Path) -> None:
    for name in "ab":
        _write(tmp_path / f"{name}.yml", name)
    config = Config.model_validate({"file_sd_configs": [{"files": [str(tmp_path / "*.yml")]}]})

    async def start() -> list[str]:
        discovery = Discovery(lambda: datetime(2026, 11, 30, tzinfo=UTC))
        discovery.keep_in(Lists(tmp_path))
        staged = discovery.stage(config)
        await staged.answered(timedelta(hours=1))
        discovery.use(staged)
        (groups,) = discovery.groups.values()
        await discovery.stop(timedelta(hours=1))
        return [target["__address__"] for group in groups for target in group.targets]

    assert asyncio.run(start()) == ["a", "b"]
    (tmp_path / "a.yml").write_text("- targets: [")
    _write(tmp_path / "b.yml", "c")
    assert asyncio.run(start()) == ["a", "c"]


def test_when_files_in_use_were_written_is_known(tmp_path: Path) -> None:
    for name in "ab":
        _write(tmp_path / f"{name}.yml", name)
        os.utime(tmp_path / f"{name}.yml", (1_700_000_000, 1_700_000_000.5))

    async def run() -> None:
        pauses = Pauses()
        source = WatchedFiles(_settings(tmp_path / "*.yml"), pauses)
        assert isinstance(source, DatedSource)
        async with following(source, pauses):
            assert source.modified() == {str(tmp_path / f"{name}.yml"): 1_700_000_000.5 for name in "ab"}
            (tmp_path / "a.yml").write_text("]")
            await pauses.round(2)
            assert source.modified() == {str(tmp_path / "b.yml"): 1_700_000_000.5}

    asyncio.run(run())


def test_a_message_names_few_of_many_files(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.yml").write_text("x")

    async def steps(sink: RememberingSink, _pauses: Pauses) -> None:
        assert sink.groups is None  # that there are no targets is not known
        (error,) = sink.errors
        assert error.count("not a list of groups") == 3
        assert error.endswith("(and 6 more)")

    _follow(steps, tmp_path / "*.yml")


def test_the_number_of_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 2)
    for name in "abc":
        _write(tmp_path / f"{name}.yml", name)

    async def steps(sink: RememberingSink, _pauses: Pauses) -> None:
        assert sink.addresses == ["a", "b"]
        assert sink.errors == ["3 files fit; only the first 2 are read"]

    _follow(steps, tmp_path / "*.yml")


def test_storage_that_hangs_stops_nobody_and_the_groups_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, answers = tmp_path / "t.yml", threading.Event()
    _write(file, "a")
    original = os.stat
    hangs = False

    def stat(path: Any, **options: Any) -> os.stat_result:  # noqa: ANN401 - as os.stat
        if hangs and path == str(file):
            assert answers.wait(60)
        return original(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(files, "READ_WITHIN", files.READ_WITHIN / 100)

    async def steps(sink: RememberingSink, pauses: Pauses) -> None:
        nonlocal hangs
        hangs = True
        await pauses.round(8)
        assert sink.addresses == ["a"]
        first, second = sink.new_errors()  # not with each look
        assert first == f"reading {file} took longer than 0.1 s"
        assert second == f"2 earlier reads have not ended; the storage does not answer: {file}"
        hangs = False
        answers.set()
        for _ in range(100):  # until the thread has returned
            await pauses.round()
            if sink.lists == 2:
                break
            await asyncio.sleep(0.01)
        assert (sink.lists, sink.addresses) == (2, ["a"])  # so it is known that the list is good

    try:
        _follow(steps, file)
    finally:
        answers.set()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("targets/*.yml", None),
        ("*.JSON", None),
        ("/etc/x/a*b.yaml", None),
        ("targets.txt", "ends in .json"),
        ("*/targets.yml", "with * after the last /"),
        ("*.yml.*", "ends in .json"),
        ("a*b*.yml", None),
        ("[ab]/t.yml", "only what follows the last / is a pattern"),
        ("http://user:hunter2@x.test/t.yml", "is not a path"),
    ],
)
def test_paths_are_checked_when_the_configuration_is_read(tmp_path: Path, path: str, problem: str | None) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"file_sd_configs: [{{files: ['{path}']}}]\n")
    if problem is None:
        assert read_config(file).file_sd_configs[0].files == [str(tmp_path / path)]
        return
    with pytest.raises(ConfigError, match=r"file_sd_configs\.0\.files\.0") as caught:
        read_config(file)
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_source_is_made_of_its_settings() -> None:
    assert isinstance(make_source(FileSource(files=["t.yml"]), Config()), WatchedFiles)
