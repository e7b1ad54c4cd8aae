"""Reads in threads of their own: storage that does not answer keeps nobody waiting."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from exporter.files import View
from exporter.reading import Reader, StorageError

LONG, SHORT = timedelta(seconds=60), timedelta(milliseconds=50)


class Storage:
    """Storage that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.threads: list[threading.Thread] = []

    def read(self, view: View) -> str:
        view.reading = "/mnt/config.yaml"
        self.threads.append(threading.current_thread())
        assert self.answers.wait(60)
        return "late"


@pytest.fixture
def storage() -> Iterator[Storage]:
    hung = Storage()
    yield hung
    hung.answers.set()
    for thread in hung.threads:
        thread.join(10)


def test_a_result_and_an_exception_come_back() -> None:
    async def run() -> None:
        reader = Reader(LONG, 1)
        assert await reader.read(lambda _view: 7) == 7
        with pytest.raises(TimeoutError, match="of the storage"):
            await reader.read(lambda _view: _raise(TimeoutError("of the storage")))
        with pytest.raises(RuntimeError):
            await reader.read(lambda _view: _raise(StopIteration()))
        assert await reader.read(lambda _view: 8) == 8  # each has given its place back

    asyncio.run(run())


def _raise(error: Exception) -> int:
    raise error


def test_a_read_that_hangs_ends_with_its_file_and_leaves_one_daemon_thread(storage: Storage) -> None:
    async def run() -> None:
        reader = Reader(SHORT, 2)
        with pytest.raises(StorageError, match=r"^reading /mnt/config\.yaml took longer than 0\.05 s$"):
            await reader.read(storage.read)
        assert [thread.daemon for thread in storage.threads] == [True]
        assert await reader.read(lambda _view: "good") == "good"

    asyncio.run(run())  # its end waits for no thread
    assert storage.threads[0].is_alive()


def test_the_number_of_threads_left_behind_is_limited(storage: Storage) -> None:
    async def run() -> None:
        reader = Reader(SHORT, 3)
        for _ in range(10):
            with pytest.raises(StorageError):
                await reader.read(storage.read)
        assert len(storage.threads) == 3
        with pytest.raises(StorageError, match=r"^3 earlier reads have not ended; .*: /mnt/config\.yaml$"):
            await reader.read(lambda _view: "good")
        storage.answers.set()
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await reader.read(lambda _view: "good") == "good"
                    break
                except StorageError:
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_cancelled_read_is_left_behind_too(storage: Storage) -> None:
    async def run() -> None:
        reader = Reader(LONG, 2)
        task = asyncio.create_task(reader.read(storage.read))
        async with asyncio.timeout(30):
            while not storage.threads:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        storage.answers.set()
        assert await reader.read(lambda _view: "good") == "good"

    asyncio.run(run())
