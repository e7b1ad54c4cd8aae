"""Runs what reads files in daemon threads of its own, because storage may not answer.

A thread that waits for a dead NFS server cannot be interrupted. So it is left behind. It keeps neither the event loop
nor the end of the program waiting, and the number of such threads is limited.
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from exporter.errors import ExporterError
from exporter.files import Fingerprint, View

T = TypeVar("T")


class StorageError(ExporterError):
    """The files could not be read in time.

    Attributes:
        seen: the files that were read before.
    """

    def __init__(self, message: str, seen: Fingerprint) -> None:
        super().__init__(message)
        self.seen = seen


class Reader:
    """Reads in threads. Each file has a time limit; the work between reads has none."""

    def __init__(self, within: timedelta, most: int) -> None:
        """Create it.

        Args:
            within: least time after which a file counts as not readable; it may be twice as long.
            most: maximum number of threads, those that were left behind included.
        """
        self._within = within
        self._most = most
        self._views: list[View] = []

    @property
    def busy(self) -> bool:
        """Whether a read has not ended, one that was left behind included."""
        return bool(self._views)

    async def read(self, work: Callable[[View], T]) -> T:
        """The result of `work`, which runs in a thread and reads its files through the given view.

        Raises:
            StorageError: a file was not read in time, or too many earlier reads have not ended.
            Exception: what `work` raised.
        """
        if len(self._views) >= self._most:
            waited_for = ", ".join(sorted({view.reading or "unknown" for view in self._views}))
            message = f"{self._most} earlier reads have not ended; the storage does not answer: {waited_for}"
            raise StorageError(message, {})
        view, loop = View(), asyncio.get_running_loop()
        answer: asyncio.Future[Callable[[], T]] = loop.create_future()

        def settle(outcome: Callable[[], T]) -> None:
            self._views.remove(view)
            answer.set_result(outcome)

        def run() -> None:
            outcome = _outcome(work, view)
            try:
                loop.call_soon_threadsafe(settle, outcome)
            except RuntimeError:  # the loop was closed meanwhile, so nobody waits
                return

        threading.Thread(target=run, name="read-files", daemon=True).start()
        self._views.append(view)
        while not answer.done():
            reads = view.reads
            await asyncio.wait({answer}, timeout=self._within.total_seconds())
            if view.reading is not None and view.reads == reads and not answer.done():
                message = f"reading {view.reading} took longer than {self._within.total_seconds():g} s"
                raise StorageError(message, view.fingerprint())
        return answer.result()()


def _outcome(work: Callable[[View], T], view: View) -> Callable[[], T]:
    """A function that returns what `work` has returned, or raises what it has raised."""
    try:
        result = work(view)
    except Exception as error:  # noqa: BLE001 - a named border: it is raised where the result is awaited
        raised = error

        def fail() -> T:
            raise raised

        return fail
    return lambda: result
