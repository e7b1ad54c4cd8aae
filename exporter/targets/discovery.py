"""Runs the sources of targets, and keeps the last good list of each.

A list that is refused, or cannot be read, leaves the one before in use. A source is known by its place in the
configuration file, such as `file_sd_configs.0`: that is its label value, and what inherits the list when its settings
change. A source that has the same settings in another place goes on there.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from exporter.config import Config
from exporter.config.discovery import SourceSettings
from exporter.targets import dns, files, http, kubernetes
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.lists import Lists
from exporter.targets.sources import DatedSource, ResumedSource, TargetSource
from exporter.threads import LISTS

log = logging.getLogger(__name__)

FIRST_WITHIN = timedelta(seconds=10)
"""How long a start, or a reload, waits for the first answer of new sources."""
_RESTART_SECONDS = 60.0
"""Pause before a source is run again that has ended by a defect, and before a list is written again."""

KINDS: tuple[tuple[str, Callable[[Any, Config], TargetSource]], ...] = (
    ("file_sd_configs", files.make_source),
    ("http_sd_configs", http.make_source),
    ("dns_sd_configs", dns.make_source),
    ("kubernetes_sd_configs", kubernetes.make_source),
)
"""Key of the configuration -> what makes a source of one of its entries."""


@dataclass(slots=True, eq=False)
class SourceState:
    """What is known of one source.

    Attributes:
        place: in the configuration file.
        settings: as configured.
        groups: the last good list; None before the first one.
        answered: set when the source has answered for the first time, successfully or not.
        error: why the last refresh failed; None if it did not.
        refreshed_at: when the last good list was found; None if that was before the start of the program.
        modified: see `DatedSource`; gives nothing for other sources.
    """

    place: str
    settings: SourceSettings
    groups: tuple[Group, ...] | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    error: str | None = None
    refreshed_at: datetime | None = None
    modified: Callable[[], Mapping[str, float]] = dict

    @property
    def up(self) -> bool | None:
        """Whether the last refresh was a success; None before the first."""
        return self.error is None if self.answered.is_set() else None

    @property
    def count(self) -> int | None:
        """Number of targets in the last good list."""
        return None if self.groups is None else sum(len(group.targets) for group in self.groups)


class _Run:
    """A source that runs. It is the sink of what the source finds.

    Attributes:
        asked: all that decides on what is asked; if it changes, the source is another one.
    """

    def __init__(
        self,
        state: SourceState,
        source: TargetSource,
        asked: object,
        now: Callable[[], datetime],
        changed: Callable[[SourceState], None],
    ) -> None:
        self.state, self.asked, self._now, self._changed = state, asked, now, changed
        self._logged: str | None = None
        self._task = asyncio.create_task(self._keep_running(source), name=f"source-{state.place}")

    async def _keep_running(self, source: TargetSource) -> None:
        while True:
            try:
                await source.run(self)
            except Exception:  # a named border: a defect in one source must not end the others
                log.exception("%s has ended", self.state.place)
                self.failed(DiscoveryError("internal error"))
            await asyncio.sleep(_RESTART_SECONDS)

    def found(self, groups: Sequence[Group]) -> None:
        """See `exporter.targets.sources.Sink`."""
        state, found = self.state, tuple(groups)
        number = sum(len(group.targets) for group in found)
        if number > state.settings.target_limit:
            self.failed(
                DiscoveryError(f"{number} targets are more than target_limit, which is {state.settings.target_limit}")
            )
            return
        if not number and state.count and not state.settings.allow_empty:
            self.failed(DiscoveryError("the list has become empty; set allow_empty: true if that is intended"))
            return
        if self._logged is not None:
            asyncio.get_running_loop().call_soon(self._log_recovery)
        is_new = found != state.groups
        state.groups, state.error, state.refreshed_at = found, None, self._now()
        state.answered.set()
        if is_new:
            self._changed(state)

    def failed(self, error: DiscoveryError) -> None:
        """See `exporter.targets.sources.Sink`."""
        if str(error) != self._logged:
            kept = "" if self.state.count is None else f"; a list with {self.state.count} targets is in use"
            log.error("%s failed: %s%s", self.state.place, error, kept)
        self.state.error = self._logged = str(error)
        self.state.answered.set()

    def _log_recovery(self) -> None:
        """Called after `found`, unless `failed` follows at once for a part of the list."""
        if self.state.error is None and self._logged is not None:
            log.info("%s can be read again: %d targets", self.state.place, self.state.count or 0)
            self._logged = None

    def stop(self) -> None:
        """End the source."""
        self._task.cancel()


def _last_lists(runs: Mapping[str, _Run]) -> dict[str, Sequence[Group]]:
    return {place: run.state.groups for place, run in runs.items() if run.state.groups is not None}


class Staged:
    """The sources of a configuration that is not in use yet. They run already."""

    def __init__(self, runs: Mapping[str, _Run], new: Sequence[_Run]) -> None:
        self.runs, self.new = runs, new

    @property
    def groups(self) -> dict[str, Sequence[Group]]:
        """The last good list of each source that has one."""
        return _last_lists(self.runs)

    async def answered(self, within: timedelta = FIRST_WITHIN) -> None:
        """Wait until all new sources have answered, but not longer than this."""
        waiting = [asyncio.ensure_future(run.state.answered.wait()) for run in self.new]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=within.total_seconds())
            for one in late:
                one.cancel()


class Discovery:
    """The sources in use. Called on the event loop.

    Attributes:
        changed: set when a list has changed.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.changed = asyncio.Event()
        self._now = now
        self._lists: Lists | None = None
        self._runs: Mapping[str, _Run] = {}
        self._staged: Staged | None = None
        self._saving: set[str] = set()
        self._unsaved: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def keep_in(self, lists: Lists) -> None:
        """Keep lists on disk, and begin with those that are there."""
        self._lists = lists

    @property
    def states(self) -> list[SourceState]:
        """The state of each source in use, in the order of the configuration."""
        return [run.state for run in self._runs.values()]

    @property
    def groups(self) -> dict[str, Sequence[Group]]:
        """The last good list of each source in use that has one."""
        return _last_lists(self._runs)

    def stage(self, config: Config) -> Staged:
        """Start the new sources of this configuration; those in use go on.

        A source with other settings is new. Until it has answered, it has the list of the source that it replaces.
        """
        self._abandon()
        runs, new = {}, []
        wanted = [(place, (settings, config.global_.resolver), source) for place, settings, source in _sources(config)]
        kept = self._kept({place: asked for place, asked, _ in wanted})
        for place, asked, source in wanted:
            if place in kept:
                runs[place] = kept[place]
                continue
            groups = self._inherited(place, kept.values())
            if groups and isinstance(source, ResumedSource):
                source.resume(groups)
            state = SourceState(place, asked[0], groups)
            if isinstance(source, DatedSource):
                state.modified = source.modified
            runs[place] = _Run(state, source, asked, self._now, self._note)
            new.append(runs[place])
        self._staged = Staged(runs, new)
        return self._staged

    def _kept(self, wanted: Mapping[str, object]) -> dict[str, _Run]:
        """The sources in use that go on, by their new places. What is asked decides, first in the same place."""
        kept = {place: run for place, run in self._runs.items() if place in wanted and run.asked == wanted[place]}
        for place, asked in wanted.items():
            moved = (run for run in self._runs.values() if run.asked == asked and run not in kept.values())
            if place not in kept and (run := next(moved, None)) is not None:
                kept[place] = run
        return kept

    def _inherited(self, place: str, kept: Collection[_Run]) -> tuple[Group, ...] | None:
        """The list of the source in this place, unless that source has another place now."""
        known = self._runs.get(place)
        if known is not None:
            return None if known in kept else known.state.groups
        return self._lists.load(place) if self._lists else None

    def use(self, staged: Staged) -> None:
        """Use these sources, and end the others."""
        before, self._runs, self._staged = self._runs, staged.runs, None
        for run in before.values():
            if run not in self._runs.values():
                run.stop()
        self.changed.set()  # the list of all targets may be older than these lists
        moved = [run for place, run in staged.runs.items() if run.state.place != place]
        left = {run.state.place for run in moved}
        for place, run in staged.runs.items():
            run.state.place = place
        for run in (*staged.new, *moved):
            self._note(run.state)
        if self._lists:
            others = {place for place in left & self._runs.keys() if self._runs[place].state.groups is None}
            self._start(self._clean(self._lists, self._runs.keys() - others))

    def abandon(self, staged: Staged) -> None:
        """End the new sources of a configuration that is not used; not needed if another one is staged after it."""
        if staged is self._staged:
            self._abandon()

    def _abandon(self) -> None:
        if self._staged is not None:
            for run in self._staged.new:
                run.stop()
        self._staged = None

    def _note(self, state: SourceState) -> None:
        """Called when a source has another list."""
        run = self._runs.get(state.place)
        if run is None or run.state is not state:  # not in use yet
            return
        self.changed.set()
        if self._lists and state.groups is not None:
            self._unsaved.add(state.place)
            if state.place not in self._saving:
                self._saving.add(state.place)
                self._start(self._save(self._lists, state.place))

    async def _save(self, lists: Lists, place: str) -> None:
        """Write the list of this source; again if it changes meanwhile, and after a while if that fails."""
        try:
            while place in self._unsaved and (groups := self.groups.get(place)) is not None:
                self._unsaved.discard(place)
                try:
                    await LISTS.run(partial(lists.save, place, groups), lists)  # one of its calls at a time
                except OSError as error:
                    log.error("the list of %s cannot be stored: %s", place, error.strerror or error)
                    self._unsaved.add(place)
                    await asyncio.sleep(_RESTART_SECONDS)
        finally:
            self._saving.discard(place)

    async def _clean(self, lists: Lists, places: set[str]) -> None:
        try:
            await LISTS.run(partial(lists.keep_only, places), lists)
        except OSError as error:
            log.error("old lists of targets cannot be deleted: %s", error.strerror or error)

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, within: timedelta) -> None:
        """End all sources, and wait for lists that are being written, but not longer than this."""
        self._abandon()
        for run in self._runs.values():
            run.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within.total_seconds())
            for task in late:
                task.cancel()


def _sources(config: Config) -> Iterator[tuple[str, SourceSettings, TargetSource]]:
    """The sources of this configuration, each with its place there."""
    for key, make in KINDS:
        for index, settings in enumerate(getattr(config, key)):
            yield f"{key}.{index}", settings, make(settings, config)
