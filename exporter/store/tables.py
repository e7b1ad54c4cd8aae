"""The tables of the SQLite file: the latest of each target, and the history.

A write is one transaction. What is committed survives the end of the process at any moment (`journal_mode=WAL`). After
a failure of the machine the last commits may be missing, but the file is whole (`synchronous=NORMAL`).
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from exporter.store.changelog import LogPart, LogQuery, Numbered
from exporter.store.history import StateChange, is_value, parse_key
from exporter.store.saved import Record, Saved

VERSION = 1
"""Version of the tables and of the forms in them."""
_TABLES = """
CREATE TABLE targets (
    name TEXT PRIMARY KEY, service TEXT NOT NULL, begun_at REAL NOT NULL, failures INTEGER NOT NULL,
    saved_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE latest (
    target TEXT NOT NULL, place INTEGER NOT NULL, address TEXT NOT NULL, seen BLOB NOT NULL, states BLOB NOT NULL,
    PRIMARY KEY (target, place)
) WITHOUT ROWID;
CREATE TABLE changes (
    at REAL NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL, what TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL
);
CREATE INDEX changes_by_target ON changes (target, at);
CREATE INDEX changes_by_time ON changes (at);
"""
_COLUMNS = {
    "targets": "name, service, begun_at, failures, saved_at",
    "latest": "target, place, address, seen, states",
    "changes": "at, target, address, what, before, after",
}
_CLEANED = "CREATE TABLE IF NOT EXISTS cleaned (at REAL NOT NULL)"
"""When the tables were cleaned for the last time; at most one row."""
_LOG = "CREATE TABLE IF NOT EXISTS log (identity TEXT NOT NULL, since REAL NOT NULL)"
"""Which log of changes this is, and since when changes are known; one row."""
_SHOWN = "CREATE TABLE IF NOT EXISTS shown (target TEXT PRIMARY KEY, form BLOB NOT NULL) WITHOUT ROWID"
"""What is shown of each target, see `exporter.shown`. It may be missing, or older than the latest of its target."""
_CLEANED_AFTER = timedelta(days=1)
_UNUSED_KEPT = timedelta(days=7)
"""How long a target without use is kept, if the history is kept for longer. Facts count for three scan intervals."""
_LONGEST_PAUSE = timedelta(days=8)
"""A clock that is further than this after the last cleaning was perhaps set, and is not believed yet. An exporter that
scans and writes once a week only is cleaned too."""
_MOST_PENDING_CHANGES = 100_000
"""Changes that wait for a disk without space. Those after them are lost; some 20 MB."""


class NewerVersionError(Exception):
    """A newer version of this program wrote the file."""


@dataclass(slots=True)
class Batch:
    """What is to be written in one transaction.

    Attributes:
        targets: name -> its latest; None removes it.
        shown: name -> what is shown of it.
    """

    targets: dict[str, Saved | None] = field(default_factory=dict)
    changes: list[StateChange] = field(default_factory=list)
    shown: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.targets or self.changes or self.shown)

    def before(self, later: "Batch") -> "Batch":
        """This batch and a later one together."""
        changes = (self.changes + later.changes)[:_MOST_PENDING_CHANGES]
        return Batch({**self.targets, **later.targets}, changes, {**self.shown, **later.shown})


class Tables:
    """The file and its tables. Used by one thread at a time."""

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        """Open the file, or create it.

        Args:
            path: of the file.
            immutable: it exists, nobody writes it, and there is nothing in its log: it is read only.

        Raises:
            NewerVersionError: a newer version of this program wrote the file; it is not changed.
            sqlite3.Error: the file cannot be used.
        """
        if not immutable:
            _create(path)
        self._has_log = False
        where = f"{path.absolute().as_uri()}?immutable=1" if immutable else str(path)
        self._connection = sqlite3.connect(where, isolation_level=None, check_same_thread=False, uri=immutable)
        self._connection.text_factory = lambda text: text.decode(errors="replace")  # one damaged row is not all of them
        try:
            self._prepare(immutable=immutable)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, *, immutable: bool) -> None:
        # Nobody else uses the file. SQLite then needs no file in shared memory, which a full disk would not have.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise NewerVersionError(f"it has version {version} of the tables, and this program knows {VERSION}")
        if not immutable:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
        if version == 0 and not immutable:
            self._connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        if not immutable:
            self._connection.execute(_SHOWN)
        for table, columns in _COLUMNS.items():  # fails where the schema is another one
            self._connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608 - constants
        # Not the history: the start would have to read all of it. Damage there is found when it is used.
        for table in ("targets", "latest"):
            (found,) = self._connection.execute(f"PRAGMA quick_check({table})").fetchone()
            if found != "ok":
                error = sqlite3.DatabaseError(found)
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def latest(self, unreadable: Callable[[str, Exception], None] = lambda _name, _error: None) -> dict[str, Saved]:
        """The latest of each target, by name.

        Args:
            unreadable: called with the name of each target that is left out because a row of it is damaged.
        """
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for target, *row in self._connection.execute("SELECT * FROM latest ORDER BY target, place"):
            rows.setdefault(target, []).append(tuple(row))
        latest = {}
        for name, *row in self._connection.execute("SELECT * FROM targets"):
            if name in rows:
                try:
                    latest[name] = _saved(row, rows[name])
                except (TypeError, ValueError, OverflowError, OSError) as error:
                    unreadable(name, error)
        return latest

    def shown(self) -> dict[str, bytes]:
        """What was shown of targets."""
        try:
            rows = self._connection.execute("SELECT target, form FROM shown").fetchall()
        except sqlite3.Error:  # there is none yet; if it is damaged, the targets are judged again
            return {}
        return {name: form for name, form in rows if isinstance(form, bytes)}

    def write(self, batch: Batch, now: datetime) -> None:
        """Write all of it, or nothing.

        Raises:
            sqlite3.Error: nothing was written.
        """
        many = self._connection.executemany
        self._begin_log(now)
        with self._transaction():
            many("DELETE FROM latest WHERE target = ?", [(name,) for name in batch.targets])
            many("DELETE FROM targets WHERE name = ?", [(name,) for name, one in batch.targets.items() if one is None])
            saved = [(name, one) for name, one in batch.targets.items() if one is not None]
            many(
                "INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?, ?)",
                [(name, one.service, one.begun_at.timestamp(), one.failures, now.timestamp()) for name, one in saved],
            )
            many(
                "INSERT INTO latest VALUES (?, ?, ?, ?, ?)",
                [
                    (name, place, each.address or "", each.seen, each.states)
                    for name, one in saved
                    for place, each in enumerate(one.records)
                ],
            )
            many("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)", map(_change_row, batch.changes))
            many("DELETE FROM shown WHERE target = ?", [(name,) for name, one in batch.targets.items() if one is None])
            many("INSERT OR REPLACE INTO shown VALUES (?, ?)", batch.shown.items())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that is done in this block is committed, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def clean(self, now: datetime, retention: timedelta, used: Collection[str]) -> None:
        """Once a day, delete changes that are older than this, and targets without use not scanned for a week.

        Targets that are in use stay: they may be scanned less often than that.

        After a leap of the clock nothing is deleted for a day, because the clock may be set back soon.
        """
        self._connection.execute(_CLEANED)
        self._begin_log(now)
        row = self._connection.execute("SELECT at FROM cleaned").fetchone()
        passed = now - _time(row[0]) if row else None
        if passed is not None and timedelta(0) <= passed < _CLEANED_AFTER:
            return
        with self._transaction():
            if passed is not None and _CLEANED_AFTER <= passed <= _LONGEST_PAUSE:
                self._delete_before(
                    (now - retention).timestamp(), (now - min(retention, _UNUSED_KEPT)).timestamp(), used
                )
            self._connection.execute("DELETE FROM cleaned")
            self._connection.execute("INSERT INTO cleaned VALUES (?)", (now.timestamp(),))

    def _delete_before(self, changed: float, saved: float, used: Collection[str]) -> None:
        """Delete changes, and targets without use, that are older than these times."""
        execute, many = self._connection.execute, self._connection.executemany
        execute("DELETE FROM changes WHERE at < ?", (changed,))
        execute("UPDATE log SET since = max(since, ?)", (changed,))
        # SQLite numbers the rows of an empty table from 1 again: places in the log are then those of another log.
        execute("UPDATE log SET identity = lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM changes)")
        names = execute("SELECT name FROM targets WHERE saved_at < ?", (saved,)).fetchall()
        old = [(name,) for (name,) in names if name not in used]
        many("DELETE FROM latest WHERE target = ?", old)
        many("DELETE FROM targets WHERE name = ?", old)
        many("DELETE FROM shown WHERE target = ?", old)

    def _begin_log(self, now: datetime) -> None:
        """Give the log an identity if it has none; a file of an earlier version has changes already."""
        if not self._has_log:
            self._connection.execute(_LOG)
            self._connection.execute(
                "INSERT INTO log SELECT lower(hex(randomblob(8))), min(coalesce((SELECT min(at) FROM changes), ?1), ?1)"
                " WHERE NOT EXISTS (SELECT 1 FROM log)",
                (now.timestamp(),),
            )
            self._has_log = True

    def read_log(self, query: LogQuery, now: datetime, unreadable: Callable[[str, Exception], None]) -> LogPart:
        """A part of the log of changes.

        Args:
            query: what to read.
            now: since when changes are known, if the file is new.
            unreadable: called with the name of each target of which a change is left out because its row is damaged.
        """
        self._begin_log(now)
        log, since = self._connection.execute("SELECT identity, since FROM log").fetchone()
        (last,) = self._connection.execute("SELECT coalesce(max(rowid), 0) FROM changes").fetchone()
        end = "rowid < ?1 ORDER BY rowid DESC" if query.backwards else "rowid > ?1 ORDER BY rowid"
        rows = self._connection.execute(
            f"SELECT rowid, * FROM changes WHERE at >= ?2 AND (?3 IS NULL OR target = ?3) AND {end} LIMIT ?4",  # noqa: S608
            (self._start(query, log, last), query.since.timestamp(), query.target, query.limit),
        )
        return LogPart(log, _time(since), last, tuple(_numbered(rows, unreadable)))

    @staticmethod
    def _start(query: LogQuery, log: str, last: int) -> int:
        """The number at which the query begins, without the change of this number."""
        number = query.number_in(log)
        if number is not None:
            return number
        return last + 1 if query.backwards else 0


def _create(path: Path) -> None:
    """Create the file where it does not exist, for its owner only.

    Raises:
        sqlite3.Error: it cannot be created.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass
    except OSError as problem:
        error = sqlite3.OperationalError(f"it cannot be created: {problem.strerror}")
        full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_CANTOPEN
        raise error from problem


def _saved(row: Sequence[Any], records: Iterable[Sequence[Any]]) -> Saved:
    """What is kept of a target, from its row of `targets` and its rows of `latest`, without the name.

    SQLite does not enforce the types of columns, and `quick_check` does not look at values.

    Raises:
        TypeError: a value has another type.
        ValueError, OverflowError, OSError: a time is out of range.
    """
    service, begun_at, failures, _ = row
    saved = Saved(
        service, _time(begun_at), failures, tuple(Record(where or None, *both) for _, where, *both in records)
    )
    if not (isinstance(failures, int) and all(isinstance(one.seen + one.states, bytes) for one in saved.records)):
        raise TypeError("a value has the wrong type")
    return saved


def _numbered(rows: Iterable[Sequence[Any]], unreadable: Callable[[str, Exception], None]) -> Iterator[Numbered]:
    """The changes of these rows, without those that are damaged."""
    for number, at, name, address, what, before, after in rows:
        try:
            values = from_json(before), from_json(after)
            if not all(map(is_value, values)):
                raise ValueError("a value has the wrong form")
            yield Numbered(number, StateChange(name, address or None, parse_key(what), *values, _time(at)))
        except (TypeError, ValueError, OverflowError, OSError) as error:
            unreadable(name, error)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _change_row(change: StateChange) -> tuple[object, ...]:
    before, after = (to_json(value).decode() for value in (change.before, change.after))
    return change.at.timestamp(), change.target, change.address or "", str(change.key), before, after
