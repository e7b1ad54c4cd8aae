"""The latest of each target: in memory in a compact form, and on disk where there is a database."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from exporter.model import Report, Seen, Target
from exporter.store.changelog import LogPart, LogQuery, MemoryLog
from exporter.store.database import Database
from exporter.store.form import UnreadableRecordError, pack, unpack
from exporter.store.history import StateChange, States, changes, pack_states, states_after, unpack_states, values_of
from exporter.store.saved import Record, Saved

log = logging.getLogger(__name__)

MOST_REMOVED = 2_000
"""Removed targets that are kept in memory in case they come back, some 20 MB."""


class Store:
    """Keeps the latest of each target. Called on the event loop; `everything` by any thread.

    Attributes:
        database: where it is kept, too; None keeps it in memory only.
    """

    def __init__(self, unreadable: Callable[[], None] = lambda: None) -> None:
        """Create it, in memory only; `use` adds a database.

        Args:
            unreadable: called for each target whose record cannot be read.
        """
        self.database: Database | None = None
        self._unreadable = unreadable
        self._latest: dict[str, Saved] = {}
        self._restored: dict[str, Saved] = {}
        self._removed: dict[str, Saved] = {}  # oldest removal first
        self._oldest: dict[str, datetime] = {}
        self._shown: dict[str, bytes] = {}  # of targets that are not adopted yet
        self._log: MemoryLog | None = None
        self._last: tuple[Saved | None, Target | None, tuple[Seen, ...]] = (None, None, ())

    def use(self, database: Database) -> None:
        """Open the database, and restore from it. Blocks.

        Raises:
            ExporterError: it cannot be used.
        """
        self._restored = database.open()
        self._shown = database.shown
        database.shown = {}
        self.database = database

    def restore(self, latest: Mapping[str, Saved]) -> None:
        """Use what was read from a folder, without writing anything."""
        self._restored = dict(latest)

    def keep_log(self, log: MemoryLog | None) -> None:
        """Keep the latest changes in memory; for a store without a database."""
        self._log = log

    def everything(self) -> Mapping[str, Saved]:
        """The latest of each target, by name."""
        return dict(self._latest)

    @property
    def waiting(self) -> Collection[str]:
        """The names of what was restored, or removed, and is not adopted yet."""
        return self._restored.keys() | self._removed.keys()

    def restored(self, target: Target, service: str) -> Saved | None:
        """What was restored, or removed, of this target and is not adopted yet."""
        saved = self._removed.get(target.name) or self._restored.get(target.name)
        return saved if saved is not None and saved.service == service else None

    def adopt(self, target: Target, service: str) -> tuple[Seen, ...]:
        """What waited for this target, which is the latest of it from now on; empty if there is nothing."""
        saved = self.restored(target, service)
        self._restored.pop(target.name, None)
        self._removed.pop(target.name, None)
        if saved is None:
            return ()
        self._latest[target.name] = saved
        seen = self.seen(target)
        self._note_age(target.name, seen)
        return seen

    def shown(self, name: str) -> bytes | None:
        """What was shown of this target before the start, as it was given to `show`; it is returned once."""
        return self._shown.pop(name, None)

    def show(self, name: str, shown: bytes) -> None:
        """Keep what is shown of a target for the next start."""
        if self.database:
            self.database.show(name, shown)

    def adopt_unread(self, target: Target, service: str, oldest: datetime | None) -> None:
        """Adopt what waits for this target without reading it; `oldest` is the time of its oldest fact."""
        saved = self.restored(target, service)
        self._restored.pop(target.name, None)
        self._removed.pop(target.name, None)
        if saved is not None:
            self._latest[target.name] = saved
            if oldest is not None:
                self._oldest[target.name] = oldest

    def get(self, name: str) -> Saved | None:
        """The latest of the target with this name; None if it was never scanned."""
        return self._latest.get(name)

    def names(self) -> list[str]:
        """The names of all scanned targets, sorted."""
        return sorted(self._latest)

    def seen(self, target: Target) -> tuple[Seen, ...]:
        """What was seen of the target, by address; empty if it was never scanned."""
        saved = self._latest.get(target.name)
        if saved is None:
            return ()
        if self._last[0] is saved and self._last[1] is target:  # several questions about one target follow each other
            return self._last[2]
        try:
            seen = tuple(unpack(record.seen, target) for record in saved.records)
            self._last = saved, target, seen
            return seen
        except UnreadableRecordError as error:  # by another version: as if the target had not been scanned
            self._note_unreadable(target.name, error)
            del self._latest[target.name]
            return ()

    def put(self, seen: Sequence[Seen], reports: Iterable[Report], service: str, failures: int, at: datetime) -> Saved:
        """Replace all that is known of one target by what a scan saw, as judged at this time."""
        name, saved = seen[0].target.name, self._latest.get(seen[0].target.name)
        before = {one.address: self._states_of(name, one) for one in saved.records} if saved else {}
        records, changed = [], list[StateChange]()
        for one, report in zip(seen, reports, strict=True):
            old = before.get(one.address, {})
            states = states_after(old, values_of(report), at)
            changed += changes(name, one.address, old, states)
            records.append(Record(one.address, pack(one), pack_states(states)))
        saved = Saved(service, min(one.result.started_at for one in seen), failures, tuple(records))
        self._note_age(name, seen)
        self._save(name, saved, changed)
        return saved

    def judged(self, name: str, reports: Iterable[Report], at: datetime) -> None:
        """Record what has changed by judging the target again at this time."""
        saved = self._latest[name]
        records, changed = [], list[StateChange]()
        for record, report in zip(saved.records, reports, strict=True):
            before = self._states_of(name, record)
            states = states_after(before, values_of(report), at)
            changed += changes(name, record.address, before, states)
            records.append(record if states == before else replace(record, states=pack_states(states)))
        if any(new is not old for new, old in zip(records, saved.records, strict=True)):
            self._save(name, replace(saved, records=tuple(records)), changed)

    def _note_age(self, name: str, seen: Sequence[Seen]) -> None:
        oldest = min((at for one in seen if (at := one.facts.oldest) is not None), default=None)
        self._oldest.pop(name, None)
        if oldest is not None:
            self._oldest[name] = oldest

    @property
    def oldest_fact(self) -> datetime | None:
        """When the oldest fact of any target was seen; None if nothing is known."""
        return min(self._oldest.values(), default=None)

    def _states_of(self, name: str, record: Record) -> States:
        """The states of a record; none if they cannot be read, so that they begin anew."""
        try:
            return unpack_states(record.states)
        except UnreadableRecordError as error:
            self._note_unreadable(name, error)
            return {}

    def _note_unreadable(self, name: str, error: UnreadableRecordError) -> None:
        log.error("target=%s cannot be restored: %s", name, error)
        self._unreadable()

    def _save(self, name: str, saved: Saved, changed: Sequence[StateChange]) -> None:
        self._latest[name] = saved
        if self.database:
            self.database.put(name, saved, changed)
        elif self._log:
            self._log.add(changed)

    def states(self, name: str) -> tuple[tuple[str | None, States], ...]:
        """What has a history, and since when it is as it is: each address and its states; empty if never scanned."""
        saved = self._latest.get(name)
        return tuple((one.address, self._states_of(name, one)) for one in saved.records) if saved else ()

    async def read_log(self, query: LogQuery) -> LogPart | None:
        """A part of the log of what changed; None if it cannot be read."""
        if self.database:
            return await self.database.read_log(query)
        return self._log.read(query) if self._log else None

    def remove(self, name: str) -> None:
        """Remove the target; does nothing if it is unknown. Its history stays.

        What is known waits for a target of this name, as after a restart: lists that others keep lose targets for a
        while, and a target that comes back every minute must not be scanned every minute.
        """
        self._oldest.pop(name, None)
        saved = self._latest.pop(name, None)
        if saved is None:
            return
        self._removed.pop(name, None)
        self._removed[name] = saved
        if len(self._removed) > MOST_REMOVED:
            oldest = next(iter(self._removed))
            del self._removed[oldest]
            if self.database:
                self.database.put(oldest, None)

    async def written(self) -> None:
        """Wait until everything is on disk, if there is a database that works."""
        if self.database:
            await self.database.written()

    @property
    def pending(self) -> int:
        """How many targets are not yet on disk; 0 without a database."""
        return self.database.pending if self.database else 0

    def close(self, within: timedelta) -> None:
        """Write what is pending. Blocks, but not longer than this."""
        if self.database and not self.database.close(within):
            log.error("the latest results of %d targets could not be written", self.pending)
