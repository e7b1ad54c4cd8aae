"""What is measured of the daemon with a number of targets, in the order in which it happens."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from bench.scale.daemon import BUSY_INTERVAL, Page, ScaleDaemon, Setting, children, memory_mib
from bench.scale.farm import ScaleFarm
from bench.scale.reference import generate_latest_cpu

Tell = Callable[[str], None]
SCRAPE_EVERY_SECONDS = 15.0
"""As Prometheus does by default in its example configuration."""
FRESH_SECONDS = 1.2
"""A page is given to all who ask within a second; a scrape that is measured comes later."""
HOUR_SECONDS = 3600
ALIKE_AT_ONCE = 4
"""More scans at once of one server take longer each, and could reach their deadline on a busy machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the parts of a measurement are.

    Attributes:
        window_seconds: how long the busy targets are scanned, and how long the idle daemon is watched.
        first_seconds: most time for the first scan of all targets.
        busy: how many targets are scanned every ten seconds.
        alike: how many, if all are of one kind: few enough that no scan comes near its deadline.
        scrapes, reloads: how many are measured.
    """

    window_seconds: float = 45
    first_seconds: float = 600
    busy: int = 100
    alike: int = 20
    scrapes: int = 4
    reloads: int = 2


@dataclass(frozen=True, slots=True)
class Ground:
    """Where measurements happen: the servers, a folder for files, whose daemon it is, and where progress is printed."""

    farm: ScaleFarm
    folder: Path
    tree: Path
    tell: Tell


@dataclass(frozen=True, slots=True)
class Load:
    """What a window of time cost.

    Attributes:
        scans: that ended.
        cpu: seconds of the daemon and its workers.
        seconds: its length.
        scrapes: in it.
        lag: upper limit in seconds -> how often the event loop was at most that late.
    """

    scans: int
    cpu: float
    seconds: float
    scrapes: int
    lag: Mapping[float, float] = field(default_factory=dict)

    def lag_limit(self, share: float) -> float | None:
        """The upper limit of the bucket with this share of all observations; None without any."""
        total = max(self.lag.values(), default=0)
        fitting = (limit for limit, count in sorted(self.lag.items()) if count >= share * total)
        return next(fitting, None) if total else None


@dataclass(frozen=True, slots=True)
class Size:
    """The figures of a number of targets; times in seconds.

    Attributes:
        first: the first scans.
        load: busy targets are scanned, with a scrape every 15 s.
        idle: no scan is due, no scrape.
        scrape_cpu, scrape_plain_cpu, scrape_seconds: of one scrape; the wall time is that of gzip.
        reference_cpu: of prometheus_client's `generate_latest` for the same samples.
        reload_seconds, reload_cpu: with one changed target.
        stop_seconds, stop_cpu: SIGTERM while busy targets are scanned.
        healthy_seconds, ready_seconds, scraped_seconds, start_cpu: a start with a full store: until `/-/healthy`,
            `/-/ready` and the end of the first scrape, which has all targets.
    """

    targets: int
    scanned: int
    series: int
    first: Load
    load: Load
    idle: Load
    rss_mib: float
    peak_mib: float
    workers_mib: float
    scrape_cpu: float
    scrape_plain_cpu: float
    scrape_seconds: float
    page_bytes: int
    packed_bytes: int
    reference_cpu: float
    lag_of_schedule: float
    reload_seconds: float
    reload_cpu: float
    stop_seconds: float
    stop_cpu: float
    healthy_seconds: float
    ready_seconds: float
    scraped_seconds: float
    start_cpu: float
    restored: int
    warm_rss_mib: float
    store_bytes: int

    @property
    def scan_cpu(self) -> float:
        """CPU of one scan under load, without what scrapes and, if that is known, the idle daemon cost."""
        return net_cpu(self.load, None if self.idle.scans else self.idle, self.scrape_cpu)

    @property
    def idle_share(self) -> float | None:
        """Share of a core of the idle daemon: judging and what else is done all the time. None if it was not idle."""
        return None if self.idle.scans else self.idle.cpu / self.idle.seconds

    @property
    def hourly_share(self) -> float:
        """Share of a core of hourly scans of all targets."""
        return self.scan_cpu * self.targets / HOUR_SECONDS


def net_cpu(load: Load, idle: Load | None, scrape_cpu: float) -> float:
    """CPU of one scan, without what the idle daemon and scrapes cost."""
    beside = 0.0 if idle is None else idle.cpu / idle.seconds * load.seconds
    return max(0.0, load.cpu - beside - load.scrapes * scrape_cpu) / load.scans if load.scans else 0.0


def watch(daemon: ScaleDaemon, seconds: float, *, scrapes: bool, until: Callable[[Page], bool] | None = None) -> Load:
    """Watch for some time, with scrapes every 15 s or without; `until` ends it after the scrape that fulfils it."""
    before = daemon.scrape()
    time.sleep(FRESH_SECONDS)
    begun, cpu, number = time.monotonic(), daemon.cpu(), 0
    give_up = begun + seconds
    while (left := give_up - time.monotonic()) > 0:
        time.sleep(min(left, SCRAPE_EVERY_SECONDS if scrapes else seconds))
        if scrapes and give_up - time.monotonic() > FRESH_SECONDS:
            number += 1
            page = daemon.scrape()
            if until is not None and until(page):
                break
    spent, took = daemon.cpu() - cpu, time.monotonic() - begun
    after = daemon.scrape()
    old = before.buckets("loop_lag_seconds")
    lag = {limit: count - old.get(limit, 0) for limit, count in after.buckets("loop_lag_seconds").items()}
    return Load(int(after.own("scans_total") - before.own("scans_total")), spent, took, number, lag)


def scrape_costs(daemon: ScaleDaemon, encoding: str, number: int) -> tuple[float, float, Page]:
    """CPU and wall time of a scrape, the means of several, and the last page."""
    cpu, seconds, page = 0.0, 0.0, None
    for _ in range(number):
        time.sleep(FRESH_SECONDS)
        before = daemon.cpu()
        page = daemon.scrape(encoding)
        cpu, seconds = cpu + daemon.cpu() - before, seconds + page.seconds
    assert page is not None  # noqa: S101 - `number` is positive
    return cpu / number, seconds / number, page


def reload_costs(daemon: ScaleDaemon, number: int) -> tuple[float, float]:
    """Wall time and CPU of a reload of one changed target, the means of several."""
    seconds = cpu = 0.0
    for turn in range(number):
        daemon.configure(f"reload {turn}")
        begun, before = time.monotonic(), daemon.cpu()
        daemon.reload()
        seconds, cpu = seconds + time.monotonic() - begun, cpu + daemon.cpu() - before
    return seconds / number, cpu / number


@contextmanager
def running_daemon(
    ground: Ground, name: str, setting: Setting, lists: Mapping[str, Sequence[str]]
) -> Iterator[ScaleDaemon]:
    """A daemon that has these lists, until the end of the block."""
    daemon = ScaleDaemon(ground.folder / name, ground.farm, setting, ground.tree)
    daemon.configure()
    for title, targets in lists.items():
        daemon.list_targets(title, targets)
    try:
        daemon.start()
        daemon.wait_until("/-/ready")
        yield daemon
    finally:
        daemon.end()


def measure_size(ground: Ground, number: int, plan: Plan) -> Size:
    """All figures with this many targets."""
    tell, targets = ground.tell, [ground.farm.target(place) for place in range(number - 1)]
    lists = {"busy": targets[: plan.busy], "rest": targets[plan.busy :]}
    with running_daemon(ground, str(number), Setting(), lists) as daemon:
        tell(f"{number} targets: first scans")
        first = watch(
            daemon,
            plan.first_seconds,
            scrapes=True,
            until=lambda page: page.rests and page.own("scans_total") >= number,
        )
        tell(f"{number} targets: {first.scans} scans; the idle daemon")
        idle = watch(daemon, plan.window_seconds, scrapes=False)
        tell(f"{number} targets: scrapes")
        scrape_cpu, scrape_seconds, packed = scrape_costs(daemon, "gzip", plan.scrapes)
        plain_cpu, _, page = scrape_costs(daemon, "identity", plan.scrapes)
        reference = generate_latest_cpu(page.text)
        tell(f"{number} targets: reloads")
        reload_seconds, reload_cpu = reload_costs(daemon, plan.reloads)
        tell(f"{number} targets: {len(lists['busy'])} of them every ten seconds")
        daemon.list_targets("busy", lists["busy"], busy=True)
        time.sleep(SCRAPE_EVERY_SECONDS)
        load = watch(daemon, plan.window_seconds, scrapes=True)
        last = daemon.scrape()
        rss, peak = memory_mib(daemon.pid)
        workers = sum(memory_mib(child)[0] for child in children(daemon.pid))
        tell(f"{number} targets: SIGTERM, and a start with a full store")
        stop_seconds, stop_cpu = daemon.stop()
        warm = _warm_start(daemon, lists["busy"])
        warm_rss = memory_mib(daemon.pid)[0]
        return Size(
            targets=number,
            scanned=last.targets,
            series=last.series,
            first=first,
            load=load,
            idle=idle,
            rss_mib=rss,
            peak_mib=peak,
            workers_mib=workers,
            scrape_cpu=scrape_cpu,
            scrape_plain_cpu=plain_cpu,
            scrape_seconds=scrape_seconds,
            page_bytes=page.size,
            packed_bytes=packed.size,
            reference_cpu=reference,
            lag_of_schedule=last.own("scan_lag_seconds"),
            reload_seconds=reload_seconds,
            reload_cpu=reload_cpu,
            stop_seconds=stop_seconds,
            stop_cpu=stop_cpu,
            healthy_seconds=warm.healthy,
            ready_seconds=warm.ready,
            scraped_seconds=warm.scraped,
            start_cpu=warm.cpu,
            restored=warm.restored,
            warm_rss_mib=warm_rss,
            store_bytes=daemon.stored_bytes(),
        )


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Seconds from the start of the process, its CPU until the end of the first scrape, and what was restored."""

    healthy: float
    ready: float
    scraped: float
    cpu: float
    restored: int


def _warm_start(daemon: ScaleDaemon, busy: Sequence[str]) -> WarmStart:
    daemon.list_targets("busy", busy)
    begun = time.monotonic()
    daemon.start()
    daemon.wait_until("/-/healthy")
    healthy = time.monotonic() - begun
    daemon.wait_until("/-/ready")
    ready = time.monotonic() - begun
    page = daemon.scrape()
    scraped = time.monotonic() - begun
    return WarmStart(healthy, ready, scraped, daemon.cpu(), page.targets)


@dataclass(frozen=True, slots=True)
class KindCost:
    """Scans of one kind of target only.

    Attributes:
        attacks: whether each scan tried attacks in workers of sslyze.
        connections: of one scan.
        suites: protocol -> the suites that were found.
    """

    kind: str
    attacks: bool
    load: Load
    connections: int
    suites: Mapping[str, frozenset[str]]

    @property
    def scan_cpu(self) -> float:
        """Seconds of CPU of one scan; what the daemon does else is included."""
        return net_cpu(self.load, None, 0)


def measure_kind(ground: Ground, kind: str, plan: Plan, *, attacks: bool) -> KindCost:
    """The cost of scans of one kind of target."""
    targets = [ground.farm.target(place, kind) for place in range(plan.alike)]
    attack = BUSY_INTERVAL if attacks else "never"
    setting = Setting(attacks=attack, interval=BUSY_INTERVAL, concurrent=ALIKE_AT_ONCE)
    with running_daemon(ground, f"{kind}-{attacks}", setting, {"busy": targets}) as daemon:
        watch(daemon, plan.first_seconds, scrapes=True, until=lambda page: page.own("scans_total") > len(targets))
        load = watch(daemon, plan.window_seconds, scrapes=False)
        status, body = daemon.ask("GET", "/api/v1/targets/" + quote(targets[0].removeprefix("https://"), safe=""))
    if status != 200:
        raise RuntimeError(f"no report of {targets[0]}: {body!r}")
    (report,) = json.loads(body)["data"]["reports"]
    suites = {protocol: frozenset(names) for protocol, names in report["facts"]["cipher_suites"].items() if names}
    return KindCost(kind, attacks, load, report["connections"], suites)
