"""The composition root of the daemon: the only module that knows all the others."""

import asyncio
import itertools
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.assess import assess_all, held, next_turn, reassess_all
from exporter.backends import Backend, LocalBackend
from exporter.checks.registry import CHECKS
from exporter.config import Config, load_config
from exporter.errors import ConfigError
from exporter.fleet import KeyIndex
from exporter.metrics import SERVER_EOL, Exposition, OwnMetrics, render_reports, render_target, target_samples
from exporter.model import CLOCK_TOLERANCE, Report, Target
from exporter.net import nameservers
from exporter.net.gate import HostGate
from exporter.net.records import RecordResolver
from exporter.net.resolvconf import SystemResolver
from exporter.net.resolve import Lookup, resolve_all
from exporter.policies import Policy, load_policy, wrong_policy
from exporter.scan import Environment
from exporter.schedule import Schedule, share
from exporter.software.files import load_table, shipped_table
from exporter.store import MemoryStore, Store
from exporter.targets import static_targets
from exporter.web import Sources, make_app, serving
from exporter.workers import Workers

log = logging.getLogger(__name__)

STOP_WITHIN = timedelta(seconds=5)
JUDGED_EVERY_SECONDS = 60
"""Each target, between scans too: so soon it shows that a certificate or support has ended, a demand has come into
force, or facts are past their `max_age`. Two thousand targets under one policy take 6 to 10 s of a core for it."""


_TRIES_MORE = 2
"""Scans after a failed one at the moment a date comes; the schedule keeps them a minute apart."""
_AFTER_A_TURN = timedelta(seconds=1)
"""How long after a date in what was seen the target is looked at again: OpenSSL counts whole seconds."""


def utc_now() -> datetime:
    """The clock of the program."""
    return datetime.now(UTC)


def make_resolver(config: Config) -> RecordResolver:
    """The resolver for DNS records: the configured name servers, else the system's, whose changes it follows.

    Without either every lookup fails, which makes the answers unknown.
    """
    settings = config.global_.resolver
    if settings is None:
        system = SystemResolver()
        resolver = system.read()
        if not resolver.nameservers:
            log.warning("the system has no resolver; nothing will be known about DNS records until it has one")
        return RecordResolver(resolver).follow(system.renewed)
    resolver = nameservers.make_resolver(settings.nameservers, settings.port, settings.timeout.total_seconds())
    return RecordResolver(resolver, validating=settings.validating)


def policies_of(target: Target, known: Mapping[str, Policy]) -> tuple[Policy, ...]:
    """The policies that the target is held against, of those that were loaded, by name or path."""
    return tuple(known[policy] for policy in target.policies)


def with_questions(target: Target, policies: Sequence[Policy]) -> Target:
    """The target, asking the DNS for what its policies need to know and no more."""
    demanded = frozenset[str]().union(*(policy.demands for policy in policies))
    asked = [check.questions for check in CHECKS if check.name in demanded]
    return replace(target, questions=frozenset().union(*asked))


def read_config(path: Path) -> Config:
    """The configuration, its policies checked too.

    Raises:
        ConfigError: with every problem of the file.
    """
    return load_config(path, wrong_policy, lambda policy: load_policy(policy).name)


class App:
    """The daemon: targets, schedule, store and page, kept in step."""

    _backend: Backend
    _full: bool  # both by `apply`, for the first configuration as for every later one

    def __init__(
        self,
        config: Config,
        *,
        store: Store | None = None,
        now: Callable[[], datetime] = utc_now,
        lookup: Lookup = resolve_all,
    ) -> None:
        self._now = now
        self._lookup = lookup
        self._store = store if store is not None else MemoryStore()
        self._targets: dict[str, Target] = {}
        self._policies: dict[str, Policy] = {}
        self._own = OwnMetrics()
        self._exposition = Exposition(self._own)
        self._first_config = config
        # One for all configurations: scans under the old one may still have connections open, and workers busy.
        self._gate = HostGate()
        self._workers = Workers(on_restart=self._own.worker_restarts.inc)
        self._keys = KeyIndex()
        self._table = shipped_table()
        self._at_second: dict[int, list[str]] = {}
        self._turns: dict[str, datetime] = {}
        self._tries_left: dict[str, int] = {}
        self._to_judge: set[str] = set()
        self._to_render: set[str] = set()
        self._judging: asyncio.Task[None] | None = None
        self.schedule = Schedule(
            self._scan, workers=config.global_.max_concurrent_scans, now=now, tolerance=CLOCK_TOLERANCE
        )
        self._ready = False

    def start(self) -> None:
        """Start the schedule; needs the running loop."""
        self.schedule.start()
        self.apply(self._first_config)
        self._ready = True

    def apply(self, config: Config) -> None:
        """Make this the configuration: targets that are gone go with all their series, at once.

        What is known of the others is judged anew, one after the other. `max_concurrent_scans` keeps its value from
        the start.

        Raises:
            ConfigError: a policy, or one of `eol_files`, broke since the configuration was read; nothing has changed
                then.
        """
        targets = {target.name: target for target in static_targets(config)}
        named = {policy for target in targets.values() for policy in target.policies}
        policies = {policy: load_policy(policy) for policy in named}
        targets = {name: with_questions(target, policies_of(target, policies)) for name, target in targets.items()}
        table = load_table(config.software.eol_files)
        # A name that stands for another service now must not inherit the old one's facts or its place in the schedule.
        kept = {name for name, known in self._targets.items() if _service(targets.get(name)) == _service(known)}
        for name in self._targets.keys() - kept:
            self._store.remove(name)
            self._exposition.remove(name)
            self._keys.remove(name)
            self._turns.pop(name, None)
            self._tries_left.pop(name, None)
        self.schedule.sync({name: targets[name].scan_interval for name in kept})
        self.schedule.sync({name: target.scan_interval for name, target in targets.items()})
        self._targets, self._policies, self._table = targets, policies, table
        self._backend = self._make_backend(config)
        self._full = config.metrics.detail == "full"
        self._at_second = {}
        for name, target in targets.items():
            self._at_second.setdefault(int(share(name) * JUDGED_EVERY_SECONDS), []).append(name)
            if self._store.get(name):
                # A date that has come since is not forgotten by that.
                self._expect_turn(name, min(report.result.started_at for report in self._store.get(name)))
                self._to_render.add(name)
                self._judge_soon({name})
            else:
                samples = target_samples(target, policies_of(target, policies))
                self._exposition.put(name, render_target(target, samples, full=self._full))
        self._own.data_timestamp.labels(SERVER_EOL).set(table.as_of.timestamp())
        self._own.targets.set(len(targets))
        self._own.reload_successful.set(1)
        self._own.reload_timestamp.set(self._now().timestamp())

    def _make_backend(self, config: Config) -> Backend:
        """Where scans run under this configuration."""
        resolver = make_resolver(config)
        return LocalBackend(Environment(self._now, resolver, self._gate, self._lookup, self._workers))

    async def reload(self, path: Path) -> bool:
        """Read the file again; a bad one changes nothing. Whether it worked."""
        try:
            self.apply(await asyncio.to_thread(read_config, path))
        except ConfigError as error:
            self._own.reload_successful.set(0)
            log.error("reload failed, the old configuration stays: %s", error)
            return False
        if self._judging is not None:
            await self._judging
        log.info("configuration reloaded: %d targets", len(self._targets))
        return True

    async def _scan(self, name: str) -> None:
        scanned, begun = self._targets[name], asyncio.get_running_loop().time()
        known = {report.address: held(report.facts, scanned, self._now()) for report in self._store.get(name)}
        found = await self._backend.run(scanned, known)
        target = self._targets.get(name)
        if _service(target) != _service(scanned) or target is None:
            return  # removed or changed while the scan ran: its results are about something else
        results = [replace(result, target=target) for result in found]
        self._own.scans.labels("success" if all(result.success for result in results) else "failure").inc()
        self._own.scan_duration.observe(asyncio.get_running_loop().time() - begun)
        for result in results:
            where = f"{name} address={result.address}" if result.address else name
            for failure in result.failures:
                log.warning("target=%s probe=%s reason=%s %s", where, failure.probe, failure.reason, failure.detail)
        policies, neighbours = policies_of(target, self._policies), self._keys.neighbours(name)
        self._publish(assess_all(results, policies, self._now(), self._store.get(name), neighbours, table=self._table))
        self._expect_turn(name, min(result.started_at for result in results))
        if all(result.success for result in results):
            self._tries_left.pop(name, None)
        elif self._tries_left.get(name):
            self._tries_left[name] -= 1
            self.schedule.scan_again({name})

    def _expect_turn(self, name: str, since: datetime) -> None:
        """Note when a date in what was seen of the target comes, the first after `since`."""
        turn = next_turn(self._store.get(name), policies_of(self._targets[name], self._policies), since)
        if turn is None:
            self._turns.pop(name, None)
        else:
            self._turns[name] = turn

    def look_again(self) -> None:
        """Scan those again of which a date has come that was seen of them: a certificate has ended, or is about to.

        Until that scan can tell, what hangs on the date is unknown, so they are judged at once. Each date leads to one
        scan more, and to `_TRIES_MORE` others as long as they fail: servers are restarted at such moments.
        """
        self.schedule.notice_step()  # by that all are scanned, and these need not be twice
        latest = self._now() - _AFTER_A_TURN
        turned = {name for name, turn in self._turns.items() if turn <= latest}
        for name in turned:
            self._expect_turn(name, latest)
            self._tries_left[name] = _TRIES_MORE
        self._judge_soon(turned)
        self.schedule.scan_again(turned)

    def _publish(self, reports: Sequence[Report]) -> None:
        target = reports[0].target
        self._store.put(reports)
        lines = render_reports(reports, policies_of(target, self._policies), full=self._full)
        self._exposition.put(target.name, lines)
        self._to_render.discard(target.name)
        # What others share with this one has changed; their own facts have not.
        self._judge_soon(self._keys.update(target.name, reports))

    def _judge_again(self, name: str) -> None:
        """Judge what is known of the target as of now; where that changes nothing, what is shown stays as it is."""
        reports, target = self._store.get(name), self._targets.get(name)
        if reports and target is not None:
            policies, neighbours = policies_of(target, self._policies), self._keys.neighbours(name)
            anew = reassess_all(reports, target, policies, self._now(), neighbours, table=self._table)
            if anew != tuple(reports) or name in self._to_render:
                self._publish(anew)

    def _judge_alone(self, name: str) -> None:
        try:
            self._judge_again(name)
        except Exception:  # a named border: one target's bug must not leave the others as they were
            log.exception("judgement of %s", name)

    def _judge_soon(self, names: set[str]) -> None:
        self._to_judge |= names
        if self._to_judge and self._judging is None:
            self._judging = asyncio.create_task(self._judge_others())

    async def _judge_others(self) -> None:
        """One at a time: there can be thousands, and scans and scrapes go on in between."""
        while self._to_judge:
            self._judge_alone(self._to_judge.pop())
            await asyncio.sleep(0)
        self._judging = None

    async def judge_at(self, second: int) -> None:
        """Judge the targets whose turn it is at this second of `JUDGED_EVERY_SECONDS`, without a scan."""
        for name in self._at_second.get(second, ()):
            self._judge_alone(name)
            await asyncio.sleep(0)

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Body and content type of `/metrics`."""
        gauges = self.schedule.gauges
        self._own.running.set(gauges.running)
        self._own.waiting.set(gauges.waiting)
        self._own.lag.set(gauges.lag_seconds)
        return self._exposition.render(accept)

    def counts(self) -> tuple[int, int]:
        """Number of targets, and of those that have been scanned."""
        return len(self._targets), len(list(self._store.all()))

    def reports(self) -> list[Report]:
        """The latest reports of every target that was scanned, by name; one for each of its addresses."""
        return [report for reports in self._store.all() for report in reports]

    def sources(self) -> Sources:
        """What the web pages show."""
        return Sources(metrics=self.metrics, ready=lambda: self._ready, counts=self.counts)

    async def stop(self) -> None:
        """Stop scanning."""
        self._ready = False
        if not await self.schedule.stop(STOP_WITHIN):
            log.warning("some scans did not end in time")
        await self._workers.close()
        if self._judging is not None:
            self._judging.cancel()


def _service(target: Target | None) -> tuple[object, ...] | None:
    """What makes two targets of one name the same service, of which the facts at hand still hold."""
    if target is None:
        return None
    where = target.host, target.port, target.connect_address, target.addresses, target.ip_protocol
    way = target.proxy and str(target.proxy)  # another password leads to the same service, another proxy need not
    return *where, way, target.starttls, target.server_name, target.ca_file, target.client_certificate


async def serve(config_file: Path, config: Config, addresses: list[tuple[str, int]]) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Raises:
        ExporterError: an address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    app = App(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    reloads: set[asyncio.Task[bool]] = set()  # the loop itself holds tasks weakly

    def reload() -> None:
        task = asyncio.create_task(app.reload(config_file))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    async with serving(make_app(app.sources()), addresses) as bound:
        for host, port in bound:
            log.info("listening on %s port %d", host, port)
        app.start()
        await keep_fresh(app, stopping)
        log.info("stopping")
        await app.stop()


async def keep_fresh(app: App, stopping: asyncio.Event) -> None:
    """Judge all targets again and again, each at a second of its own, and scan them when a date has come that was seen.

    Until told to stop.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for second in itertools.count():
        # Whole rounds that a standstill has cost are not made up for; nobody's turn is left out of the next one.
        begun += max(0, (loop.time() - begun - second) // JUDGED_EVERY_SECONDS) * JUDGED_EVERY_SECONDS
        try:
            async with asyncio.timeout_at(begun + second):
                await stopping.wait()
        except TimeoutError:
            app.look_again()
            await app.judge_at(second % JUDGED_EVERY_SECONDS)
        else:
            return
