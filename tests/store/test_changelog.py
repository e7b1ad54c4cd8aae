"""Reading what changed in pages: nothing is missed or repeated, whatever happens to clocks, files and memory."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from exporter.store.changelog import LogPart, LogPlace, LogQuery, MemoryLog
from exporter.store.database import FILE_NAME, Database, StoreError
from exporter.store.history import StateChange, StateKey, What
from tests.support.targets import NOW

RETENTION = timedelta(days=400)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def change(number: int, target: str = "a", at: datetime = NOW) -> StateChange:
    return StateChange(target, None, StateKey(What.GRADE), str(number), str(number + 1), at)


class Log:
    """A log in memory or in a file, with the same interface."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.now = NOW
        self.errors: list[StoreError] = []
        self.memory = MemoryLog("1", NOW, 1000)
        self.database: Database | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        if self.folder is None:
            yield
            return
        self.database = Database(
            self.folder, RETENTION, now=lambda: self.now, failed=self.errors.append, everything=dict
        )
        self.database.open()
        try:
            yield
        finally:
            assert self.database.close(timedelta(seconds=60))

    async def add(self, *changes: StateChange) -> None:
        if self.database:
            self.database.put("a", None, changes)
            await self.database.written()
        else:
            self.memory.add(changes)

    async def read(self, query: LogQuery | None = None) -> LogPart:
        query = query or LogQuery()
        part = await self.database.read_log(query) if self.database else self.memory.read(query)
        assert part is not None
        return part


@pytest.fixture(params=["memory", "file"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    return Log(tmp_path if request.param == "file" else None)


def befores(part: LogPart) -> list[int]:
    return [int(one.change.before) for one in part.found]


def after(part: LogPart) -> LogPlace:
    return LogPlace(part.log, part.found[-1].number if part.found else part.last)


def test_pages_forwards_and_backwards_have_each_change_once(log: Log) -> None:
    async def steps() -> None:
        with log.open():
            await log.add(*map(change, range(5)))
            first = await log.read(LogQuery(limit=3))
            second = await log.read(LogQuery(after(first), limit=3))
            assert (befores(first), befores(second), second.last) == ([0, 1, 2], [3, 4], 5)
            last = await log.read(LogQuery(backwards=True, limit=3))
            before = await log.read(LogQuery(after(last), backwards=True, limit=3))
            assert (befores(last), befores(before)) == ([4, 3, 2], [1, 0])

    asyncio.run(steps())


def test_a_clock_that_was_set_back_hides_nothing_from_a_reader(log: Log) -> None:
    async def steps() -> None:
        with log.open():
            await log.add(change(0))
            place = after(await log.read())
            await log.add(change(1, at=NOW - DAY))
            assert befores(await log.read(LogQuery(place))) == [1]
            assert befores(await log.read(LogQuery(since=NOW))) == [0]

    asyncio.run(steps())


def test_targets_and_times_are_filtered_and_the_time_itself_is_included(log: Log) -> None:
    async def steps() -> None:
        with log.open():
            await log.add(change(0, at=NOW - HOUR), change(1, "b"), change(2))
            assert befores(await log.read(LogQuery(since=NOW))) == [1, 2]
            assert befores(await log.read(LogQuery(target="a"))) == [0, 2]
            assert befores(await log.read(LogQuery(target="c"))) == []

    asyncio.run(steps())


def test_the_place_of_another_log_is_its_beginning(log: Log) -> None:
    """What was lost with the other log is lost, and all of this one is new to the reader."""

    async def steps() -> None:
        with log.open():
            await log.add(change(0), change(1))
            assert befores(await log.read(LogQuery(LogPlace("other", 2)))) == [0, 1]

    asyncio.run(steps())


def test_memory_says_from_when_on_it_knows_all() -> None:
    log = MemoryLog("1", NOW - DAY, most=2)
    assert log.read(LogQuery()).known_since == NOW - DAY
    log.add([change(0, at=NOW - HOUR), change(1), change(2)])
    part = log.read(LogQuery())
    assert (befores(part), part.known_since, part.last) == ([1, 2], NOW - HOUR, 3)


def test_places_in_a_file_survive_a_restart(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            await log.add(change(0))
            place = after(await log.read())
        with log.open():
            await log.add(change(1))
            part = await log.read(LogQuery(place))
            assert (befores(part), part.log) == ([1], place.log)

    asyncio.run(steps())


def test_a_file_of_an_earlier_version_knows_changes_since_its_first_one(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            await log.add(change(0, at=NOW - DAY))
        with sqlite3.connect(tmp_path / FILE_NAME) as file:
            file.execute("DROP TABLE log")
        file.close()
        with log.open():
            part = await log.read()
            assert (befores(part), part.known_since) == ([0], NOW - DAY)

    asyncio.run(steps())


def test_a_new_file_knows_changes_since_it_was_made(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            assert (await log.read()).known_since == NOW
        log.now += DAY
        with log.open():
            assert (await log.read()).known_since == NOW

    asyncio.run(steps())


def test_what_the_retention_deletes_is_not_known_and_leads_to_no_numbers_that_were_used(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            await log.add(change(0))
            place = after(await log.read())
        log.now += RETENTION - DAY
        with log.open():
            await log.add()
        log.now += 2 * DAY
        with log.open():
            await log.add()
            part = await log.read()
            assert (befores(part), part.known_since) == ([], log.now - RETENTION)
            await log.add(change(1, at=log.now))
            assert befores(await log.read(LogQuery(place))) == [1], "it has the number of the first one"

    asyncio.run(steps())


def test_a_damaged_change_is_left_out_and_counted(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            await log.add(change(0), change(1), change(2), change(3), change(4))
        with sqlite3.connect(tmp_path / FILE_NAME) as file:
            file.execute("UPDATE changes SET after = '{\"a\": 1}' WHERE rowid = 1")
            file.execute("UPDATE changes SET what = 'weather' WHERE rowid = 2")
            file.execute("UPDATE changes SET at = 'noon' WHERE rowid = 3")
            file.execute("UPDATE changes SET before = 'x' WHERE rowid = 4")
        file.close()
        with log.open():
            assert befores(await log.read()) == [4]
        assert set(log.errors) == {StoreError.RECORD}

    asyncio.run(steps())


def test_a_log_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    log = Log(tmp_path)

    async def steps() -> None:
        with log.open():
            await log.add(change(0))
        with sqlite3.connect(tmp_path / FILE_NAME) as file:
            file.execute("ALTER TABLE log RENAME COLUMN since TO until")
        file.close()
        with log.open():
            assert log.database
            assert await log.database.read_log(LogQuery()) is None
        assert log.errors == [StoreError.READ]

    asyncio.run(steps())


def test_a_disk_that_hangs_keeps_no_reader_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.store.database._PATIENCE_SECONDS", 0.01)
    answers, errors = threading.Event(), list[StoreError]()

    def failed(error: StoreError) -> None:
        errors.append(error)
        if error is StoreError.RECORD:  # in the thread that reads
            answers.wait(60)

    async def steps() -> None:
        database = Database(tmp_path, RETENTION, now=lambda: NOW, failed=failed, everything=dict)
        database.open()
        damaged = StateChange("a", None, StateKey(What.GRADE), {"not": 1}, "A", NOW)
        database.put("a", None, [damaged, change(1)])
        reads = await asyncio.gather(*(database.read_log(LogQuery()) for _ in range(100)))
        assert set(reads) == {None}
        assert StoreError.READ in errors
        answers.set()
        while (part := await database.read_log(LogQuery())) is None:
            await asyncio.sleep(0)
        assert befores(part) == [1]
        assert await asyncio.to_thread(database.close, timedelta(seconds=60))

    asyncio.run(steps())
