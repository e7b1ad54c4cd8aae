"""What judging between scans costs: a day of a fleet that is scanned hourly, in CPU time.

Each target is judged when time alone can change its judgement. For comparison, all of them are judged once: that is
the cost of each minute if all were judged every minute. The judgements of scans are not counted, and to look for what
is due costs the same for any number of targets, so the figure for many is too high.

.venv/bin/python -m bench.judging 10000
"""

import argparse
import asyncio
import time
from datetime import timedelta

from exporter.freshness import Freshness, Hooks
from exporter.model import Facts
from exporter.probes.registry import PROBES
from tests.support.known_fleet import KnownFleet
from tests.support.varied_fleet import kinds, targets

HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400
SAMPLE = 260
"""Targets that are scanned hourly for a day, twenty of each kind."""
SINCE = timedelta(hours=5)
"""The day begins so long after the time that the certificates were made for. Their days then end within it."""


class Day:
    """A day of a fleet.

    Attributes:
        judged: judgements between scans.
        seconds: CPU seconds of them, and of looking for what is due.
    """

    def __init__(self, number: int) -> None:
        self.fleet = KnownFleet(*targets(number))
        self.judged, self.seconds = 0, 0.0
        every = kinds(self.fleet.now)
        names = enumerate(self.fleet.queries.names())
        self._kinds = {name: every[place % len(every)] for place, name in names}
        publisher = self.fleet.publisher
        self.fresh = Freshness(
            Hooks(self._judge, publisher.next_change, lambda *_: None, lambda _: None, lambda: None),
            lambda: self.fleet.now,
        )
        self.fresh.follow(self._kinds)

    def _judge(self, name: str) -> set[str]:
        self.judged += 1
        return self.fleet.publisher.judge_again(name)

    async def scan(self, name: str) -> None:
        """A scan that sees what the scan before it saw, at the time of the fleet's clock."""
        kind = self._kinds[name]
        if kind.seen is not None:
            seen = Facts()
            for probe in PROBES:
                if (part := kind.seen.get(probe.kind)) is not None:
                    seen = seen.with_part(part, self.fleet.now)
            await self.fleet.saw(name, seen, **kind.changes)
            self.fresh.scanned(name, self.fleet.now, success=True)

    async def look(self) -> None:
        """What the daemon does each second."""
        begun = time.process_time()
        self.fresh.look_again()
        await self.fresh.settled()
        self.seconds += time.process_time() - begun

    async def run(self) -> None:
        """Scan each target once an hour, and look each second, for a day."""
        begin, names = self.fleet.now + SINCE, list(self._kinds)
        for second in range(DAY_SECONDS):
            self.fleet.now = begin + timedelta(seconds=second)
            for name in names[second % HOUR_SECONDS :: HOUR_SECONDS]:
                await self.scan(name)
            await self.look()

    async def once(self) -> float:
        """CPU seconds of judging all targets."""
        begun = time.process_time()
        self.fresh.judge_soon(self._kinds)
        await self.fresh.settled()
        return time.process_time() - begun


async def measure(number: int) -> None:
    """Print the figures for so many targets."""
    day = Day(SAMPLE)
    await day.run()
    scale, once = number / SAMPLE, await day.once()
    lines = (
        f"{SAMPLE} targets were scanned hourly for a day; the figures are for {number:,}",
        f"judgements between scans    {day.judged * scale:10,.0f} a day, {day.judged / SAMPLE:.2f} a target",
        f"CPU of them and of looking  {day.seconds * scale:10.1f} s a day, {day.seconds * scale / 864:.3f} % of a core",
        f"CPU of judging all once     {once * scale:10.1f} s, {once * scale / 0.6:.1f} % of a core every minute",
    )
    print("\n".join(lines))  # noqa: T201


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=10_000, metavar="TARGETS")
    asyncio.run(measure(parser.parse_args().number))


if __name__ == "__main__":
    main()
