"""The composition of the daemon: creates its parts and connects them. It does no work of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

from exporter.backends import Backend, LocalBackend
from exporter.backends.process import Reports
from exporter.backends.processes import ProcessBackend, ScanProcesses
from exporter.backends.remote import RemoteScans
from exporter.config import Config
from exporter.environment import make_resolver, utc_now
from exporter.errors import ConfigError, Problem
from exporter.facts.handshake import to_be_enumerated
from exporter.files import Fingerprint
from exporter.fleet import KeyIndex
from exporter.freshness import Freshness, Hooks
from exporter.garbage import Rest
from exporter.loading import Loaded, Loader
from exporter.logs import dropped_lines
from exporter.looplag import watch_loop
from exporter.metrics import SERVER_EOL, Exposition, OwnMetrics, Page
from exporter.model import CLOCK_TOLERANCE, Report
from exporter.net.gate import HostGate
from exporter.net.resolve import Lookup, resolve_all
from exporter.policies import read_config
from exporter.probing.allow import Allow
from exporter.probing.answers import ProbeParts, Probing
from exporter.probing.prober import Using
from exporter.publisher import Publisher, Setup, same_service
from exporter.querying import Queries
from exporter.reloading import Reloader, Steps, make_reloader
from exporter.scan import Environment
from exporter.scan_log import log_scan
from exporter.scan_requests import Scanning, ScanRequests
from exporter.schedule import Past, Schedule
from exporter.sharding import Shard
from exporter.status import StatusSources
from exporter.store import Store
from exporter.store.changelog import MemoryLog
from exporter.store.database import Database, StoreError
from exporter.targets.discovered import NO_TARGETS, Rejected
from exporter.targets.discovery import Discovery, Staged
from exporter.targets.groups import ADDRESS
from exporter.targets.lists import Lists
from exporter.threads import COMPRESSION, LISTS
from exporter.web import AccessWatch, ApiData, Cut, Denial, Sources, Watch
from exporter.workers import ProtectionLog, Workers

log = logging.getLogger(__name__)

STOP_WITHIN = timedelta(seconds=5)
WRITE_WITHIN = timedelta(seconds=2)
"""A disk that hangs must not stop the end."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Where results are kept across restarts, and for how long their history is."""

    folder: Path
    retention: timedelta


EMPTY = "the list has become empty; set allow_empty: true at the top of the file if that is intended"


_AT_ONCE = 200
"""Targets of one step of the event loop, where a step costs 0.02 ms for each."""
_LISTS_APART = timedelta(seconds=1)
"""Least time between two uses of changed lists. A thousand changes in a minute are sixty."""


class App:
    """The daemon.

    Attributes:
        schedule: says when targets are scanned.
        freshness: says when they are judged, and scanned again, between regular scans.
        discovery: finds targets.
    """

    _backend: Backend  # set by `apply`, for the first configuration and for every later one
    _loaded: Loaded  # the same

    def __init__(  # noqa: PLR0913 - tests replace the clock and the lookup
        self,
        config: Config,
        *,
        store: Store | None = None,
        storage: Storage | None = None,
        now: Callable[[], datetime] = utc_now,
        lookup: Lookup = resolve_all,
        processes: int = 0,
    ) -> None:
        """Create it; `start` starts it.

        Args:
            config: the first configuration.
            store: where results are; None creates one.
            storage: see `Storage`; None keeps results in memory.
            now: the clock.
            lookup: finds addresses.
            processes: how many processes scan; 0 scans in this one.
        """
        self._first_config = config
        self._now = now
        self._lookup = lookup
        self._own = OwnMetrics()
        # One for all configurations: scans of the old one may still have open connections and busy workers.
        self._gate = HostGate()
        protections = ProtectionLog(self._own.show_protection)
        self._workers = Workers(
            on_restart=self._own.worker_restarts.inc,
            on_start=protections,
            on_not_tried=self._own.attacks_not_tried.inc,
        )
        self._own.scan_processes.set(processes)
        self._processes = ScanProcesses(
            processes,
            Reports(
                restarted=self._own.scan_process_restarts.inc,
                late=self._own.loop_lag.observe,
                worker_restarted=self._own.worker_restarts.inc,
                worker_started=protections,
                not_tried=self._own.attacks_not_tried.inc,
            ),
        )
        self._remote = RemoteScans(now, self._own.count_refused, self._own.note_broker)
        self._keys = KeyIndex()
        self._exposition = Exposition(self._own)
        self.store = store if store is not None else Store(lambda: self._store_failed(StoreError.RECORD))
        self._storage = storage
        self._publisher = Publisher(self.store, self._exposition, self._keys, now)
        self._loader = Loader(lambda: self._publisher.setup, self._keys.neighbours)
        self.schedule = Schedule(
            self._scan, workers=config.global_.max_concurrent_scans, now=now, tolerance=CLOCK_TOLERANCE
        )
        parts = ProbeParts(self._publisher, self.schedule, self._own)
        self._probing = Probing(parts, config.probe.max_concurrent_scans)
        hooks = Hooks(
            judge=self._publisher.judge_again,
            next_change=self._publisher.next_change,
            next_turn=self._publisher.next_turn,
            scan_again=self.schedule.scan_again,
            notice_step=self.schedule.notice_step,
        )
        self.freshness = Freshness(hooks, now)
        self.discovery = Discovery(now)
        self._api = self._make_api()
        self._ready = False
        self._version = 0  # of the configuration
        self._showing: asyncio.Task[None] | None = None
        self._unjudged: list[str] = []  # targets that are shown, and are judged when no other waits
        self._prepared: Loaded | None = None
        self._begun = False
        self._config_file: Path | None = None

    def use_shard(self, shard: Shard) -> None:
        """Use only the targets of this shard. Called before the start."""
        self._loader.shard = shard
        self._own.note_shard(shard.index, shard.total)

    async def prepare(self) -> None:
        """Read what is stored and make the targets, in threads: with thousands of them that takes seconds.

        `start` does what is left; without this call, all of it.

        Raises:
            ExporterError: as `start`.
        """
        await LISTS.run(self._open_storage, self)
        staged = self.discovery.stage(self._first_config)
        self._prepared = await LISTS.run(partial(self._loader.load, self._first_config, staged), self)
        self._first_config = self._prepared.config

    def _open_storage(self) -> None:
        if self._storage:
            self.store.use(
                Database(
                    self._storage.folder,
                    self._storage.retention,
                    now=self._now,
                    failed=self._store_failed,
                    everything=self.store.everything,
                )
            )
            self.discovery.keep_in(Lists(self._storage.folder))
        else:
            self.store.keep_log(MemoryLog(token_hex(8), self._now()))

    def start(self, ready: Callable[[], None] = lambda: None) -> None:
        """Restore what is stored, and start the schedule. Needs the running loop.

        `ready` is called when everything that was restored is shown.

        Raises:
            ExporterError: the storage cannot be used.
        """
        if self._prepared is None:
            self._open_storage()
        self.schedule.start()
        if self._prepared is None:
            self.apply(self._first_config)
            self._first_config = self._loaded.config
        else:
            self._switch(self._prepared)
            self._prepared = None
        self._begun = True
        self._own.note_start(self._now())
        if not self._publisher.setup.targets and not self._loaded.listing.elsewhere and not self.discovery.states:
            log.warning("the configuration has no targets")
        self._tasks = [
            asyncio.create_task(self._when_judged(ready)),
            asyncio.create_task(watch_loop(self._own.loop_lag.observe)),
            asyncio.create_task(self._exposition.keep_packed(lambda pack: COMPRESSION.run(pack, self._exposition))),
        ]

    async def _when_judged(self, ready: Callable[[], None]) -> None:
        """Be ready when what was restored is judged: a page with some targets would look as if the others were gone."""
        await self._loaded.staged.answered()
        await self._use_lists()
        self._tasks.append(asyncio.create_task(self._follow_lists()))
        await self.settled()
        self._own.restored.set(self._publisher.restored)
        self._ready = True
        ready()

    async def _follow_lists(self) -> None:
        """Use lists of targets when they have changed."""
        while True:
            await asyncio.sleep(_LISTS_APART.total_seconds())
            await self.discovery.changed.wait()
            await self._use_lists()

    async def _use_lists(self) -> None:
        """Use the lists of targets as they are now. If that fails, it is tried again."""
        if not self.discovery.changed.is_set():
            return
        self.discovery.changed.clear()
        try:
            await self._use_groups()
        except Exception:  # a named border: a defect in one list must not end this for ever
            log.exception("changed lists of targets")
            self.discovery.changed.set()

    async def _use_groups(self) -> None:
        loaded, groups = self._loaded, self.discovery.groups
        changed = await LISTS.run(partial(self._loader.with_lists, loaded, groups), self)
        if self._loaded is not loaded:  # reloaded meanwhile
            self.discovery.changed.set()
            return
        before = self._publisher.setup.targets.keys()
        self._use(changed.setup)
        self._loaded = changed
        self._note_lists(loaded.listing.rejected)
        now = changed.setup.targets.keys()
        if now != before:
            log.info("targets: %d new, %d gone, %d in all", len(now - before), len(before - now), len(now))

    def apply(self, config: Config) -> None:
        """Use this configuration: removed targets disappear with all their series at once.

        The facts of the other targets are judged again, one target after the other. `max_concurrent_scans` keeps its
        value from the start.

        Raises:
            ConfigError: a policy, or one of `eol_files`, has become invalid since the configuration was read; nothing
                is changed.
        """
        self._switch(self._loader.load(config, self.discovery.stage(config)))

    def _switch(self, loaded: Loaded, changed: Collection[str] = ()) -> None:
        """Use this configuration, or raise and keep the one before.

        Targets whose trust or client certificate is in a changed file are scanned again soon; their facts stay.
        """
        if loaded.staged.groups != loaded.groups:  # a list has changed while the configuration was read
            loaded = self._loader.with_lists(loaded, loaded.staged.groups)
        before, targets = self._publisher.setup.targets, loaded.setup.targets
        environment = self._make_environment(loaded.config)
        remote = self._remote.prepare(loaded.config.remote)
        try:
            self._use(loaded.setup)
        except Exception:
            self.discovery.abandon(loaded.staged)
            raise
        self.discovery.use(loaded.staged)
        self._backend, self._loaded = self._remote.use(remote) or self._make_backend(environment), loaded
        self._note_lists()
        using = Using(Allow(loaded.config.probe.allow), loaded.setup.judge, environment, self._make_backend)
        self._probing.use(loaded.config.global_, using)
        if changed:
            both = before.keys() & targets.keys()
            self.schedule.scan_again({name for name in both if not targets[name].files.isdisjoint(changed)})

    def _use(self, setup: Setup) -> None:
        """Use these targets, or raise and keep those before."""
        before = self._publisher.setup
        kept, shown_anew = self._publisher.kept(setup), self._publisher.changed(setup)
        try:
            self._reschedule(setup, kept)
            self._publisher.apply(setup)
        except Exception:
            self._reschedule(before, before.targets.keys())
            raise
        self._version += 1
        self.schedule.forgive({name for name in shown_anew & kept if setup.targets[name] != before.targets[name]})
        for name in before.targets.keys() - kept:
            self.freshness.forget(name)
        self.freshness.follow(setup.targets)
        shown = shown_anew & setup.targets.keys() - self._publisher.waiting
        if not self._publisher.waiting and len(shown) <= _AT_ONCE:
            self._resume(shown)
            return
        self._unjudged += shown
        if self._showing is None or self._showing.done():  # done: a defect has ended it
            self._showing = asyncio.create_task(self._show_waiting())

    def _resume(self, names: Collection[str]) -> None:
        """Judge these targets soon, if they have been scanned."""
        for name in names:
            begun = self._publisher.begun_at(name)
            if begun is not None:
                # A date that has come since is not forgotten. The clock may have been set back.
                self.freshness.resume(name, min(begun, self._now()))
        # What cannot be read is not known: these targets do not wait until they are due.
        unreadable, self._publisher.unreadable = self._publisher.unreadable, set()
        self.schedule.scan_again(unreadable)
        disturbed, self._publisher.disturbed = self._publisher.disturbed, set()
        self.freshness.judge_soon(disturbed)

    async def _show_waiting(self) -> None:
        """Show the targets of a long list in steps. All are judged after that: they may be neighbours."""
        while self._publisher.waiting or self._unjudged:
            some = self._publisher.show_waiting()
            self._unjudged += some
            if not some:
                names = [name for name in self._unjudged[:_AT_ONCE] if name in self._publisher.setup.targets]
                del self._unjudged[:_AT_ONCE]
                self._resume(names)
            await asyncio.sleep(0)
        self._showing = None

    async def settled(self) -> None:
        """Wait until all targets are shown and judged."""
        if self._showing is not None:
            await asyncio.shield(self._showing)
        await self.freshness.settled()

    def _past(self, name: str) -> Past | None:
        saved = self._publisher.saved(name)
        return None if saved is None else Past(saved.begun_at, saved.failures)

    def _reschedule(self, setup: Setup, kept: Collection[str]) -> None:
        """If a name now belongs to another service, that service must not inherit the old place in the schedule."""
        intervals = {name: target.scan_interval for name, target in setup.targets.items()}
        others = self.schedule.intervals.keys() & intervals.keys() - set(kept)
        if others:
            self.schedule.sync({name: intervals[name] for name in kept})
        self.schedule.sync(intervals, self._past, others)

    def _make_environment(self, config: Config) -> Environment:
        """What scans share under this configuration."""
        resolver = make_resolver(config)
        self._processes.use(config.global_.resolver)
        return Environment(self._now, resolver, self._gate, self._lookup, self._workers)

    def _make_backend(self, environment: Environment) -> Backend:
        """Where scans run in this environment."""
        if self._processes.number:
            return ProcessBackend(environment, self._processes)
        return LocalBackend(environment)

    def _note_lists(self, rejected_before: Collection[Rejected] = ()) -> None:
        """Show what is in use, and log which targets are rejected now."""
        setup, listing = self._loaded.setup, self._loaded.listing
        self._own.data_timestamp.labels(SERVER_EOL).set(setup.judge.table.as_of.timestamp())
        self._own.targets.set(len(setup.targets))
        self._own.show_sources(listing.outcomes)
        for one in listing.rejected:
            if one not in rejected_before:
                log.warning("%s: rejected %s: %s", one.place, one.labels.get(ADDRESS, "a target"), one.problem)

    def _note_reload(self, problem: str | None) -> None:
        self._own.note_reload(self._now() if problem is None else None)
        if problem is None:
            count = self.counts()[0]
            log.info("configuration reloaded: %d %s", count, "target" if count == 1 else "targets")
        else:
            log.error("reload failed, the old configuration stays: %s", problem)

    def reloader(self, path: Path, files: Fingerprint | None = None) -> Reloader["Loaded"]:
        """What reloads this configuration file; `files` is what the configuration in use was made of."""
        loop = asyncio.get_running_loop()
        self._config_file = path

        async def stage(config: Config) -> Staged:
            staged = self.discovery.stage(config)
            await staged.answered()
            return staged

        def load() -> Loaded:
            """Runs in a thread. Sources start on the event loop, and have some time for their first answer."""
            with Rest():
                config = read_config(path)
            staged = asyncio.run_coroutine_threadsafe(stage(config), loop).result()
            try:
                with Rest():
                    return self._loader.load(config, staged)
            except BaseException:
                loop.call_soon_threadsafe(self.discovery.abandon, staged)
                raise

        def use(loaded: Loaded, changed: Collection[str]) -> None:
            is_empty = not loaded.setup.targets and not loaded.listing.elsewhere
            if self._publisher.setup.targets and is_empty and not loaded.config.allow_empty:
                self.discovery.abandon(loaded.staged)
                raise ConfigError([Problem(str(path), 1, 1, "targets", EMPTY)])
            self._switch(loaded, changed)

        return make_reloader(Steps(load, use, self._note_reload), files or {})

    async def reload(self, path: Path) -> bool:
        """Reload once, and wait until all targets are judged. A failure changes nothing. Returns whether it worked."""
        problem = await self.reloader(path).once()
        await self.settled()
        return problem is None

    async def _scan(self, name: str, late: Callable[[], None]) -> bool | None:
        """Scan the target of this name and publish the result; see `exporter.dispatch.Run`."""
        scanned, begun = self._publisher.setup.targets[name], asyncio.get_running_loop().time()
        with self._probing.traced(name):
            known = self._publisher.known(scanned)
            if self.schedule.was_asked_for(name) or self._publisher.fails_by_hellos(name):
                known = {address: to_be_enumerated(facts) for address, facts in known.items()}
            found = await self._backend.run(scanned, known, late)
        self.schedule.keep(name)
        target = self._publisher.setup.targets.get(name)
        if target is None or not same_service(target, scanned):
            return None  # removed or changed during the scan: the results are about something else
        results = [replace(result, target=target) for result in found]
        success = all(result.success for result in results)
        failures = 0 if success else self.schedule.failures(name) + 1
        self._own.scans.labels("success" if success else "failure").inc()
        self._own.scan_duration.observe(asyncio.get_running_loop().time() - begun)
        reports, affected = await self._publisher.take(results, failures)
        log_scan(reports)
        self.freshness.judge_soon(affected)
        if not same_service(self._publisher.setup.targets.get(name), scanned):
            return None
        self.freshness.scanned(name, min(result.started_at for result in results), success=success)
        return success

    def _store_failed(self, error: StoreError) -> None:
        self._own.store_errors.labels(error).inc()

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Text and content type of `/metrics`, all at once."""
        page = self.begin_metrics(accept)()
        return page.text(), page.content_type

    def begin_metrics(self, accept: str) -> Callable[[], Page]:
        """What makes the page `/metrics` of this moment; it takes time."""
        self.own_metrics()
        return self._exposition.begin(accept)

    def own_metrics(self) -> OwnMetrics:
        """The metrics about the exporter itself, with all values as they are now."""
        self._own.time.set(self._now().timestamp())
        self._own.set_schedule(self.schedule.gauges)
        self._own.store_pending.set(self.store.pending)
        oldest, due = self.store.oldest_fact, self.schedule.next_due()
        self._own.oldest_fact.value = oldest.timestamp() if oldest else None
        self._own.next_due.value = due.timestamp() if due else None
        self._own.note_pools()
        self._own.note_sources(self.discovery.states)
        self._probing.note()
        self._own.count_dropped_lines(dropped_lines())
        return self._own

    def counts(self) -> tuple[int, int]:
        """Number of targets, and number of scanned targets."""
        return len(self._publisher.setup.targets), len(self.store.names())

    def status(self) -> str:
        """One line for the operator."""
        return "{} targets, {} of them scanned".format(*self.counts())

    def reports(self) -> list[Report]:
        """The latest reports of every scanned target, by name; one for each address."""
        return [report for reports in self._publisher.reports() for report in reports]

    def _make_api(self) -> ApiData:
        scanning = Scanning(
            scan_now=self.schedule.scan_now,
            waits_for=self.schedule.waits_for,
            begun_at=self._publisher.begun_at,
            monotonic=lambda: asyncio.get_running_loop().time(),
            new_id=lambda: token_hex(16),
            target_of=lambda name: self._publisher.setup.targets.get(name),  # noqa: PLW0108 - the setup changes
        )
        queries = Queries(self._publisher, self.store, self.schedule.next_due_of)
        return ApiData(
            queries,
            ScanRequests(scanning),
            ready=lambda: self._ready,
            sources=lambda: self.discovery.states,
            listing=lambda: self._loaded.listing if self._begun else NO_TARGETS,
        )

    def sources(self, reload: Callable[[], Awaitable[str | None]] | None = None) -> Sources:
        """The data of the web pages; without `reload` there is no configuration file to reload."""
        return Sources(
            metrics=self.begin_metrics,
            ready=lambda: self._ready,
            reload=reload,
            version=lambda: self._version,
            probe=self._probing.answer,
            api=self._api,
            status=StatusSources(
                own=self.own_metrics,
                config_file=lambda: self._config_file,
                exceptions=lambda: len((self._loaded.config if self._begun else self._first_config).exceptions),
                shard=lambda: self._loader.shard,
                zones=self._remote.answering,
                retention=self._storage.retention if self._storage else None,
            ),
        )

    def show_external_url(self, url: str) -> None:
        """Show where people reach the pages."""
        self._own.note_external_url(url)

    def watch(self) -> Watch:
        """Counts web connections."""

        def count(reason: Cut) -> None:
            self._own.web_cut.labels(reason).inc()

        return Watch(self._own.web_connections.set, count)

    def access_watch(self) -> AccessWatch:
        """Shows how the web configuration does, and counts requests that it denies."""

        def count(reason: Denial) -> None:
            self._own.web_denied.labels(reason).inc()

        return AccessWatch(self._own.note_web_config, count)

    async def stop(self) -> None:
        """Stop scanning."""
        for task in (*self._tasks, *([self._showing] if self._showing else [])):
            task.cancel()
        self._ready = False
        await self.discovery.stop(WRITE_WITHIN)
        if not await self.schedule.stop(STOP_WITHIN):
            log.warning("some scans did not end in time")
        self._remote.stop()
        await self._probing.stop()
        await self._processes.close()
        await self._workers.close()
        self.freshness.stop()
        self.store.close(WRITE_WITHIN)
