"""The schedule: stable phases, spread first scans, limits, and a stop that does not hang."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.monotonic import EPOCH
from exporter.schedule import Schedule, first_delay, phase, share
from tests.support.clock import FeignedLoop, run_in_feigned_time

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


@given(st.text(min_size=1))
def test_a_names_share_is_stable_and_within_the_interval(name: str) -> None:
    assert share(name) == share(name)
    assert 0 <= share(name) < 1
    assert EPOCH <= phase(name, HOUR) < EPOCH + HOUR


def test_phases_of_many_targets_spread_over_the_whole_interval() -> None:
    tenths = [int(share(f"host{n}.example:443") * 10) for n in range(1000)]
    assert all(60 < tenths.count(tenth) < 140 for tenth in range(10))


@pytest.mark.parametrize(
    ("count", "interval", "longest"),
    [(2, HOUR, 0.2), (100, HOUR, 10), (10_000, HOUR, 60), (10_000, 5 * SECOND, 5)],
)
def test_first_scans_come_within_seconds(count: int, interval: timedelta, longest: float) -> None:
    delays = [first_delay(f"host{n}", interval, count).total_seconds() for n in range(200)]
    assert max(delays) <= longest
    assert max(delays) > longest / 2


class Runs:
    """What the schedule ran; `hold` keeps each run until it is set."""

    def __init__(self, *, hold: bool = False) -> None:
        self.names: list[str] = []
        self.running = 0
        self.most = 0
        self.release = asyncio.Event()
        if not hold:
            self.release.set()
        self.changed = asyncio.Condition()

    async def run(self, name: str, _late: Callable[[], None]) -> bool:
        self.names.append(name)
        self.running += 1
        self.most = max(self.most, self.running)
        async with self.changed:
            self.changed.notify_all()
        try:
            await self.release.wait()
        finally:
            self.running -= 1
        return True

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(self.names) >= count)


@contextlib.asynccontextmanager
async def scheduled(runs: Runs, *, workers: int = 4):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a generator of one
    schedule = Schedule(runs.run, workers=workers, now=now)
    schedule.start()
    try:
        yield schedule
    finally:
        assert await schedule.stop(5 * SECOND)


def test_scans_every_new_target_soon_and_again_each_interval() -> None:
    async def run() -> list[str]:
        runs = Runs()
        async with scheduled(runs) as schedule:
            schedule.sync({"a": SECOND, "b": HOUR})
            while runs.names.count("a") < 3:
                await runs.until(len(runs.names) + 1)
        return runs.names

    assert asyncio.run(run()).count("b") == 1


def test_never_runs_more_at_once_than_there_are_workers() -> None:
    async def run() -> int:
        runs = Runs(hold=True)
        async with scheduled(runs, workers=3) as schedule:
            schedule.sync({f"t{n}": HOUR for n in range(10)})
            await runs.until(3)
            while schedule.gauges.waiting < 7:
                await asyncio.sleep(0.01)
            assert schedule.gauges.running == 3
            runs.release.set()
            await runs.until(10)
        return runs.most

    assert asyncio.run(run()) == 3


def test_a_target_that_is_still_running_is_not_started_again() -> None:
    async def run() -> int:
        runs = Runs(hold=True)
        async with scheduled(runs) as schedule:
            schedule.sync({"slow": SECOND, "fast": SECOND})
            await runs.until(2)
            slow = runs.names.count("slow")
            await asyncio.sleep(2.2)  # two more of its intervals pass
            assert runs.names.count("slow") == slow == 1
            assert schedule.gauges.waiting == 0
        return runs.most

    assert asyncio.run(run()) == 2


def test_a_removed_target_is_never_scanned_again_and_its_scan_is_broken_off() -> None:
    async def run() -> None:
        runs = Runs(hold=True)
        async with scheduled(runs) as schedule:
            schedule.sync({"a": SECOND})
            await runs.until(1)
            schedule.sync({"b": HOUR})
            await runs.until(2)
            assert runs.names == ["a", "b"]
            async with asyncio.timeout(5):
                while runs.running > 1:
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_target_removed_while_it_waits_is_not_scanned() -> None:
    async def run() -> list[str]:
        runs = Runs(hold=True)
        async with scheduled(runs, workers=1) as schedule:
            schedule.sync({"first": HOUR})
            await runs.until(1)
            schedule.sync({"first": HOUR, "waiting": HOUR, "last": HOUR})
            while schedule.gauges.waiting < 2:
                await asyncio.sleep(0.01)
            schedule.sync({"first": HOUR, "last": HOUR})
            runs.release.set()
            await runs.until(2)
        return runs.names

    assert asyncio.run(run()) == ["first", "last"]


def test_a_scan_that_raises_does_not_end_its_worker(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[str]:
        runs = Runs()

        async def sometimes(name: str, late: Callable[[], None]) -> bool:
            await runs.run(name, late)
            if name == "bad":
                raise RuntimeError("bug")
            return True

        schedule = Schedule(sometimes, workers=1, now=now)
        schedule.start()
        schedule.sync({"bad": SECOND, "good": SECOND})
        while runs.names.count("good") < 2 or runs.names.count("bad") < 2:
            await runs.until(len(runs.names) + 1)
        assert await schedule.stop(5 * SECOND)
        return runs.names

    asyncio.run(run())
    record = caplog.records[0]
    assert (record.message, record.fields) == ("scan failed", {"target": "bad"})  # type: ignore[attr-defined]


def test_a_clock_that_is_set_back_does_not_stop_the_scans() -> None:
    async def run() -> None:
        runs = Runs()
        behind = timedelta()
        schedule = Schedule(runs.run, workers=1, now=lambda: now() - behind)
        schedule.start()
        schedule.sync({"a": SECOND})
        await runs.until(1)
        behind = timedelta(days=1)
        await runs.until(3)
        assert await schedule.stop(5 * SECOND)

    asyncio.run(run())


def test_another_service_of_a_name_does_not_wait_for_the_end_of_the_old_scan() -> None:
    async def run() -> None:
        begun, finish = asyncio.Semaphore(0), asyncio.Event()

        async def slow_to_end(_name: str, _late: Callable[[], None]) -> None:
            begun.release()
            while not finish.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await finish.wait()

        schedule = Schedule(slow_to_end, workers=2, now=now)
        schedule.start()
        async with asyncio.timeout(10):
            schedule.sync({"a": HOUR})
            await begun.acquire()
            schedule.sync({})
            schedule.sync({"a": HOUR}, others={"a"})
            await begun.acquire()
        finish.set()
        assert await schedule.stop(5 * SECOND)

    asyncio.run(run())


def test_stop_breaks_off_what_runs() -> None:
    async def run() -> float:
        runs = Runs(hold=True)
        schedule = Schedule(runs.run, workers=4, now=now)
        schedule.start()
        schedule.sync({f"t{n}": HOUR for n in range(8)})
        await runs.until(4)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await schedule.stop(5 * SECOND)
        assert runs.running == 0
        return loop.time() - began

    assert asyncio.run(run()) < 5


def test_stop_gives_up_on_a_scan_that_ignores_it() -> None:
    async def run() -> bool:
        started, finish = asyncio.Event(), asyncio.Event()

        async def stubborn(_name: str, _late: Callable[[], None]) -> None:
            started.set()
            while not finish.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await finish.wait()

        schedule = Schedule(stubborn, workers=1, now=now)
        schedule.start()
        schedule.sync({"a": HOUR})
        await started.wait()
        in_time = await schedule.stop(timedelta(seconds=0.2))
        finish.set()
        return in_time

    assert asyncio.run(run()) is False


# --- days in no time --------------------------------------------------------------------------------------------------


class Day:
    """A schedule in feigned time, under a system's clock that anybody can set.

    Attributes:
        scans: when each began, in seconds of the monotonic clock.
    """

    def __init__(self, targets: int = 1, interval: timedelta = HOUR, takes: timedelta = SECOND) -> None:
        self.scans: dict[str, list[float]] = {f"t{number}.example:443": [] for number in range(targets)}
        self.ahead = timedelta()
        self._interval = interval
        self._takes = takes
        self.schedule = Schedule(self._scan, workers=8, now=self._now)

    def _now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time()) + self.ahead

    async def _scan(self, name: str, _late: Callable[[], None]) -> bool:
        self.scans[name].append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._takes.total_seconds())
        return True

    def live(self, *steps: tuple[timedelta, timedelta]) -> list[float]:
        """The steps: how long to wait, and by how much the clock is set then. Gives when each was taken."""

        async def run() -> list[float]:
            self.schedule.start()
            self.schedule.sync(dict.fromkeys(self.scans, self._interval))
            taken = []
            for wait, step in steps:
                await asyncio.sleep(wait.total_seconds())
                self.ahead += step
                taken.append(asyncio.get_running_loop().time())
            assert await self.schedule.stop(5 * SECOND)
            return taken

        return run_in_feigned_time(run())

    def begun(self, since: float, until: float) -> list[int]:
        """How many scans of each target began in between."""
        return [sum(since <= time < until for time in times) for times in self.scans.values()]


NONE = timedelta(0)
YEARS = timedelta(days=3653)


def test_targets_are_due_at_moments_of_their_own() -> None:
    """And not at that of the first: a server farm, and the network to it, would have all scans at once."""
    day = Day(targets=120)
    day.live((3 * HOUR, NONE))
    later = [time for times in day.scans.values() for time in times if time > 600]
    minutes = [int(time // 60) for time in later]
    assert len(later) >= 2 * 120
    assert max(minutes.count(minute) for minute in minutes) <= 10
    assert all(len(times) in {3, 4} for times in day.scans.values())


@pytest.mark.parametrize("step", [-YEARS, -timedelta(minutes=2), timedelta(days=1), YEARS])
def test_a_clock_that_is_set_leads_to_one_scan_more_of_each_target(
    step: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    """Spread, and no target is scanned less often for it, nor more."""
    caplog.set_level(logging.WARNING, logger="exporter")  # the command line sets it for the complete process
    targets = 40
    usual, day = Day(targets), Day(targets)
    usual.live((4 * HOUR, NONE))
    at, _ = day.live((2 * HOUR, step), (2 * HOUR, NONE))
    extra = [time for name, times in day.scans.items() for time in times if time not in usual.scans[name]]
    assert len(extra) == targets
    assert at <= min(extra) <= max(extra) < at + 60
    assert max(sum(second <= time < second + 1 for time in extra) for second in range(int(at), int(at) + 60)) <= 25
    assert [sum(time not in extra for time in times) for times in day.scans.values()] == [
        len(times) for times in usual.scans.values()
    ]
    way = "forward" if step > NONE else "back"
    assert [message for message in caplog.messages if "clock" in message] == [
        f"the system's clock was set {way} by {abs(step)}: each target is scanned again"
    ]


def test_corrections_of_the_clock_count_when_they_come_to_something(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="exporter")
    day = Day()
    steps = [(10 * SECOND, 25 * SECOND)] * 2
    before, _, third, _ = day.live((HOUR, NONE), *steps, (HOUR / 4, 25 * SECOND), (HOUR / 8, NONE))[0:4]
    assert day.begun(before, third) == [0]
    assert len([message for message in caplog.messages if "set forward by 0:01:15" in message]) == 1


def test_a_clock_that_is_set_all_the_time_does_not_lead_to_scans_all_the_time() -> None:
    day = Day()
    day.live((HOUR, NONE), *[(10 * SECOND, (-1) ** number * HOUR) for number in range(360)])
    assert day.begun(3600, 7200)[0] <= 62


def test_a_clock_that_is_set_again_does_not_put_off_the_scans_that_are_wanted() -> None:
    """They are spread over a minute, and it is set every twenty seconds."""
    day = Day(targets=600, interval=30 * HOUR)
    day.live((HOUR, NONE), *[(20 * SECOND, HOUR)] * 12, (NONE, NONE))
    assert min(day.begun(3600, math.inf)) >= 1


def test_a_scan_that_runs_when_another_is_wanted_is_followed_by_it() -> None:
    """What it saw may be from before."""
    day = Day(takes=10 * SECOND)

    async def want() -> None:
        day.schedule.start()
        day.schedule.sync(dict.fromkeys(day.scans, HOUR))
        await asyncio.sleep(5)
        day.schedule.scan_again(list(day.scans))
        await asyncio.sleep(60)
        assert await day.schedule.stop(5 * SECOND)

    run_in_feigned_time(want())
    ((first, second),) = day.scans.values()
    assert second == first + 10


def test_a_standstill_costs_the_scans_that_it_took_and_no_more() -> None:
    day = Day(targets=3)

    async def stand_still() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FeignedLoop)
        day.schedule.start()
        day.schedule.sync(dict.fromkeys(day.scans, HOUR))
        await asyncio.sleep(3 * 3600)
        loop.selector.passed += timedelta(days=2).total_seconds()
        await asyncio.sleep(600)
        assert await day.schedule.stop(5 * SECOND)

    run_in_feigned_time(stand_still())
    assert all(count <= 2 for count in day.begun(3 * 3600, math.inf))


@pytest.mark.parametrize("name", ["watch", "first scan of a", "extra scan of a", "regular scan of a"])
def test_a_name_that_looks_like_a_job_takes_the_place_of_no_job(name: str) -> None:
    async def run() -> None:
        runs = Runs()
        async with scheduled(runs) as schedule:
            schedule.sync({name: HOUR, "a": HOUR})
            await runs.until(2)
            schedule.scan_again({"a"})
            await runs.until(3)
            assert sorted(runs.names) == sorted([name, "a", "a"])
            schedule.sync({name: HOUR})
            assert schedule.next_due() is not None
            schedule.sync({})
            assert schedule.next_due() is None

    asyncio.run(run())
