"""What is written is there after any end, and trouble with the disk stops nothing."""

import asyncio
import errno
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ExporterError
from exporter.store import tables
from exporter.store.changelog import ALWAYS, LogQuery
from exporter.store.database import FILE_NAME, Database, StoreError
from exporter.store.history import StateChange, StateKey, What
from exporter.store.saved import Record, Saved
from tests.support.targets import NOW

WITHIN = timedelta(seconds=60)
RETENTION = timedelta(days=400)
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)


def saved(text: str = "x", **changes: Any) -> Saved:  # noqa: ANN401 - any field of Saved
    records = (Record("10.0.0.1", text.encode(), b"s"), Record("10.0.0.0", b"", b""))
    return replace(Saved("key", NOW, 0, records), **changes)


def change(target: str = "a", age: timedelta = timedelta(0)) -> StateChange:
    return StateChange(target, None, StateKey(What.GRADE), "A", None, NOW - age)


class Kept:
    """A folder for databases.

    Attributes:
        errors: that were reported.
        everything: what is in memory.
        now: the system's clock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.path = self.folder / FILE_NAME
        self.errors: list[StoreError] = []
        self.everything: dict[str, Saved] = {}
        self.now = NOW

    def make(self) -> Database:
        return Database(
            self.folder, RETENTION, now=lambda: self.now, failed=self.errors.append, everything=lambda: self.everything
        )

    @contextmanager
    def open(self) -> Iterator[tuple[Database, dict[str, Saved]]]:
        database = self.make()
        found = database.open()
        try:
            yield database, found
        finally:
            assert database.close(WITHIN)

    def content(self) -> dict[str, Saved]:
        with self.open() as (_, found):
            return found


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_latest_of_each_target_is_there_after_a_restart(kept: Kept) -> None:
    with kept.open() as (database, found):
        assert found == {}
        database.put("a", saved("old"))
        database.put("a", saved("new", failures=3))
        database.put("b", saved())
        database.put("c", saved())
        database.put("c", None)
    assert kept.content() == {"a": saved("new", failures=3), "b": saved()}
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.errors == []


def test_what_was_waited_for_is_there_although_the_program_was_killed(kept: Kept, tmp_path: Path) -> None:
    """A copy of the files is what a new process would find."""

    async def run() -> None:
        with kept.open() as (database, _):
            database.put("a", saved())
            await database.written()
            shutil.copytree(kept.folder, tmp_path / "copy")

    asyncio.run(run())
    other = tables.Tables(tmp_path / "copy" / FILE_NAME)
    assert other.latest() == {"a": saved()}
    other.close()


async def newest(
    database: Database, since: datetime = ALWAYS, target: str | None = None, limit: int = 1000
) -> list[StateChange]:
    part = await database.read_log(LogQuery(since=since, target=target, backwards=True, limit=limit))
    assert part is not None
    return [one.change for one in part.found]


def test_changes_are_read_by_target_and_time_the_newest_first(kept: Kept) -> None:
    old, older = change(age=timedelta(hours=1)), change("b", timedelta(days=2))

    async def run() -> None:
        with kept.open() as (database, _):
            database.put("b", saved(), [older])
            database.put("a", saved(), [old, change()])
            await database.written()
            assert await newest(database, NOW - timedelta(days=9)) == [change(), old, older]
            assert await newest(database, NOW - timedelta(days=9), "a") == [change(), old]
            assert await newest(database, NOW - timedelta(days=1), limit=1) == [change()]

    asyncio.run(run())


def started(kept: Kept, now: datetime) -> list[StateChange]:
    """The changes that a daemon keeps that starts now, scans target `b`, and ends."""

    async def run() -> list[StateChange]:
        kept.now = now
        with kept.open() as (database, _):
            database.put("b", saved())
            await database.written()
            return await newest(database)

    return asyncio.run(run())


def test_what_is_older_than_the_retention_is_deleted_each_day(kept: Kept) -> None:
    old, young = change(age=RETENTION - HOUR), change()
    with kept.open() as (database, _):
        database.put("a", saved(), [old, young])
    assert started(kept, NOW + 23 * HOUR) == [young, old]
    assert started(kept, NOW + DAY) == [young]
    with sqlite3.connect(kept.path) as connection:
        connection.execute("UPDATE targets SET saved_at = 0 WHERE name = 'a'")
    connection.close()
    assert set(kept.content()) == {"a", "b"}
    started(kept, NOW + 2 * DAY)
    assert kept.content() == {"b": saved()}


def test_a_target_in_use_is_not_deleted_however_rarely_it_is_scanned(kept: Kept) -> None:
    with kept.open() as (database, _):
        database.put("a", saved())
        database.put("gone", saved())
    kept.everything = {"a": saved()}
    execute(kept.path, "UPDATE targets SET saved_at = 0")
    started(kept, NOW + DAY)
    assert set(kept.content()) == {"a", "b"}


@pytest.mark.parametrize("leap", [YEAR, -YEAR, 20 * YEAR])
def test_a_clock_that_is_wrong_for_less_than_a_day_deletes_nothing(kept: Kept, leap: timedelta) -> None:
    """However often the daemon starts meanwhile."""
    seen = change()
    with kept.open() as (database, _):
        database.put("a", saved(), [seen])
    for hours in (1, 2, 24):
        assert started(kept, NOW + leap + hours * HOUR) == [seen]
    for hours in (25, 26, 49):
        assert started(kept, NOW + hours * HOUR) == [seen]
    assert set(kept.content()) == {"a", "b"}


def test_after_a_long_pause_what_is_old_is_deleted_a_day_later(kept: Kept) -> None:
    with kept.open() as (database, _):
        database.put("a", saved(), [change()])
    assert started(kept, NOW + 2 * YEAR) == [change()]
    assert started(kept, NOW + 2 * YEAR + DAY) == []


def test_what_cannot_be_cleaned_is_written_once(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def clean(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(tables.Tables, "clean", clean)
    with kept.open() as (database, _):
        database.put("a", saved(), [change()])
    assert started(kept, NOW) == [change()]
    assert set(kept.errors) == {StoreError.WRITE}


def test_the_newest_change_is_the_last_one_although_the_clock_was_ahead(kept: Kept) -> None:
    ahead, after = change(age=-YEAR), change(age=-HOUR)
    with kept.open() as (database, _):
        database.put("a", saved(), [change()])
        database.put("a", saved(), [ahead])
        database.put("a", saved(), [after])
    assert started(kept, NOW) == [after, ahead, change()]


def execute(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def damage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def damage_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    path.write_bytes(data)


def make_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {tables.VERSION + 1}")
    connection.close()


def drop_a_table(path: Path) -> None:
    execute(path, "DROP TABLE latest")


def reset_the_version(path: Path) -> None:
    execute(path, "PRAGMA user_version = 0")


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (damage, StoreError.DAMAGED),
        (damage_pages, StoreError.DAMAGED),
        (drop_a_table, StoreError.DAMAGED),
        (reset_the_version, StoreError.DAMAGED),
        (make_newer, StoreError.NEWER),
    ],
)
def test_a_file_that_cannot_be_used_is_set_aside_as_it_is(kept: Kept, harm: Any, error: StoreError) -> None:  # noqa: ANN401
    with kept.open() as (database, _):
        database.put("a", saved())
    harm(kept.path)
    before = kept.path.read_bytes()
    with kept.open() as (database, found):
        assert found == {}
        database.put("b", saved())
    assert kept.content() == {"b": saved()}
    assert kept.errors == [error]
    (aside,) = (one for one in kept.folder.glob(f"{FILE_NAME}.{error}-*") if one.suffix not in {"-wal", "-shm"})
    assert aside.read_bytes() == before


def test_files_that_are_set_aside_in_the_same_second_do_not_replace_each_other(kept: Kept) -> None:
    for number in range(3):
        kept.folder.mkdir(exist_ok=True)
        kept.path.write_bytes(b"not a database %d" % number * 1000)
        with kept.open():
            pass
    asides = [one for one in kept.folder.glob(f"{FILE_NAME}.damaged-*") if not one.name.endswith(("-wal", "-shm"))]
    assert len({one.read_bytes() for one in asides}) == 3


def test_a_file_that_is_damaged_later_is_replaced_with_everything(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    write, broken = tables.Tables.write, threading.Event()

    def damaged(self: tables.Tables, *arguments: Any) -> None:  # noqa: ANN401
        if not broken.is_set():
            broken.set()
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        write(self, *arguments)

    monkeypatch.setattr(tables.Tables, "write", damaged)
    monkeypatch.setattr("exporter.store.database._RETRY_SECONDS", 0.01)
    kept.everything = {"a": saved("kept"), "b": saved("new")}

    async def run() -> None:
        with kept.open() as (database, _):
            database.put("b", saved("new"))
            while database.pending:
                await asyncio.sleep(0.01)

    asyncio.run(run())
    assert kept.content() == kept.everything
    assert kept.errors == [StoreError.WRITE, StoreError.DAMAGED]


@pytest.mark.parametrize(
    "damaged",
    [
        "UPDATE targets SET begun_at = 1e300 WHERE name = 'a'",
        "UPDATE targets SET begun_at = 'soon' WHERE name = 'a'",
        "UPDATE targets SET failures = 'many' WHERE name = 'a'",
        "UPDATE latest SET seen = 'text' WHERE target = 'a'",
        "UPDATE latest SET states = 1 WHERE target = 'a'",
    ],
)
def test_a_damaged_row_costs_its_target_only(kept: Kept, damaged: str) -> None:
    with kept.open() as (database, _):
        database.put("a", saved())
        database.put("b", saved())
    execute(kept.path, damaged)
    assert kept.content() == {"b": saved()}
    assert kept.errors == [StoreError.RECORD]
    with kept.open() as (database, _):
        database.put("a", saved("new"))
    assert kept.content() == {"a": saved("new"), "b": saved()}


def test_text_that_is_damaged_leaves_the_rest_readable(kept: Kept) -> None:
    with kept.open() as (database, _):
        database.put("a", saved())
        database.put("b", saved())
    execute(kept.path, "UPDATE targets SET service = CAST(x'ff' AS TEXT) WHERE name = 'a'")
    assert kept.content() == {"a": saved(service="\ufffd"), "b": saved()}


@contextmanager
def full_disk(used: int) -> Iterator[None]:
    """No file of this process gets longer than this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (used, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_damage_of_the_history_keeps_the_latest(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found when the history is used. A start does not read all of it."""
    monkeypatch.setattr("exporter.store.database._RETRY_SECONDS", 0.01)
    with kept.open() as (database, _):
        database.put("a", saved(), [change(age=timedelta(seconds=number)) for number in range(500)])
    with sqlite3.connect(kept.path) as connection:
        roots = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'changes'"
        pages = [number for (number,) in connection.execute(roots)]
    connection.close()
    with kept.path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)

    async def run() -> None:
        with kept.open() as (database, found):
            kept.everything = {**found, "b": saved()}
            assert found == {"a": saved()}
            database.put("b", saved(), [change()])
            while database.pending:
                await asyncio.sleep(0.01)
            assert await newest(database, NOW) == [change()]

    asyncio.run(run())
    assert kept.content() == {"a": saved(), "b": saved()}
    assert kept.errors == [StoreError.WRITE, StoreError.DAMAGED]


def test_a_disk_that_was_full_has_everything_later(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it meanwhile."""
    monkeypatch.setattr("exporter.store.database._RETRY_SECONDS", 0.01)
    targets = {f"t{number}": saved("x" * 5000 + str(number)) for number in range(40)}

    async def run() -> None:
        with kept.open() as (database, _):
            with full_disk(100_000):
                for name, one in targets.items():
                    database.put(name, one, [change()])
                    await database.written()
                assert database.pending
                assert kept.errors
            while database.pending:
                await asyncio.sleep(0.01)
            assert len(await newest(database, NOW)) == len(targets)

    asyncio.run(run())
    assert kept.content() == targets
    assert set(kept.errors) == {StoreError.WRITE}


def test_a_start_on_a_full_disk_restores_everything(kept: Kept) -> None:
    with kept.open() as (database, _):
        database.put("a", saved())
    with full_disk(0), kept.open() as (_, found):
        assert found == {"a": saved()}
    assert kept.errors == []


def test_a_folder_belongs_to_one_process(kept: Kept) -> None:
    with kept.open(), pytest.raises(ExporterError, match="in use by another process"):
        kept.make().open()


def test_a_file_system_without_locks_is_named(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("exporter.store.database.fcntl.flock", refuse)
    with pytest.raises(ExporterError, match=r"cannot lock .*: No locks available"):
        kept.make().open()


def test_a_file_that_somebody_reads_at_the_start_is_an_error_and_loses_nothing(kept: Kept) -> None:
    with kept.open() as (database, _):
        database.put("a", saved())
    reader = sqlite3.connect(kept.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM targets").fetchall()
    with pytest.raises(ExporterError, match="locked"):
        kept.make().open()
    reader.close()
    assert kept.content() == {"a": saved()}


@pytest.mark.parametrize(("code", "is_full"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_a_file_that_cannot_be_created(kept: Kept, monkeypatch: pytest.MonkeyPatch, code: int, is_full: bool) -> None:
    """A full disk has space later. Missing rights are an error at the start."""
    open_file, blocked = os.open, [True]

    def refuse(path: Any, *arguments: Any) -> int:  # noqa: ANN401
        if blocked and path == kept.path:
            raise OSError(code, os.strerror(code))
        return open_file(path, *arguments)

    monkeypatch.setattr("exporter.store.tables.os.open", refuse)
    if not is_full:
        with pytest.raises(ExporterError, match="cannot be created"):
            kept.make().open()
        return
    with kept.open() as (database, found):
        assert found == {}
        blocked.clear()
        database.put("a", saved())
    assert kept.content() == {"a": saved()}


@pytest.mark.parametrize("blocked", ["data", f"data/{FILE_NAME}"])
def test_a_folder_that_cannot_be_used_is_an_error_at_the_start(kept: Kept, tmp_path: Path, blocked: str) -> None:
    place = tmp_path / blocked
    if blocked == "data":
        place.write_text("a file")
    else:
        place.mkdir(parents=True)
    with pytest.raises(ExporterError, match="cannot"):
        kept.make().open()
