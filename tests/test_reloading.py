"""Reloads: their order, what is merged, and what a poll notices."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.errors import ConfigError, ExporterError, Problem
from exporter.files import one_view, read_file
from exporter.reading import Reader
from exporter.reloading import Reloader, Steps

LONG, SHORT = timedelta(seconds=60), timedelta(milliseconds=200)
EVERY = timedelta(minutes=1)


class Fixture:
    """A reloader of a text file, whose reads the test can hold up."""

    def __init__(self, file: Path, within: timedelta = LONG) -> None:
        self.file = file
        self.used: list[str] = []
        self.changed: list[set[str]] = []
        self.notes: list[str | None] = []
        self.loads = 0
        self.hold: threading.Event | None = None
        self.loading = threading.Event()
        self.refuse: Exception | None = None
        with one_view() as view:
            read_file(file)
        self.reloader = Reloader(
            Steps(self.load, self.use, self.notes.append), view.fingerprint(), Reader(within, 2), Reader(within, 1)
        )

    def load(self) -> str:
        self.loads += 1
        hold, self.hold = self.hold, None
        found = read_file(self.file).decode()
        if hold is not None:  # the content is read, and what follows takes long
            self.loading.set()
            assert hold.wait(60)
        if "bad" in found:
            raise ConfigError([Problem(str(self.file), 1, 1, "targets", f"{found!r} is wrong")])
        if "defect" in found:
            raise ZeroDivisionError
        return found

    def use(self, loaded: str, changed: Collection[str]) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.used.append(loaded)
        self.changed.append(set(changed))

    def write(self, text: str) -> None:
        self.file.write_text(text)

    async def held(self) -> threading.Event:
        """Request a reload; returns once its load is held up, with what lets it go on."""
        hold = self.hold = threading.Event()
        self.loading.clear()
        _ = self.reloader.request()
        async with asyncio.timeout(30):
            while not self.loading.is_set():
                await asyncio.sleep(0.005)
        return hold

    def run(self, steps: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            self.reloader.start()
            try:
                await steps()
            finally:
                await self.reloader.stop()

        asyncio.run(run())


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    (tmp_path / "config.yaml").write_text("first")
    return Fixture(tmp_path / "config.yaml")


def test_a_slow_read_of_an_older_file_is_not_used_last(fixture: Fixture) -> None:
    async def steps() -> None:
        fixture.write("older")
        hold = await fixture.held()
        fixture.write("newer")
        newer = fixture.reloader.request()
        hold.set()
        assert await newer is None
        assert fixture.used == ["older", "newer"]

    fixture.run(steps)


def test_requests_during_a_reload_become_one_that_reads_after_them(fixture: Fixture) -> None:
    async def steps() -> None:
        fixture.write("0")
        hold = await fixture.held()
        answers = []
        for number in range(1, 200):
            fixture.write("bad" if number % 3 == 0 else str(number))
            answers.append(fixture.reloader.request())
        hold.set()
        assert await asyncio.gather(*answers) == [None] * 199
        assert fixture.used == ["0", "199"]
        assert fixture.loads == 2

    fixture.run(steps)


def test_a_request_after_the_end_is_answered(fixture: Fixture) -> None:
    async def run() -> None:
        fixture.reloader.start()
        await fixture.reloader.stop()
        async with asyncio.timeout(30):
            assert await fixture.reloader.reload() == "the exporter is stopping"

    asyncio.run(run())


def test_a_request_before_the_start_waits(fixture: Fixture) -> None:
    async def run() -> None:
        fixture.write("second")
        waiting = fixture.reloader.request()
        await asyncio.sleep(0)
        assert fixture.loads == 0
        fixture.reloader.start()
        assert await waiting is None
        await fixture.reloader.stop()

    asyncio.run(run())
    assert fixture.used == ["second"]


def test_a_bad_file_is_reported_with_its_reason_and_the_next_good_one_works(fixture: Fixture) -> None:
    async def steps() -> None:
        fixture.write("bad")
        assert await fixture.reloader.reload() == f"{fixture.file}:1:1: targets: 'bad' is wrong"
        fixture.write("defect")
        assert await fixture.reloader.reload() == "internal error: ZeroDivisionError"
        fixture.file.unlink()
        fixture.file.mkdir()
        assert await fixture.reloader.reload() is not None
        fixture.file.rmdir()
        fixture.write("good")
        assert await fixture.reloader.reload() is None
        assert fixture.used == ["good"]
        assert [note is None for note in fixture.notes] == [False, False, False, True]

    fixture.run(steps)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Files can be opened only while this is set: storage that hangs."""
    answers, opens = threading.Event(), os.open
    answers.set()

    def hang(path: str, flags: int) -> int:
        assert answers.wait(60)
        return opens(path, flags)

    monkeypatch.setattr(os, "open", hang)
    yield answers
    answers.set()


def test_a_read_that_hangs_fails_in_time_and_a_later_one_works(tmp_path: Path, answers: threading.Event) -> None:
    (tmp_path / "config.yaml").write_text("first")
    fixture = Fixture(tmp_path / "config.yaml", SHORT)

    async def steps() -> None:
        fixture.write("hung")
        answers.clear()
        for _ in range(2):
            assert await fixture.reloader.reload() == f"reading {fixture.file} took longer than 0.2 s"
        problem = await fixture.reloader.reload()
        assert problem is not None
        assert "2 earlier reads have not ended" in problem
        fixture.write("good")
        answers.set()
        async with asyncio.timeout(30):
            while await fixture.reloader.reload() is not None:
                await asyncio.sleep(0.01)
        assert fixture.used == ["good"]  # what the late reads found is not used

    fixture.run(steps)


def test_files_that_have_not_changed_are_not_loaded_again(fixture: Fixture) -> None:
    async def steps() -> None:
        for _ in range(3):
            assert await fixture.reloader.reload() is None
        assert fixture.loads == 0
        fixture.write("bad")
        assert await fixture.reloader.reload() is not None
        fixture.write("first")  # as the configuration in use
        assert await fixture.reloader.reload() is None
        assert fixture.notes == [None, None, None, fixture.notes[3], None]
        assert fixture.used == []

    fixture.run(steps)


def test_a_configuration_that_cannot_be_used_is_tried_again(fixture: Fixture) -> None:
    async def steps() -> None:
        fixture.write("second")
        fixture.refuse = ExporterError("not now")
        assert await fixture.reloader.reload() == "not now"
        fixture.refuse = None
        assert await fixture.reloader.reload() is None
        assert fixture.used == ["second"]
        assert fixture.changed == [{str(fixture.file)}]

    fixture.run(steps)


def test_who_waits_gets_an_answer_when_the_program_stops(fixture: Fixture) -> None:
    async def run() -> None:
        fixture.reloader.start()
        fixture.write("second")
        hold = await fixture.held()
        waiting = [asyncio.create_task(fixture.reloader.reload()) for _ in range(2)]
        await asyncio.sleep(0)
        await fixture.reloader.stop()
        assert await asyncio.gather(*waiting) == ["the exporter is stopping"] * 2
        hold.set()

    asyncio.run(run())
    assert fixture.used == []


def test_a_client_that_leaves_does_not_cancel_the_reload(fixture: Fixture) -> None:
    async def steps() -> None:
        fixture.write("second")
        hold = await fixture.held()
        fixture.write("third")
        client, other = (asyncio.create_task(fixture.reloader.reload()) for _ in range(2))
        await asyncio.sleep(0)
        client.cancel()
        hold.set()
        assert await other is None
        assert fixture.used == ["second", "third"]

    fixture.run(steps)


# --- polling ----------------------------------------------------------------------------------------------------------


class Ticks:
    """The pauses of a poll: each ends when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[tuple[float, asyncio.Event]] = asyncio.Queue()

    async def pause(self, seconds: float) -> None:
        over = asyncio.Event()
        self.asked.put_nowait((seconds, over))
        await over.wait()

    async def next(self) -> tuple[float, asyncio.Event]:
        """The pause that comes next."""
        async with asyncio.timeout(30):
            return await self.asked.get()


def poll(fixture: Fixture, steps: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
    """Run the steps; they get a function that lets one round of the poll happen."""
    ticks = Ticks()

    async def run() -> None:
        polling = asyncio.create_task(fixture.reloader.poll(EVERY, ticks.pause))
        waiting = [await ticks.next()]

        async def one_round() -> None:
            waiting[0][1].set()
            waiting[0] = await ticks.next()
            while waiting[0][0] < EVERY.total_seconds():
                waiting[0][1].set()
                waiting[0] = await ticks.next()

        await steps(one_round)
        polling.cancel()

    fixture.run(run)


def test_a_poll_reloads_changed_content_once(fixture: Fixture) -> None:
    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        await one_round()
        assert fixture.notes == []
        fixture.write("second")
        for _ in range(3):
            await one_round()
        assert fixture.used == ["second"]
        assert fixture.notes == [None]
        fixture.file.touch()
        await one_round()
        assert fixture.notes == [None]

    poll(fixture, steps)


def test_a_poll_does_not_repeat_a_failed_reload_until_the_content_changes(fixture: Fixture) -> None:
    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        for text in ("bad", "defect", "other bad"):
            fixture.write(text)
            for _ in range(3):
                await one_round()
        assert len(fixture.notes) == 3
        fixture.file.unlink()
        for _ in range(3):
            await one_round()
        assert len(fixture.notes) == 4
        fixture.write("good")
        for _ in range(3):
            await one_round()
        assert fixture.used == ["good"]
        assert len(fixture.notes) == 5

    poll(fixture, steps)


def test_a_file_that_is_being_written_is_not_reloaded(fixture: Fixture) -> None:
    ticks = Ticks()

    async def steps() -> None:
        polling = asyncio.create_task(fixture.reloader.poll(EVERY, ticks.pause))
        _, over = await ticks.next()
        fixture.write("half")
        over.set()
        seconds, over = await ticks.next()
        assert seconds == 1
        fixture.write("half and half")
        over.set()
        seconds, over = await ticks.next()
        assert seconds == EVERY.total_seconds()
        assert fixture.used == []
        over.set()
        (await ticks.next())[1].set()
        await ticks.next()
        assert fixture.used == ["half and half"]
        polling.cancel()

    fixture.run(steps)


def test_a_poll_of_storage_that_hangs_reports_it_once_and_goes_on(
    tmp_path: Path, answers: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.yaml").write_text("first")
    fixture = Fixture(tmp_path / "config.yaml", SHORT)

    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        fixture.write("second")
        answers.clear()
        for _ in range(3):
            await one_round()
        assert fixture.notes == []
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert f"reading {fixture.file} took longer than 0.2 s" in caplog.text
        answers.set()
        async with asyncio.timeout(30):
            while not fixture.used:
                await one_round()
        assert fixture.used == ["second"]

    poll(fixture, steps)


def test_a_reload_that_hung_is_repeated_by_the_poll_when_the_storage_answers(
    tmp_path: Path, answers: threading.Event
) -> None:
    (tmp_path / "config.yaml").write_text("first")
    fixture = Fixture(tmp_path / "config.yaml", SHORT)

    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        fixture.write("second")
        answers.clear()
        assert await fixture.reloader.reload() is not None
        answers.set()
        await one_round()
        assert fixture.used == ["second"]

    poll(fixture, steps)


def test_a_poll_does_not_repeat_a_reload_that_waits_for_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each repeated one would leave a thread behind, until no reload has one."""
    config, hung, answers, opens = tmp_path / "config.yaml", tmp_path / "hung", threading.Event(), os.open

    def hang(path: str, flags: int) -> int:
        if path == str(hung):
            assert answers.wait(60)
        return opens(path, flags)

    class WithAnother(Fixture):
        def load(self) -> str:
            loaded = super().load()
            return read_file(hung).decode() if loaded == "another" else loaded

    config.write_text("first")
    hung.write_text("from another")
    monkeypatch.setattr(os, "open", hang)
    fixture = WithAnother(config, SHORT)

    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        fixture.write("another")
        for _ in range(4):
            await one_round()
        assert len(fixture.notes) == 1
        fixture.write("second")
        await one_round()
        assert fixture.used == ["second"]
        fixture.write("another")
        await one_round()
        answers.set()
        async with asyncio.timeout(30):
            while fixture.used == ["second"]:
                await one_round()
        assert fixture.used == ["second", "from another"]

    try:
        poll(fixture, steps)
    finally:
        answers.set()


def test_a_poll_that_gets_no_thread_goes_on_later(
    fixture: Fixture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(one_round: Callable[[], Awaitable[None]]) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", _no_thread)
            await one_round()
        assert "poll of the configuration's files" in caplog.text
        fixture.write("second")
        await one_round()
        assert fixture.used == ["second"]

    poll(fixture, steps)


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
