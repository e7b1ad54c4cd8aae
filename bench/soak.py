"""Run as a program: complete scans in a row, with attacks, and the memory, threads and descriptors that they leave.

`make soak` runs all of it. README.md in this folder explains the figures.
"""

import argparse
import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dns.asyncresolver import Resolver
from rich.console import Console
from rich.table import Table

from exporter.facts.vulnerabilities import VulnerabilityFacts
from exporter.judge import Judge
from exporter.model import Report, Target
from exporter.net.records import RecordResolver
from exporter.policies import load_policy
from exporter.scan import Environment, scan
from exporter.workers import WorkerLimits, Workers
from tests.support.servers import HOST, SEED_NGINX, WEAK_NGINX, make_pki, nginx

POLICY = load_policy("kopano-checklist")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class State:
    """The resources in use after this number of scans.

    Attributes:
        own_kib: resident memory of this process.
        workers_kib: resident memory of all workers together.
        workers: their process ids.
    """

    scans: int
    own_kib: int
    workers_kib: int
    workers: frozenset[int]
    threads: int
    descriptors: int
    restarts: int


def resident_kib(pid: int) -> int:
    """Resident memory of a process (proc(5), statm); 0 if it has just ended."""
    try:
        pages = (Path("/proc") / str(pid) / "statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE") // 1024


def children() -> frozenset[int]:
    """The workers of this process, without its other children, which are servers of the test."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            try:
                if b"exporter.workers" in (Path("/proc") / pid / "cmdline").read_bytes():
                    found.add(int(pid))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return frozenset(found)


async def soak(
    targets: Sequence[Target], scans: int, every: int, limits: WorkerLimits, tell: Callable[[State], None]
) -> list[State]:
    """Scan the targets in turn. The time of each scan is a day later, so that all attacks are tried each time."""
    restarts: list[None] = []
    workers = Workers(limits=limits, on_restart=lambda: restarts.append(None))
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 9, 0.2
    ahead = timedelta()
    environment = Environment(now=lambda: datetime.now(UTC) + ahead, resolver=RecordResolver(resolver), workers=workers)
    judge, reports = Judge({POLICY.name: POLICY}), dict[str, Report]()
    states: list[State] = []
    try:
        for number in range(1, scans + 1):
            target = targets[number % len(targets)]
            before = reports.get(target.name)
            result = await scan(target, environment, before.facts if before else None)
            (reports[target.name],) = judge.after_scan([result], environment.now(), [before] if before else [])
            tried = result.facts.get(VulnerabilityFacts)
            assert tried is not None, result.failures  # noqa: S101 - otherwise this measures something else
            ahead += DAY
            if number % every == 0:
                states.append(_state(number, len(restarts)))
                tell(states[-1])
    finally:
        await workers.close()
    for _ in range(50):  # on a busy machine this can take some time
        if not children():
            break
        await asyncio.sleep(0.1)
    states.append(_state(scans, len(restarts)))
    tell(states[-1])
    return states


def _state(scans: int, restarts: int) -> State:
    workers = children()
    return State(
        scans=scans,
        own_kib=resident_kib(os.getpid()),
        workers_kib=sum(map(resident_kib, workers)),
        workers=workers,
        threads=threading.active_count(),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        restarts=restarts,
    )


def run(scans: int, every: int, limits: WorkerLimits, tell: Callable[[State], None] = lambda _: None) -> list[State]:
    """Run the soak test with two nginx servers: one as the checklist requires, and a weak one."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        pki = make_pki(folder)
        targets = []
        for title, directives in (("checklist", SEED_NGINX), ("weak", WEAK_NGINX)):
            (folder / title).mkdir()
            port = servers.enter_context(nginx(folder / title, directives, [pki.rsa]))
            targets.append(_target(title, port, pki.bundle))
        return asyncio.run(soak(targets, scans, every, limits, tell))


def _target(name: str, port: int, bundle: Path) -> Target:
    plain = Target(name, HOST, port, (POLICY.name,), connect_address="127.0.0.1", server_name=HOST)
    # The simulated time passes the end of the certificates, which does not change the other facts.
    return replace(plain, ca_file=str(bundle), vulnerability_interval=DAY, scan_interval=DAY, max_age=3 * DAY)


def main() -> None:
    """Measure as the command line says, and print a table."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--scans", type=int, default=500, help="default 500")
    parser.add_argument("--every", type=int, default=50, help="scans between two lines; default 50")
    options = parser.parse_args()
    progress = Console(stderr=True)
    states = run(options.scans, options.every, WorkerLimits(), lambda state: progress.print(f"{state.scans} scans"))
    table = Table("scans", "this process, KiB", "workers, KiB", "workers", "threads", "descriptors", "restarts")
    for state in states:
        figures = (state.scans, state.own_kib, state.workers_kib, len(state.workers), state.threads)
        table.add_row(*map(str, (*figures, state.descriptors, state.restarts)))
    Console(width=120).print(table)
    seen = frozenset[int]().union(*(state.workers for state in states))
    Console().print(f"{len(seen)} workers were used, one after the other; the last line is from after their end")


if __name__ == "__main__":
    main()
