"""Runs the daemon against the farm for some rounds, and keeps what was seen."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.behaviour import Behaviour
from tests.hostile.setup import Pace, Running, everything
from tests.hostile.timing import Due, dues
from tests.hostile.watching import Scan, Scraper, Usage, samples, scan_of, usage

LOOK_EVERY_SECONDS = 0.5


@dataclass(slots=True)
class Round:
    """One interval; scans by target, and what the daemon uses at its end."""

    number: int
    began_at: float
    scans: dict[str, list[Scan]] = field(default_factory=dict)
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was seen.

    Attributes:
        latencies: kind of request -> seconds of each.
        details: target -> details of its failures, from the log.
        page: the last page of metrics.
    """

    pace: Pace
    hostile: tuple[Behaviour, ...]
    healthy: tuple[str, ...]
    rounds: tuple[Round, ...]
    latencies: Mapping[str, Sequence[float]]
    errors: Sequence[str]
    details: Mapping[str, Sequence[str]]
    log: str
    page: str
    ended_at: float

    def scans(self, target: str) -> list[Scan]:
        """All scans of a target."""
        return [scan for one in self.rounds for scan in one.scans.get(target, [])]

    def dues(self, target: str) -> list[Due]:
        """When the target was due, and how late its scans were."""
        count = len(self.hostile) + len(self.healthy)
        return dues(
            target,
            self.scans(target),
            interval=self.pace.interval,
            targets=count,
            began=self.rounds[0].began_at,
            ended=self.ended_at,
        )


def run(
    pace: Pace,
    rounds: int,
    only: Sequence[str] = (),
    *,
    until_scanned: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run them; with `until_scanned`, the last round ends when every target was scanned in it."""
    with _folder() as folder, everything(folder, pace, only) as daemon, _scraping(daemon.port) as scraper:
        seen, began = list[Round](), time.time()
        for number in range(1, rounds + 1):
            one = Round(number, began + (number - 1) * pace.interval)
            seen.append(one)
            enough = until_scanned and number == rounds
            _watch(one, pace, daemon, scraper, ends_early=enough, before=seen)
            one.usage = usage(daemon.process.pid)
            tell(f"round {number}: {len(one.scans)} targets scanned, {one.usage}")
        scraper.stop()
        log = daemon.log.read_text(errors="replace")
        return Outcome(
            pace,
            daemon.hostile,
            daemon.healthy,
            tuple(seen),
            scraper.seconds,
            scraper.errors,
            _details(log),
            log,
            scraper.page,
            time.time(),
        )


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that servers can see which leave root."""
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def _scraping(port: int) -> Iterator[Scraper]:
    scraper = Scraper(port)
    scraper.start()
    try:
        yield scraper
    finally:
        scraper.stop()


def _watch(
    one: Round, pace: Pace, daemon: Running, scraper: Scraper, *, ends_early: bool, before: Sequence[Round]
) -> None:
    """Note each scan that ends in this round."""
    known = {name: scans[-1].ended_at for earlier in before for name, scans in earlier.scans.items() if scans}
    targets, page = len(daemon.hostile) + len(daemon.healthy), ""
    while time.time() < one.began_at + pace.interval and not (ends_early and len(one.scans) == targets):
        time.sleep(LOOK_EVERY_SECONDS)
        daemon.check()
        if scraper.page is page:
            continue
        page = scraper.page
        for name, found in samples(page).items():
            scan = scan_of(found)
            if scan is not None and scan.ended_at > known.get(name, 0.0):
                known[name] = scan.ended_at
                one.scans.setdefault(name, []).append(scan)


_FAILURE = re.compile(r'target=(\S+) probe=(\S+) reason=(\S+) (.*?)"?$', re.MULTILINE)


def _details(log: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for target, probe, reason, detail in _FAILURE.findall(log):
        line = f"{probe}: {reason}: {detail}"
        if line not in found.setdefault(target, []):
            found[target].append(line)
    return found
