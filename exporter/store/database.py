"""The database: what is kept of each target on disk. A thread of its own writes it.

A failed write loses nothing: what is pending is written later, and the program goes on from memory. A file that is
damaged, or of a newer version, is set aside and never deleted.
"""

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TypeVar

from exporter.errors import ExporterError
from exporter.store.changelog import LogPart, LogQuery
from exporter.store.history import StateChange
from exporter.store.saved import Saved
from exporter.store.tables import Batch, NewerVersionError, Tables

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE_NAME = "exporter.db"
LOCK_NAME = "lock"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_OTHER_TABLES = sqlite3.SQLITE_ERROR
"""The file has other tables than a file of its version has. Seen when it is opened only."""
_NO_ACCESS = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY}
"""At the start these end the program: results that cannot be read now must not be replaced by new ones."""
_PATIENCE_SECONDS = 2.0
"""How long a result waits to be written before it is shown; a disk that hangs must not stop scans."""
_MOST_READS = 64
"""Most reads that wait. A read that nobody waits for any more is still one."""
_RETRY_SECONDS = 5.0
_LOGGED_EVERY_SECONDS = 60.0
_CLEANED_EVERY_SECONDS = 3_600.0
"""How often the tables are asked whether they have to be cleaned."""


class StoreError(StrEnum):
    """What went wrong: label values of `tls_posture_exporter_store_errors_total`."""

    READ = "read"
    WRITE = "write"
    DAMAGED = "damaged"
    NEWER = "newer"
    RECORD = "record"


class Database:
    """The file, and the thread that writes it. All methods except for `open` are called on the event loop."""

    def __init__(
        self,
        folder: Path,
        retention: timedelta,
        *,
        now: Callable[[], datetime],
        failed: Callable[[StoreError], None],
        everything: Callable[[], Mapping[str, Saved]],
    ) -> None:
        """Create it; `open` opens it.

        Args:
            folder: created where it does not exist.
            retention: how long changes are kept.
            now: the system's clock.
            failed: called for each error, by any thread.
            everything: the latest of all targets, by name, for a new file in place of a damaged one; called by any
                thread.
        """
        self._folder, self._path = folder, folder / FILE_NAME
        self._retention, self._now = retention, now
        self._failed, self._everything = failed, everything
        self._tables: Tables | None = None
        self.shown: dict[str, bytes] = {}
        self._batch = Batch()  # what waits
        self._in_hand = Batch()  # what the thread writes now
        self._work: list[Callable[[Tables | None], None]] = []
        self._wake = threading.Condition()
        self._closing = False
        self._reads = 0
        self._retry_at = 0.0
        self._is_new = False  # a file was set aside, and the new one does not have everything yet
        self._healthy = True
        self._logged_at: dict[StoreError, float] = {}
        self._cleaned_at = -_CLEANED_EVERY_SECONDS
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    # --- start and end ------------------------------------------------------------------------------------------------

    def open(self) -> dict[str, Saved]:
        """Open the file, start the thread, and return the latest of each target. Blocks.

        Raises:
            ExporterError: the folder cannot be used, or another process uses it.
        """
        self._lock_folder()
        try:
            tables = self._opened()
            latest = tables.latest(self._unreadable)
            self.shown = tables.shown()
        except sqlite3.Error as error:
            if _code(error) in _NO_ACCESS:
                self._unlock()
                raise ExporterError(f"cannot use {self._path}: {error}") from error
            self._report(StoreError.READ, "nothing is restored from %s: %s", self._path, error)
            latest = {}
        self._thread.start()
        return latest

    def _unreadable(self, name: str, error: Exception) -> None:
        self._report(StoreError.RECORD, "target=%s cannot be restored: %s", name, error)

    def _lock_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._folder / LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise ExporterError(f"cannot store anything in {self._folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._unlock()
            if isinstance(error, BlockingIOError):
                raise ExporterError(f"{self._folder} is in use by another process") from error
            raise ExporterError(f"cannot lock {self._folder}: {error.strerror or error}") from error

    def _unlock(self) -> None:
        os.close(self._lock)

    def close(self, within: timedelta) -> bool:
        """Write what is pending and close the file; False if that took too long or failed. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(within.total_seconds())
        if self._thread.is_alive():
            return False  # the end of the process unlocks the folder
        self._unlock()
        return not self._batch

    # --- for the event loop -------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """How many targets are not yet written."""
        return len(self._batch.targets.keys() | self._in_hand.targets.keys())

    def put(self, name: str, saved: Saved | None, changes: Sequence[StateChange] = ()) -> None:
        """Write the latest of a target, or remove it, soon."""
        self._add(Batch({name: saved}, list(changes)))

    def show(self, name: str, shown: bytes) -> None:
        """Write what is shown of a target soon."""
        self._add(Batch(shown={name: shown}))

    def _add(self, batch: Batch) -> None:
        with self._wake:
            self._batch = self._batch.before(batch)
            self._wake.notify()

    async def written(self) -> None:
        """Wait until everything so far is written. Does not wait for a disk that is full or hangs."""
        if self._healthy and self.pending:
            try:
                await asyncio.wait_for(self._do(lambda _tables: None), _PATIENCE_SECONDS)
            except TimeoutError:
                self._healthy = False
                self._report(StoreError.WRITE, "%s: no write has ended for %s s", self._path, _PATIENCE_SECONDS)

    async def read_log(self, query: LogQuery) -> LogPart | None:
        """A part of the log of what changed; None if it cannot be read, or not in time."""
        if self._reads >= _MOST_READS:  # the disk hangs
            return None
        self._reads += 1
        now = self._now()

        def read(tables: Tables | None) -> LogPart | None:
            return tables.read_log(query, now, self._unreadable_change) if tables else None

        done = asyncio.ensure_future(self._do(read))
        done.add_done_callback(self._read_ended)
        try:
            return await asyncio.wait_for(asyncio.shield(done), _PATIENCE_SECONDS)
        except TimeoutError:
            self._report(StoreError.READ, "%s: no read has ended for %s s", self._path, _PATIENCE_SECONDS)
            return None

    def _read_ended(self, _done: asyncio.Future[LogPart | None]) -> None:
        self._reads -= 1

    def _unreadable_change(self, name: str, error: Exception) -> None:
        self._report(StoreError.RECORD, "target=%s: a change cannot be read: %s", name, error)

    async def _do(self, work: Callable[[Tables | None], T]) -> T | None:
        """Have the thread do this after the next write; None if it fails."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T | None] = loop.create_future()

        def settle(result: T | None) -> None:
            if not done.done():
                done.set_result(result)

        def run(tables: Tables | None) -> None:
            result = None
            try:
                result = work(tables)
            except (sqlite3.Error, ValueError) as error:
                self._report(StoreError.READ, "%s: %s", self._path, error)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, result)

        with self._wake:
            self._work.append(run)
            self._wake.notify()
        return await done

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        last = False
        while not last:
            with self._wake:
                self._wake.wait_for(self._has_work, self._seconds_to_retry())
                work, self._work = self._work, []
                last = self._closing
                if last or not self._seconds_to_retry():
                    self._in_hand, self._batch = self._batch, Batch()
            worked = self._write(self._in_hand)
            with self._wake:
                if not worked:
                    self._retry_at = monotonic() + _RETRY_SECONDS
                    self._batch = self._in_hand.before(self._batch)
                self._in_hand = Batch()
            for run in work:
                run(self._tables)
        if self._tables:
            self._tables.close()

    def _has_work(self) -> bool:
        return bool(self._work or self._closing or (self._batch and not self._seconds_to_retry()))

    def _seconds_to_retry(self) -> float | None:
        """Seconds until a failed write is tried again; None if it may be tried now."""
        left = self._retry_at - monotonic()
        return left if left > 0 else None

    def _write(self, batch: Batch) -> bool:
        """Write the batch; False if it could not be written."""
        if not batch:
            return True
        try:
            tables = self._opened()
            tables.write(Batch(dict(self._everything())).before(batch) if self._is_new else batch, self._now())
            self._is_new = False
            self._clean(tables)
        except sqlite3.Error as error:
            self._report(
                StoreError.WRITE, "%s: %s; %d targets are kept in memory only", self._path, error, self.pending
            )
            self._healthy = False
            if _code(error) in _DAMAGED:
                self._drop(error)
            return False
        if not self._healthy:
            log.info("%s is written again", self._path)
        self._healthy = True
        return True

    def _clean(self, tables: Tables) -> None:
        if monotonic() - self._cleaned_at >= _CLEANED_EVERY_SECONDS:
            self._cleaned_at = monotonic()
            try:
                tables.clean(self._now(), self._retention, self._everything().keys())
            except sqlite3.Error as error:  # the batch is written
                self._report(StoreError.WRITE, "%s could not be cleaned: %s", self._path, error)

    def _opened(self) -> Tables:
        """The tables; those of a new file if the file had to be set aside.

        Raises:
            sqlite3.Error: the file cannot be used.
        """
        if self._tables is None:
            try:
                self._tables = Tables(self._path)
            except NewerVersionError as error:
                self._set_aside(StoreError.NEWER, error)
            except sqlite3.Error as error:
                if _code(error) not in {*_DAMAGED, _OTHER_TABLES}:
                    raise
                self._set_aside(StoreError.DAMAGED, error)
        if self._tables is None:
            self._tables = Tables(self._path)
        return self._tables

    def _drop(self, error: sqlite3.Error) -> None:
        """Close and set aside the file, which has become damaged."""
        if self._tables:
            self._tables.close()
        self._tables = None
        with suppress(sqlite3.Error):  # it is tried again with the next write
            self._set_aside(StoreError.DAMAGED, error)

    def _set_aside(self, kind: StoreError, error: Exception) -> None:
        self._is_new = True
        aside = self._free_name(f"{FILE_NAME}.{kind}-{self._now():%Y%m%dT%H%M%SZ}")
        try:
            for suffix in ("-wal", "-shm", ""):  # the file itself last: until then it is found again
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").rename(f"{aside}{suffix}")
        except OSError as problem:
            raise sqlite3.OperationalError(f"{self._path} cannot be set aside: {problem}") from error
        self._report(kind, "%s was set aside as %s: %s", self._path, aside.name, error)

    def _free_name(self, name: str) -> Path:
        """This name in the folder, with a number if it is taken."""
        names = (name, *(f"{name}.{number}" for number in range(2, 1000)))
        return next(path for one in names if not (path := self._folder / one).exists())

    def _report(self, kind: StoreError, message: str, *arguments: object) -> None:
        self._failed(kind)
        if monotonic() - self._logged_at.get(kind, -_LOGGED_EVERY_SECONDS) >= _LOGGED_EVERY_SECONDS:
            self._logged_at[kind] = monotonic()
            log.error(message, *arguments)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
