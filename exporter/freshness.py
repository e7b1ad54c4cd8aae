"""Keeps verdicts up to date between scans.

Time alone changes verdicts: certificates and support end, demands come into force, facts get older than their
`max_age`. So each target is judged again every minute, and scanned again when a date that a scan saw has come. This
module knows nothing about scans and reports: it calls the given functions with the name of a target.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.logs import fields
from exporter.schedule import share

log = logging.getLogger(__name__)

JUDGED_EVERY_SECONDS = 60
"""Each target is judged again at this interval, without a scan. Two thousand targets under one policy take 6 to 10 s of
CPU time for it."""
TRIES_MORE = 2
"""Maximum number of repeated scans when the scan at a date fails; the schedule keeps them a minute apart."""
AFTER_A_TURN = timedelta(seconds=1)
"""Delay of the scan after a date: OpenSSL counts complete seconds."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions to call, on the event loop.

    Attributes:
        judge: judges the target again now; returns the other targets whose verdict may change.
        next_turn: the first date after this moment that a scan of the target saw and that changes a verdict; None if
            there is none.
        scan_again: scans these targets soon, outside of their interval.
        notice_step: scans all targets if the system's clock was set.
    """

    judge: Callable[[str], Collection[str]]
    next_turn: Callable[[str, datetime], datetime | None]
    scan_again: Callable[[Collection[str]], None]
    notice_step: Callable[[], None]


class Freshness:
    """Which targets have to be judged or scanned again, and when."""

    def __init__(self, hooks: Hooks, now: Callable[[], datetime]) -> None:
        self._hooks = hooks
        self._now = now
        self._at_second: dict[int, dict[str, None]] = {}
        self._followed: set[str] = set()
        self._turns: dict[str, datetime] = {}
        self._tries_left: dict[str, int] = {}
        self._since: dict[str, datetime] = {}
        self._to_judge: set[str] = set()
        self._judging: asyncio.Task[None] | None = None
        self._stopping: asyncio.Event | None = None

    def follow(self, names: Collection[str]) -> None:
        """Judge exactly these targets every minute, each at a second of its own."""
        wanted = set(names)
        for name in self._followed - wanted:
            del self._at_second[_second(name)][name]
        for name in wanted - self._followed:
            self._at_second.setdefault(_second(name), {})[name] = None
        self._followed = wanted

    def forget(self, name: str) -> None:
        """Forget the dates that were seen of this target."""
        for known in (self._turns, self._tries_left, self._since):
            known.pop(name, None)

    def expect_turn(self, name: str, since: datetime) -> None:
        """Scan the target again at the first date after `since` that was seen of it."""
        try:
            turn = self._hooks.next_turn(name, since)
        except Exception:  # a named border: a bug in one target's facts must not stop a reload halfway
            log.exception("dates of %s", name)
            turn = None
        if turn is None:
            self._turns.pop(name, None)
        else:
            self._turns[name] = turn

    def scanned(self, name: str, begun: datetime, *, success: bool) -> None:
        """Record a scan that began then.

        A failed scan at a date is repeated soon.
        """
        self.expect_turn(name, begun)
        if success:
            self._tries_left.pop(name, None)
        elif self._tries_left.get(name):
            self._tries_left[name] -= 1
            self._hooks.scan_again({name})

    def resume(self, name: str, since: datetime) -> None:
        """Judge the target soon, and then expect the first date after `since` that was seen of it."""
        self._since[name] = since
        self.judge_soon({name})

    def judge_soon(self, names: Collection[str]) -> None:
        """Judge these targets again, one after the other. Needs the running loop."""
        self._to_judge.update(names)
        if self._to_judge and self._judging is None:
            self._judging = asyncio.create_task(self._judge_waiting())

    async def _judge_waiting(self) -> None:
        """Judge one target at a time: there can be thousands, and scans and scrapes go on in between."""
        while self._to_judge:
            self._judge(self._to_judge.pop())
            await asyncio.sleep(0)
        self._judging = None

    def _judge(self, name: str) -> None:
        try:
            self.judge_soon(self._hooks.judge(name))
        except Exception:  # a named border: a bug in one target must not keep the others from being judged
            log.exception("judgement failed", extra=fields(target=name))
        if name in self._since:
            self.expect_turn(name, self._since.pop(name))

    async def settled(self) -> None:
        """Wait until all waiting targets are judged."""
        if self._judging is not None:
            await self._judging

    async def judge_at(self, second: int) -> None:
        """Judge the targets of this second of `JUDGED_EVERY_SECONDS`, unless the daemon is stopping."""
        for name in list(self._at_second.get(second, ())):
            if self._stopping is not None and self._stopping.is_set():
                return
            self._judge(name)
            await asyncio.sleep(0)

    def look_again(self) -> None:
        """Scan the targets again that have reached a date: a certificate has ended, or is about to.

        Until the scan has an answer, what depends on the date is unknown. So these targets are judged at once. Each
        date leads to one more scan, and up to `TRIES_MORE` others while they fail, because servers are restarted at
        such moments.
        """
        self._hooks.notice_step()  # it scans all targets, and these need not be scanned twice
        latest = self._now() - AFTER_A_TURN
        turned = {name for name, turn in self._turns.items() if turn <= latest}
        for name in turned:
            self.expect_turn(name, latest)
            self._tries_left[name] = TRIES_MORE
        self.judge_soon(turned)
        self._hooks.scan_again(turned)

    async def run(self, stopping: asyncio.Event) -> None:
        """Judge all targets in turn, and scan them when a date has come, until `stopping` is set."""
        self._stopping = stopping
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for second in itertools.count():
            # Full rounds missed during a standstill are not repeated. The next round includes every target.
            begun += max(0, (loop.time() - begun - second) // JUDGED_EVERY_SECONDS) * JUDGED_EVERY_SECONDS
            try:
                async with asyncio.timeout_at(begun + second):
                    await stopping.wait()
            except TimeoutError:
                self.look_again()
                await self.judge_at(second % JUDGED_EVERY_SECONDS)
            else:
                return

    def stop(self) -> None:
        """Drop the targets that wait to be judged."""
        if self._judging is not None:
            self._judging.cancel()


def _second(name: str) -> int:
    """The second of each round in which the target is judged."""
    return int(share(name) * JUDGED_EVERY_SECONDS)
