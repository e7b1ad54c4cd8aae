"""The daemon: creates its parts and connects them. It does no work of its own."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from exporter.backends import Backend, LocalBackend
from exporter.config import Config
from exporter.environment import make_resolver, utc_now
from exporter.errors import ConfigError
from exporter.fleet import KeyIndex
from exporter.freshness import Freshness, Hooks
from exporter.judge import load_judge
from exporter.logs import dropped_lines
from exporter.metrics import SERVER_EOL, Exposition, OwnMetrics
from exporter.model import CLOCK_TOLERANCE, Report
from exporter.net.gate import HostGate
from exporter.net.resolve import Lookup, resolve_all
from exporter.policies import read_config
from exporter.publisher import Publisher, Setup, same_service
from exporter.scan import Environment
from exporter.scan_log import log_scan
from exporter.schedule import Schedule
from exporter.stopping import stop_by_signals
from exporter.store import MemoryStore, Store
from exporter.systemd import Notifier
from exporter.targets import static_targets
from exporter.web import Sources, make_app, serving
from exporter.workers import Workers

log = logging.getLogger(__name__)

STOP_WITHIN = timedelta(seconds=5)


class App:
    """The daemon.

    Attributes:
        schedule: says when targets are scanned.
        freshness: says when they are judged, and scanned again, between regular scans.
    """

    _backend: Backend  # set by `apply`, for the first configuration and for every later one

    def __init__(
        self,
        config: Config,
        *,
        store: Store | None = None,
        now: Callable[[], datetime] = utc_now,
        lookup: Lookup = resolve_all,
    ) -> None:
        self._first_config = config
        self._now = now
        self._lookup = lookup
        self._own = OwnMetrics()
        # One for all configurations: scans of the old one may still have open connections and busy workers.
        self._gate = HostGate()
        self._workers = Workers(on_restart=self._own.worker_restarts.inc)
        self._keys = KeyIndex()
        self._exposition = Exposition(self._own)
        self._publisher = Publisher(store if store is not None else MemoryStore(), self._exposition, self._keys, now)
        self.schedule = Schedule(
            self._scan, workers=config.global_.max_concurrent_scans, now=now, tolerance=CLOCK_TOLERANCE
        )
        hooks = Hooks(
            judge=self._publisher.judge_again,
            next_turn=self._publisher.next_turn,
            scan_again=self.schedule.scan_again,
            notice_step=self.schedule.notice_step,
        )
        self.freshness = Freshness(hooks, now)
        self._ready = False

    def start(self) -> None:
        """Start the schedule. Needs the running loop."""
        self.schedule.start()
        self.apply(self._first_config)
        self._ready = True

    def apply(self, config: Config) -> None:
        """Use this configuration: removed targets disappear with all their series at once.

        The facts of the other targets are judged again, one target after the other. `max_concurrent_scans` keeps its
        value from the start.

        Raises:
            ConfigError: a policy, or one of `eol_files`, has become invalid since the configuration was read; nothing
                is changed.
        """
        before, setup, backend = self._publisher.setup, self._make_setup(config), self._make_backend(config)
        kept, self._backend = self._publisher.apply(setup), backend
        # If a name now belongs to another service, that service must not inherit the old place in the schedule.
        intervals = {name: target.scan_interval for name, target in setup.targets.items()}
        self.schedule.sync({name: intervals[name] for name in kept})
        self.schedule.sync(intervals)
        for name in before.targets.keys() - kept:
            self.freshness.forget(name)
        self.freshness.follow(intervals)
        for name in intervals:
            begun = self._publisher.begun_at(name)
            if begun is not None:
                self.freshness.expect_turn(name, begun)  # a date that has come since is not forgotten
                self.freshness.judge_soon({name})
        self._note_reload(setup)

    def _make_setup(self, config: Config) -> Setup:
        targets = static_targets(config)
        judge = load_judge(targets, config.software.eol_files, self._keys.neighbours)
        asking = {target.name: judge.with_questions(target) for target in targets}
        return Setup(asking, judge, full=config.metrics.detail == "full")

    def _make_backend(self, config: Config) -> Backend:
        """Where scans run under this configuration."""
        resolver = make_resolver(config)
        return LocalBackend(Environment(self._now, resolver, self._gate, self._lookup, self._workers))

    def _note_reload(self, setup: Setup) -> None:
        self._own.data_timestamp.labels(SERVER_EOL).set(setup.judge.table.as_of.timestamp())
        self._own.targets.set(len(setup.targets))
        self._own.reload_successful.set(1)
        self._own.reload_timestamp.set(self._now().timestamp())

    async def reload(self, path: Path) -> bool:
        """Read the file again. An invalid file changes nothing. Returns whether it worked."""
        try:
            self.apply(await asyncio.to_thread(read_config, path))
        except ConfigError as error:
            self._own.reload_successful.set(0)
            log.error("reload failed, the old configuration stays: %s", error)
            return False
        await self.freshness.settled()
        log.info("configuration reloaded: %d targets", self.counts()[0])
        return True

    async def _scan(self, name: str) -> None:
        """Scan the target of this name and publish the result."""
        scanned, begun = self._publisher.setup.targets[name], asyncio.get_running_loop().time()
        found = await self._backend.run(scanned, self._publisher.known(scanned))
        target = self._publisher.setup.targets.get(name)
        if target is None or not same_service(target, scanned):
            return  # removed or changed during the scan: the results are about something else
        results = [replace(result, target=target) for result in found]
        success = all(result.success for result in results)
        self._own.scans.labels("success" if success else "failure").inc()
        self._own.scan_duration.observe(asyncio.get_running_loop().time() - begun)
        self.freshness.judge_soon(self._publisher.take(results))
        log_scan(self._publisher.latest(name))
        self.freshness.scanned(name, min(result.started_at for result in results), success=success)

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Body and content type of `/metrics`."""
        gauges = self.schedule.gauges
        self._own.running.set(gauges.running)
        self._own.waiting.set(gauges.waiting)
        self._own.lag.set(gauges.lag_seconds)
        self._own.count_dropped_lines(dropped_lines())
        return self._exposition.render(accept)

    def counts(self) -> tuple[int, int]:
        """Number of targets, and number of scanned targets."""
        return len(self._publisher.setup.targets), len(self._publisher.reports())

    def status(self) -> str:
        """One line for the operator."""
        return "{} targets, {} of them scanned since the start".format(*self.counts())

    def reports(self) -> list[Report]:
        """The latest reports of every scanned target, by name; one for each address."""
        return [report for reports in self._publisher.reports() for report in reports]

    def sources(self) -> Sources:
        """The data of the web pages."""
        return Sources(metrics=self.metrics, ready=lambda: self._ready, counts=self.counts)

    async def stop(self) -> None:
        """Stop scanning."""
        self._ready = False
        if not await self.schedule.stop(STOP_WITHIN):
            log.warning("some scans did not end in time")
        await self._workers.close()
        self.freshness.stop()


async def serve(
    config_file: Path,
    config: Config,
    addresses: list[tuple[str, int]],
    passed: Sequence[socket.socket],
    notifier: Notifier,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    It listens on the addresses, and on sockets that it was passed.

    Raises:
        ExporterError: an address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    stopping = stop_by_signals()
    app = App(config)
    reloads: set[asyncio.Task[bool]] = set()  # the loop itself holds tasks weakly

    def reload() -> None:
        notifier.reloading(loop.time())
        task = asyncio.create_task(app.reload(config_file))
        reloads.add(task)
        task.add_done_callback(lambda _: notifier.ready())
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    async with serving(make_app(app.sources()), addresses, passed) as bound:
        for host, port in bound:
            log.info("listening on %s port %d", host, port)
        app.start()
        notifier.ready()
        telling = asyncio.create_task(notifier.run(app.status), name="systemd")
        await app.freshness.run(stopping)
        log.info("stopping")
        notifier.stopping()
        telling.cancel()
        await app.stop()
