"""Keeps verdicts up to date between scans.

Time alone changes verdicts: certificates and support end, demands come into force, facts get older than their
`max_age`. A judgement notes the next moment at which it can change (`exporter.moments`), and the target is judged again
at that moment. A target is scanned again when a date that a scan saw has come. This module knows nothing about scans
and reports: it calls the given functions with the name of a target.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.agenda import Agenda
from exporter.logs import fields
from exporter.model import CLOCK_TOLERANCE

log = logging.getLogger(__name__)

LOOKED_EVERY_SECONDS = 1
"""How often the agendas are looked at."""
JUDGED_AGAIN_AFTER = timedelta(minutes=1)
"""After a judgement that failed by a defect of ours."""
TRIES_MORE = 2
"""Maximum number of repeated scans when the scan at a date fails; the schedule keeps them a minute apart."""
AFTER_A_TURN = timedelta(seconds=1)
"""Delay of the scan after a date: OpenSSL counts complete seconds."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions to call, on the event loop.

    Attributes:
        judge: judges the target again now; returns the other targets whose verdict may change.
        next_change: the next moment at which time alone may change the latest judgement of the target; None if there is
            none, or no judgement.
        next_turn: the first date after this moment that a scan of the target saw and that changes a verdict; None if
            there is none.
        scan_again: scans these targets soon, outside of their interval.
        notice_step: scans all targets if the system's clock was set.
    """

    judge: Callable[[str], Collection[str]]
    next_change: Callable[[str], datetime | None]
    next_turn: Callable[[str, datetime], datetime | None]
    scan_again: Callable[[Collection[str]], None]
    notice_step: Callable[[], None]


class Freshness:
    """Which targets have to be judged or scanned again, and when."""

    def __init__(self, hooks: Hooks, now: Callable[[], datetime]) -> None:
        self._hooks = hooks
        self._now = now
        self._followed: set[str] = set()
        self._changes = Agenda()
        self._turns = Agenda()
        self._tries_left: dict[str, int] = {}
        self._since: dict[str, datetime] = {}
        self._to_judge: set[str] = set()
        self._judging: asyncio.Task[None] | None = None
        self._stopping: asyncio.Event | None = None
        self._latest: datetime | None = None

    def follow(self, names: Collection[str]) -> None:
        """Judge exactly these targets when their judgement can change."""
        self._followed = set(names)
        self._changes.keep_only(self._followed)

    def forget(self, name: str) -> None:
        """Forget the dates that were seen of this target."""
        self._turns.put(name, None)
        for known in (self._tries_left, self._since):
            known.pop(name, None)

    def expect_turn(self, name: str, since: datetime) -> None:
        """Scan the target again at the first date after `since` that was seen of it."""
        try:
            turn = self._hooks.next_turn(name, since)
        except Exception:  # a named border: a bug in one target's facts must not stop a reload halfway
            log.exception("dates of %s", name)
            turn = None
        self._turns.put(name, turn)

    def scanned(self, name: str, begun: datetime, *, success: bool) -> None:
        """Record a scan that began then.

        A failed scan at a date is repeated soon.
        """
        self._expect_change(name)
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
        while self._to_judge and not (self._stopping and self._stopping.is_set()):
            self._judge(self._to_judge.pop())
            await asyncio.sleep(0)
        self._judging = None

    def _judge(self, name: str) -> None:
        try:
            self.judge_soon(self._hooks.judge(name))
        except Exception:  # a named border: a bug in one target must not keep the others from being judged
            log.exception("judgement failed", extra=fields(target=name))
            self._changes.put(name, self._now() + JUDGED_AGAIN_AFTER)
        else:
            self._expect_change(name)
        if name in self._since:
            self.expect_turn(name, self._since.pop(name))

    def _expect_change(self, name: str) -> None:
        """Judge the target again at the next moment at which its latest judgement can change."""
        if name in self._followed:
            self._changes.put(name, self._hooks.next_change(name))

    async def settled(self) -> None:
        """Wait until all waiting targets are judged."""
        if self._judging is not None:
            await self._judging

    def look_again(self) -> None:
        """Judge the targets whose judgement can have changed, and scan those again that have reached a date.

        A date is one that a scan saw: a certificate has ended, or is about to. Until the scan has an answer, what
        depends on the date is unknown. Each date leads to one more scan, and up to `TRIES_MORE` others while they fail,
        because servers are restarted at such moments.
        """
        self._hooks.notice_step()  # it scans all targets, and these need not be scanned twice
        now = self._now()
        self.judge_soon(self._due(now))
        turned = self._turns.take(now - AFTER_A_TURN)
        for name in turned:
            self.expect_turn(name, now - AFTER_A_TURN)
            self._tries_left[name] = TRIES_MORE
        self._hooks.scan_again(turned)

    def _due(self, now: datetime) -> Collection[str]:
        """The targets to be judged now. All of them after the clock was set back: moments that had come are ahead."""
        latest = self._latest or now
        set_back = now < latest - CLOCK_TOLERANCE
        self._latest = now if set_back else max(now, latest)
        return self._followed if set_back else self._changes.take(now)

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every second until `stopping` is set. Seconds that a standstill has skipped are not repeated."""
        self._stopping = stopping
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(at):
                    await stopping.wait()
            except TimeoutError:
                self.look_again()
                at = max(at + LOOKED_EVERY_SECONDS, loop.time())
            else:
                return

    def stop(self) -> None:
        """Drop the targets that wait to be judged."""
        if self._judging is not None:
            self._judging.cancel()
