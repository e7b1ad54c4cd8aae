"""Scans several targets at once, until all are done or a signal comes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exporter.cli.interrupts import first_signal
from exporter.cli.progress import ScanProgress
from exporter.config import Config
from exporter.environment import make_resolver, utc_now
from exporter.fleet import KeyIndex
from exporter.judge import Judge
from exporter.model import Report, Target
from exporter.ranking import ranked
from exporter.scan import Environment, scan_addresses
from exporter.workers import Workers


@dataclass(frozen=True, slots=True)
class ScannedTargets:
    """What became of the targets of one run.

    Attributes:
        reports: of each target that is done one report for each address; the worst target first.
        not_scanned: targets whose scan was not done when a signal came, in the order that was asked for.
        signal: number of the signal that ended the scans; None if all are done.
    """

    reports: Sequence[Sequence[Report]]
    not_scanned: Sequence[Target] = ()
    signal: int | None = None


async def scan_all(
    targets: Sequence[Target], judge: Judge, keys: KeyIndex, config: Config, places: int
) -> ScannedTargets:
    """Scan the targets, at most `places` at once; `keys` is what the judge knows of neighbours.

    After the first SIGINT or SIGTERM, the scans that run are cancelled, and what is done counts.
    """
    workers = Workers()
    environment = Environment(now=utc_now, resolver=make_resolver(config), workers=workers)
    free = asyncio.Semaphore(places)
    done: dict[str, tuple[Report, ...]] = {}
    with ScanProgress(len(targets)) as progress, first_signal() as signal:

        async def one(target: Target) -> None:
            async with free:
                progress.began()
                results = await scan_addresses(target, environment)
            done[target.name] = judge.after_scan(results, utc_now())
            keys.update(target.name, done[target.name])
            progress.ended(done[target.name])

        try:
            tasks = [asyncio.create_task(one(target)) for target in targets]
            scans = asyncio.gather(*tasks)
            first: list[asyncio.Future[Any]] = [scans, signal]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            progress.end()
            if scans.done():
                scans.result()  # raises what a scan raised
            else:
                scans.cancel()
                await asyncio.gather(*tasks, scans, return_exceptions=True)
        finally:
            await workers.close()
    # Judge again, now that the keys of all targets are known.
    judged = [judge.reports(done[one.name], one, utc_now()) for one in targets if one.name in done]
    missing = [target for target in targets if target.name not in done]
    return ScannedTargets(ranked(judged), missing, signal.result() if signal.done() and missing else None)
