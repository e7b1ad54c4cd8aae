"""What a scrape costs, in CPU time of the process that serves it, and what is kept between scrapes.

Another process fetches the page over HTTP. Each target has a report of its own: names, a certificate, times. The
longest callback of the event loop is in CPU time as well, without Python's garbage collection.

.venv/bin/python -m bench.scrape 100 1000 10000
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bench.pages import Callbacks
from exporter.metrics import FAMILIES, FULL_DETAIL, Exposition, OwnMetrics, render_reports, report_samples
from exporter.model import Report, Sample
from exporter.web import Sources, make_app, serving
from exporter.web import scrapes as scrapes_module
from tests.support.facts import KOPANO, certificate, good_facts, report
from tests.support.targets import NOW
from tests.support.varied_fleet import targets

_CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one:
    one.sendall(f"GET /metrics HTTP/1.1\\r\\nHost: a\\r\\n{sys.argv[2]}Connection: close\\r\\n\\r\\n".encode())
    size = 0
    while data := one.recv(1 << 20):
        size += len(data)
print(size)
"""
_CODINGS = {"plain": "", "gzip": "Accept-Encoding: gzip\r\n"}
_REFERENCE_TARGETS = 1000
"""prometheus_client gets the samples of at most so many targets. Its time is in proportion to them."""


@dataclass(frozen=True, slots=True)
class ScrapeCost:
    """What one scrape cost.

    Attributes:
        wall_seconds: until the client has everything.
        longest_seconds: CPU time of the longest callback.
        size: bytes that the client received.
    """

    cpu_seconds: float
    wall_seconds: float
    longest_seconds: float
    size: int


def reports(number: int) -> list[Report]:
    """So many reports of healthy targets."""
    made = []
    for place, target in enumerate(targets(number)):
        digest = sha256(target.name.encode()).hexdigest()
        ends = NOW + timedelta(days=20 + place % 60, seconds=place)
        leaf = certificate(subject=f"CN={target.host}", serial=digest[:36], fingerprint_sha256=digest, not_after=ends)
        seen = good_facts().with_part(leaf, NOW)
        made.append(scanned(report(seen, target=replace(target, policies=("kopano-checklist",))), place))
    return made


def scanned(one: Report, later: int) -> Report:
    """The same, of a scan that ended so many seconds later."""
    ended = one.result.ended_at + timedelta(seconds=later, microseconds=later)
    seen = replace(one.result, started_at=ended - timedelta(milliseconds=1000 + later * 7 % 1000), ended_at=ended)
    return replace(one, result=seen, last_success_at=ended)


def put(page: Exposition, some: Iterable[Report]) -> None:
    """Render these reports and show them."""
    for one in some:
        page.put(one.target.name, render_reports([one], [KOPANO], full=False))


class _ReportSamples(Collector):
    """The samples of all targets, ready for prometheus_client."""

    def __init__(self, some: Sequence[Report]) -> None:
        of_family: dict[str, list[tuple[dict[str, str], Sample]]] = {}
        for one in some:
            for sample in report_samples(one, [KOPANO]):
                if sample.family not in FULL_DETAIL:
                    labels = {"target": one.target.name, **one.target.labels, **sample.labels}
                    of_family.setdefault(sample.family.name, []).append((labels, sample))
        self._metrics = []
        for family in FAMILIES:
            metric = GaugeMetricFamily(family.name, family.help)
            for labels, sample in of_family.get(family.name, ()):
                metric.add_sample(family.name, labels, sample.value)
            self._metrics.append(metric)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `prometheus_client.registry.Collector`."""
        return iter(self._metrics)


def reference(some: Sequence[Report]) -> float:
    """Seconds of CPU that prometheus_client needs for the same samples."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ReportSamples(some[:_REFERENCE_TARGETS]))
    begun = time.process_time()
    generate_latest(registry)
    return (time.process_time() - begun) * max(1, len(some) / _REFERENCE_TARGETS)


def kept_bytes(page: Exposition) -> int:
    """Bytes of everything that is kept of the targets' lines."""
    groups = page._groups._groups  # noqa: SLF001 - to measure it
    size = sum(sys.getsizeof(group) + sys.getsizeof(group.names) + sys.getsizeof(group.blocks) for group in groups)
    for group in groups:
        for block in group.blocks.values():
            piece = block.piece
            parts = block, block.lengths, block.digests, piece, piece.packed, piece.length, piece.crc, piece.shift
            size += sum(map(sys.getsizeof, parts))
    return size


async def scrape(port: int, coding: str) -> ScrapeCost:
    """One scrape by another process."""
    arguments = (sys.executable, "-c", _CLIENT, str(port), _CODINGS[coding])
    client = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    begun, cpu = time.monotonic(), time.process_time()
    with Callbacks() as callbacks:
        output, _ = await client.communicate()
    return ScrapeCost(time.process_time() - cpu, time.monotonic() - begun, callbacks.longest, int(output))


async def measure(number: int, repeat: int) -> None:
    """Print the figures for so many targets."""
    all_reports, page = reports(number), Exposition(OwnMetrics())
    begun = time.process_time()
    put(page, all_reports)
    rendering = (time.process_time() - begun) / number
    page.render("")
    text = len(page.render("")[0])
    by_client = reference(all_reports)
    print(  # noqa: T201
        f"{number} targets: {text / 1e6:.1f} MB of text, {text // number} bytes a target; rendering "
        f"{rendering * 1e6:.0f} µs a target; kept {kept_bytes(page) / 1e6:.1f} MB; generate_latest {by_client:.2f} s"
    )
    scrapes_module.FRESH_SECONDS = 0.0  # each scrape has a page of its own
    async with serving(make_app(Sources(page.begin, lambda: True)), [("127.0.0.1", 0)]) as [(_, port)]:
        for title, changed in (("0", 0), ("1 %", max(1, number // 100)), ("all", number)):
            step = max(1, number // changed) if changed else 1
            for coding in _CODINGS:
                costs = []
                for round_ in range(repeat):
                    put(page, [scanned(one, 60 + round_) for one in all_reports[::step][:changed]])
                    gc.collect()
                    costs.append(await scrape(port, coding))
                show(title, coding, costs, by_client)


def show(changed: str, coding: str, costs: Sequence[ScrapeCost], by_client: float) -> None:
    """Print the median of some scrapes."""
    one = sorted(costs, key=lambda cost: cost.cpu_seconds)[len(costs) // 2]
    longest = max(cost.longest_seconds for cost in costs)
    times = f"CPU {one.cpu_seconds * 1000:7.1f} ms  wall {one.wall_seconds * 1000:7.1f} ms"
    rest = (
        f"longest callback {longest * 1000:5.1f} ms  {one.size / 1e6:6.2f} MB  ratio {by_client / one.cpu_seconds:5.0f}"
    )
    print(f"  changed {changed:4} {coding:5} {times}  {rest}", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", nargs="+", type=int)
    parser.add_argument("--repeat", type=int, default=3, help="scrapes for each figure")
    options = parser.parse_args()
    for one in options.number:
        asyncio.run(measure(one, options.repeat))
