"""Reloads: one at a time, and the last request counts.

A reload reads all files in a thread, and then switches to the new configuration at once, on the event loop. While one
runs, all further requests become one reload that follows it. It reads the files after the last of these requests, so
the files as they are on disk count in the end.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from exporter.errors import ExporterError
from exporter.files import Fingerprint, View, one_view, seen_now
from exporter.reading import Reader, StorageError

log = logging.getLogger(__name__)

T = TypeVar("T")

STOPPING = "the exporter is stopping"
READ_WITHIN = timedelta(seconds=10)
"""Time limit of each file."""
MOST_READS = 4
"""Maximum number of threads of reloads: the running one and those that storage keeps waiting."""
REST = timedelta(seconds=1)
"""How long files must stay the same before a poll reloads them: editors and copies write in several steps."""


@dataclass(frozen=True, slots=True)
class Steps(Generic[T]):
    """Functions to call.

    Attributes:
        load: reads and checks the configuration; runs in a thread, reads files by `exporter.files`.
        use: switches to what was loaded, at once or not at all. Also gets the paths of files that were in use before
            and have changed.
        note: records why a reload failed, None for one that worked.
    """

    load: Callable[[], T]
    use: Callable[[T, Collection[str]], None]
    note: Callable[[str | None], None]


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[T]):
    """What was read: `loaded` or `error`; neither if nothing has changed."""

    files: Fingerprint
    loaded: T | None = None
    error: Exception | None = None


class Reloader(Generic[T]):
    """Reloads on request and by polling."""

    def __init__(self, steps: Steps[T], files: Fingerprint, reader: Reader, poll_reader: Reader) -> None:
        """Create it; requests wait until `start`.

        Args:
            steps: what reloads do.
            files: what the configuration in use was made of; empty if that is not known.
            reader: for reloads.
            poll_reader: for polls; their hung reads must not take the place of reloads.
        """
        self._steps = steps
        self._in_use = files
        self._last_read = files  # by the last reload; if storage kept it waiting, also files of the one before
        self._ended = True  # whether the last reload has ended, so that all its files are known
        self._reader = reader
        self._poll_reader = poll_reader
        self._wake = asyncio.Event()
        self._next: asyncio.Future[str | None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def request(self) -> asyncio.Future[str | None]:
        """Ask for a reload that reads the files after this call; gives why it failed, None if it worked."""
        if self._stopping:
            refused: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            refused.set_result(STOPPING)
            return refused
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            self._wake.set()
        return self._next

    async def reload(self) -> str | None:
        """Ask for a reload and wait for it; returns why it failed, None if it worked."""
        return await asyncio.shield(self.request())

    def start(self, poll_every: timedelta | None = None) -> None:
        """Serve requests, and poll the files at this interval; None does not poll."""
        self._tasks.append(asyncio.create_task(self._serve(), name="reloads"))
        if poll_every is not None:
            self._tasks.append(asyncio.create_task(self.poll(poll_every), name="poll-files"))

    async def stop(self) -> None:
        """Stop; requests that wait, and later ones, get an answer. Reads that run are left behind."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _serve(self) -> None:
        answer: asyncio.Future[str | None] | None = None
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                answer, self._next = self._next, None
                problem = await self.once()
                if answer is not None:
                    answer.set_result(problem)
        finally:
            for waiting in (answer, self._next):
                if waiting is not None and not waiting.done():
                    waiting.set_result(STOPPING)

    async def once(self) -> str | None:
        """One reload, now; returns why it failed, None if it worked."""
        try:
            await self._try()
            problem = None
        except ExporterError as error:
            problem = str(error)
        except Exception as error:  # a named border: a defect must not end reloads for ever
            log.exception("reload")
            problem = f"internal error: {type(error).__name__}"
        self._steps.note(problem)
        return problem

    async def _try(self) -> None:
        self._ended = False
        try:
            attempt = await self._reader.read(self._read)
        except StorageError as error:
            self._last_read = {**self._last_read, **error.seen}
            raise
        self._last_read, self._ended = attempt.files, True
        if attempt.error is not None:
            raise attempt.error
        if attempt.loaded is not None:
            before = self._in_use
            changed = {path for path, seen in attempt.files.items() if path in before and before[path] != seen}
            self._steps.use(attempt.loaded, changed)
            self._in_use = attempt.files

    def _read(self, view: View) -> _Attempt[T]:
        """Load the configuration, in a thread, unless all its files are still the same."""
        if self._in_use and seen_now(self._in_use, view) == self._in_use:
            return _Attempt(self._in_use)
        with one_view(view):
            try:
                loaded = self._steps.load()
            except Exception as error:  # noqa: BLE001 - a named border: the files must be known, `once` has the rest
                return _Attempt(view.fingerprint(), error=error)
        return _Attempt(view.fingerprint(), loaded)

    async def poll(self, every: timedelta, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Reload whenever the content of the files has changed since the last reload, one that failed included."""
        answers = True
        while True:
            await pause(every.total_seconds())
            try:
                if await self._changed(lambda: pause(min(REST, every).total_seconds())):
                    await self.reload()
                answers = True
            except StorageError as error:
                if answers:
                    log.warning("the files of the configuration cannot be polled: %s", error)
                answers = False
            except Exception:  # a named border: without a free thread, for example, the next round may work
                log.exception("poll of the configuration's files")

    async def _changed(self, rest: Callable[[], Awaitable[object]]) -> bool:
        """Whether the files have changed and are at rest."""
        before = self._last_read
        first = await self._look(before)
        if not self._ended and not self._reader.busy:
            return True  # the storage that kept the last reload waiting answers now
        if first == before:
            return False
        await rest()
        return await self._look(before) == first

    async def _look(self, before: Fingerprint) -> Fingerprint:
        return await self._poll_reader.read(lambda view: seen_now(before, view))


def make_reloader(steps: Steps[T], files: Fingerprint) -> Reloader[T]:
    """A reloader with the usual limits."""
    return Reloader(steps, files, Reader(READ_WITHIN, MOST_READS), Reader(READ_WITHIN, 1))
