"""Run as a program: the daemon scans for a long time while targets come and go, and what it uses is watched.

`make soak` runs all of it. docs/scale.md explains the figures.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.plot import draw
from bench.scale.daemon import BUSY_INTERVAL, ScaleDaemon, Setting, children
from bench.scale.farm import Group, ScaleFarm, group, scale_farm
from bench.scale.namespace import run_inside
from tests.hostile.watching import resident_kib, usage

KINDS = ("modern", "refused", "weak")
COMPLETE_SHARE = 0.6
"""Share of targets that are scanned completely; the port of the others is closed."""
ATTACKED = 8
"""Weak targets on which each scan tries attacks in the workers of sslyze. They always stay."""
ATTACK_INTERVAL, ATTACK_TIMEOUT = "60s", "50s"
"""Of these targets. An attack that does not end within the time of its scan costs a worker."""
POOL = 3
"""There are so many times more names than targets at once: each name goes, and comes back later.

The store keeps what it knows of a removed target for a week, so only names that come back leave it as large as it is.
"""
AT_ONCE = 10
"""Scans at once. With more, each takes longer, and on a busy machine they reach their deadline."""
LIST_SECONDS = 6.0
"""Least time between two changes of the list. A file is read when it was the same in two looks, two seconds apart."""
EVERY_SECONDS = 10.0
WARM_LISTS = 3
"""Lists before the first look without targets."""
QUIET_SECONDS = 120.0
LIMITS = {"own_kib": 0.03, "worker_kib": 0.25, "store_bytes": 0.03, "descriptors": 0.1, "threads": 0.1}
"""Most growth over the second half, as a share of the median. Workers are replaced, so that of a worker varies."""
LEAST = {"descriptors": float(AT_ONCE), "threads": 4.0}
"""Growth in numbers that is allowed at least. Descriptors vary by the connections of the scans that run, and by the
pipes of workers; a pool adds a thread when all are busy. What a reload or a scan left would be hundreds."""
MOST_PAIRS = 400
"""Looks that the slope is computed of; its cost grows with the square."""


@dataclass(frozen=True, slots=True)
class State:
    """What the daemon uses and has done at one moment; `worker_kib` is the memory of its largest worker."""

    seconds: float
    scans: int
    reloads: int
    targets: int
    restarts: int
    own_kib: int
    worker_kib: int
    descriptors: int
    threads: int
    store_bytes: int


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """How much is done.

    Attributes:
        scans, reloads: least numbers.
        live: targets at once; each is scanned every ten seconds.
        most_seconds: it ends after this time in any case.
    """

    scans: int = 50_000
    reloads: int = 1_000
    live: int = 240
    most_seconds: float = 3600

    @property
    def step_seconds(self) -> float:
        """Time from one reload to the next: both numbers are reached at about the same time."""
        return self.scans / (self.live / 10) / self.reloads

    @property
    def steps_a_list(self) -> int:
        """After how many reloads the list changes."""
        return max(1, math.ceil(LIST_SECONDS / self.step_seconds))

    @property
    def changed(self) -> int:
        """How many targets are replaced with each change of the list."""
        return max(1, self.live // 8)


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was seen.

    Attributes:
        states: a look every ten seconds.
        before, after: without targets, after the first replacements and at the end.
        left: what the daemon shows at the end of targets that were removed.
    """

    states: Sequence[State]
    before: State
    after: State
    left: Sequence[str]


Tell = Callable[[State], None]


class Soak:
    """The daemon with its changing lists."""

    def __init__(self, daemon: ScaleDaemon, farm: ScaleFarm, plan: SoakPlan, tell: Tell) -> None:
        self._daemon, self._farm, self._plan, self._tell = daemon, farm, plan, tell
        self._begun = time.monotonic()
        self._steps = 0

    def run(self) -> Soaked:
        """Do all of it."""
        for _ in range(WARM_LISTS * self._plan.steps_a_list):
            self._step()
        before = self._quiet()
        states, plan = [self._look()], self._plan
        looked = time.monotonic()
        while not self._enough(states[-1]) and time.monotonic() - self._begun < plan.most_seconds:
            self._step()
            if time.monotonic() - looked >= min(EVERY_SECONDS, plan.step_seconds * 2):
                looked = time.monotonic()
                states.append(self._look())
                self._tell(states[-1])
        after = self._quiet()
        return Soaked(states, before, after, self._left())

    def _enough(self, state: State) -> bool:
        return state.scans >= self._plan.scans and state.reloads >= self._plan.reloads

    def _step(self) -> None:
        """Change the label of one target, at times also the list of the others, and reload."""
        begun = time.monotonic()
        if self._steps % self._plan.steps_a_list == 0:
            self._daemon.list_groups("busy", *self._groups())
        self._daemon.configure(f"step {self._steps}")
        self._daemon.hang_up()
        self._steps += 1
        time.sleep(max(0.0, self._plan.step_seconds - (time.monotonic() - begun)))

    def _groups(self) -> list[Group]:
        """The targets of this step: a window of the pool that moves on."""
        plan, pool = self._plan, self._plan.live * POOL
        lists = self._steps // plan.steps_a_list
        numbers = [(lists * plan.changed + place) % pool for place in range(plan.live - ATTACKED)]
        whole = [number for number in numbers if number % 100 < COMPLETE_SHARE * 100]
        closed = [number for number in numbers if number % 100 >= COMPLETE_SHARE * 100]
        weak = [self._farm.target(pool + place, "weak") for place in range(ATTACKED)]
        busy = {"__scan_interval__": BUSY_INTERVAL}
        attacks = {"__scan_interval__": ATTACK_INTERVAL, "__vulnerability_interval__": ATTACK_INTERVAL}
        attacks["__scan_timeout__"] = ATTACK_TIMEOUT
        return [
            group([self._farm.target(number, "modern") for number in whole], **busy),
            group([self._farm.target(number, "refused") for number in closed], **busy),
            group(weak, **attacks),
        ]

    def _quiet(self) -> State:
        """Remove all targets of the list, wait until no scan runs, and look."""
        self._daemon.list_groups("busy")
        give_up = time.monotonic() + QUIET_SECONDS
        while True:
            page = self._daemon.scrape()
            if (page.own("targets"), page.own("scans_running")) == (1, 0):
                return self._look()
            if time.monotonic() > give_up:
                raise TimeoutError("scans of removed targets do not end")
            time.sleep(1.2)  # a page is given out for a second

    def _look(self) -> State:
        page, used = self._daemon.scrape(), usage(self._daemon.pid)
        return State(
            seconds=round(time.monotonic() - self._begun, 1),
            scans=int(page.own("scans_total")),
            reloads=int(page.own("config_reloads_total")),
            targets=int(page.own("targets")),
            restarts=int(page.own("worker_restarts_total")),
            own_kib=used.own_kib,
            worker_kib=max(map(resident_kib, children(self._daemon.pid)), default=0),
            descriptors=used.descriptors,
            threads=used.threads,
            store_bytes=self._daemon.stored_bytes(),
        )

    def _left(self) -> list[str]:
        """Targets other than that of the configuration that metrics or the API still show."""
        time.sleep(1.2)
        lines = [line for line in self._daemon.scrape().text.splitlines() if '{target="127.' in line]
        _, body = self._daemon.ask("GET", "/api/v1/targets")
        named = [one["name"] for one in json.loads(body)["data"]["targets"]]
        return [text for text in (*lines, *named) if "127.63.0.1" not in text]


def growth(states: Sequence[State], name: str) -> float:
    """How much a figure grew over the second half: its time by the Theil-Sen slope (the median over all pairs)."""
    half = states[len(states) // 2 :]
    some = half[:: max(1, len(half) // MOST_PAIRS)]
    pairs = ((one, two) for one, two in combinations(some, 2) if two.seconds > one.seconds)
    slopes: list[float] = [
        float(getattr(two, name) - getattr(one, name)) / (two.seconds - one.seconds) for one, two in pairs
    ]
    return statistics.median(slopes) * float(half[-1].seconds - half[0].seconds) if slopes else 0.0


def allowed(states: Sequence[State], name: str) -> float:
    """The most that it may grow."""
    median = statistics.median(float(getattr(state, name)) for state in states[len(states) // 2 :])
    return max(LIMITS[name] * median, LEAST.get(name, 0.0))


def run(plan: SoakPlan, tell: Tell = lambda _: None) -> Soaked:
    """Start the servers and the daemon, and do what the plan says."""
    with tempfile.TemporaryDirectory(prefix="tls-posture-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers run as other users
        with scale_farm(folder / "farm", KINDS) as farm:
            daemon = ScaleDaemon(folder / "daemon", farm, Setting(interval=BUSY_INTERVAL, concurrent=AT_ONCE))
            daemon.configure()
            daemon.list_groups("busy")
            try:
                daemon.start()
                daemon.wait_until("/-/ready")
                return Soak(daemon, farm, plan, tell).run()
            finally:
                daemon.end()


def show(console: Console, soaked: Soaked) -> bool:
    """Print what grew; whether all of it stayed within its limit and nothing is left of removed targets."""
    states = soaked.states
    table = Table(box=box.MARKDOWN)
    for title in ("", "first look", "middle", "last look", "growth of the second half", "allowed", ""):
        table.add_column(title, justify="right")
    flat = not soaked.left
    for name in LIMITS:
        grown, most = growth(states, name), allowed(states, name)
        flat &= grown <= most
        looks = (states[0], states[len(states) // 2], states[-1])
        cells = (*(getattr(state, name) for state in looks), round(grown, 1), round(most, 1))
        table.add_row(name, *(f"{cell:,}" for cell in cells), "flat" if grown <= most else "GROWS")
    console.print(table)
    last = states[-1]
    console.print(
        f"{last.scans:,} scans, {last.reloads:,} reloads, "
        f"{last.restarts} workers that crashed or were killed, {last.seconds:,.0f} s\n"
        f"without targets {soaked.before.descriptors} and {soaked.after.descriptors} descriptors, "
        f"{soaked.before.threads} and {soaked.after.threads} threads before and after; "
        f"{len(soaked.left)} lines left of removed targets"
    )
    return flat


def main() -> int:
    """Measure as the command line says; 1 if something grew."""
    usual = SoakPlan()
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--scans", type=int, default=usual.scans, help="at least; default 50000")
    parser.add_argument("--reloads", type=int, default=usual.reloads, help="at least; default 1000")
    parser.add_argument("--live", type=int, default=usual.live, help="targets at once; default 240")
    parser.add_argument("--minutes", type=float, default=usual.most_seconds / 60, help="at most; default 60")
    parser.add_argument("--csv", type=Path, help="a file for all looks")
    parser.add_argument("--plot", type=Path, help="a file for a picture (SVG)")
    parser.add_argument("--no-namespace", action="store_true", help="on this machine's own loopback")
    options = parser.parse_args()
    if not options.no_namespace:
        code = run_inside("bench.soak", sys.argv[1:])
        if code is not None:
            return code

    def tell(state: State) -> None:
        print(*(f"{key}={value}" for key, value in asdict(state).items()), file=sys.stderr, flush=True)  # noqa: T201

    soaked = run(SoakPlan(options.scans, options.reloads, options.live, options.minutes * 60), tell)
    if options.csv:
        names = [field.name for field in fields(State)]
        rows = [",".join(str(getattr(state, name)) for name in names) for state in soaked.states]
        options.csv.write_text("\n".join([",".join(names), *rows]) + "\n")
    if options.plot:
        series = {name: [(float(s.scans), float(getattr(s, name))) for s in soaked.states] for name in LIMITS}
        options.plot.write_text(draw(series, "scans"))
    return 0 if show(Console(width=140), soaked) else 1


if __name__ == "__main__":
    sys.exit(main())
