"""The clock of the schedule: one job a target, whose callbacks stay short with thousands of targets."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import AT_ONCE, Clock, Moments
from exporter.monotonic import Monotonic
from tests.support.clock import FeignedLoop, run_in_feigned_time

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Called:
    """A clock, and what it called back."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.zone = Monotonic(loop.time)
        self.clock = Clock(self.zone, self._due, self.prepare)
        self.calls: list[tuple[str, bool, bool]] = []
        self.in_turn: Counter[float] = Counter()
        self._turn = 0
        self._loop = loop

    def _due(self, name: str, regular: bool, extra: bool) -> None:
        self.calls.append((name, regular, extra))

    def prepare(self, name: str) -> None:
        if name == "bad":
            raise ZeroDivisionError

    async def _watch(self) -> None:
        pass

    def start(self) -> None:
        self.clock.start(self._watch, timedelta(days=1))

    def put(self, name: str, interval: timedelta = HOUR, **moments: timedelta) -> Moments:
        now = self.zone.now()
        one = Moments(now, interval, now, **{key: now + after for key, after in moments.items()})
        self.clock.put(name, one)
        return one


def test_each_moment_of_a_target_is_called_once() -> None:
    async def run() -> list[tuple[str, bool, bool]]:
        called = Called()
        called.start()
        called.put("a", first=10 * SECOND, extra=20 * SECOND)
        await asyncio.sleep(3 * 3600 + 1)
        called.clock.stop()
        return called.calls

    once = ("a", True, False)
    assert run_in_feigned_time(run()) == [once, ("a", False, True), once, once, once]


def test_moments_that_come_together_are_one_call() -> None:
    async def run() -> list[tuple[str, bool, bool]]:
        called = Called()
        called.start()
        called.put("a", first=HOUR, extra=HOUR)
        await asyncio.sleep(3601)
        called.clock.stop()
        return called.calls

    assert run_in_feigned_time(run()) == [("a", True, True)]


def test_a_moment_that_has_passed_is_called_at_once() -> None:
    async def run() -> list[tuple[str, bool, bool]]:
        called = Called()
        called.start()
        called.put("a", extra=-SECOND)
        await asyncio.sleep(1)
        called.clock.stop()
        return called.calls

    assert run_in_feigned_time(run()) == [("a", False, True)]


def test_a_removed_target_is_called_no_more_and_its_name_can_come_back() -> None:
    async def run() -> list[tuple[str, bool, bool]]:
        called = Called()
        called.start()
        called.put("a")
        await asyncio.sleep(1)
        called.clock.remove("a")
        assert called.clock.next() is None
        await asyncio.sleep(7200)
        assert called.calls == []
        called.put("a")
        await asyncio.sleep(3601)
        called.clock.stop()
        return called.calls

    assert run_in_feigned_time(run()) == [("a", True, False)]


def test_a_defect_in_one_target_does_not_keep_the_others_from_being_due(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[str]:
        called = Called()
        called.start()
        for name in ("bad", "good"):
            called.put(name, first=SECOND)
        await asyncio.sleep(2)
        called.clock.stop()
        return [name for name, _, _ in called.calls]

    assert run_in_feigned_time(run()) == ["good"]
    assert [record.message for record in caplog.records] == ["cannot schedule a target"]


@pytest.mark.parametrize("standstill", [False, True])
def test_no_callback_sets_or_runs_more_than_a_few_jobs(monkeypatch: pytest.MonkeyPatch, *, standstill: bool) -> None:
    """Neither when thousands of targets are new, nor when thousands are due after a standstill."""
    jobs: list[int] = []
    run_handle = asyncio.Handle._run  # noqa: SLF001 - the one place that every callback passes

    def counted(handle: asyncio.Handle) -> None:
        jobs.append(0)
        run_handle(handle)

    async def run() -> int:
        called = Called()
        called.start()
        scheduler = called.clock._scheduler  # noqa: SLF001 - counted below
        for method in ("add_job", "_lookup_executor"):

            def count(*arguments: object, inner: object = getattr(scheduler, method), **named: object) -> object:
                jobs[-1] += 1
                return inner(*arguments, **named)  # type: ignore[operator]

            setattr(scheduler, method, count)
        monkeypatch.setattr(asyncio.Handle, "_run", counted)
        for number in range(20 * AT_ONCE):
            called.put(f"t{number}", first=SECOND)
        if standstill:
            await asyncio.sleep(0.5)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, FeignedLoop)
            loop.selector.passed += 10
        await asyncio.sleep(10)
        called.clock.stop()
        return len({name for name, _, _ in called.calls})

    assert run_in_feigned_time(run()) == 20 * AT_ONCE
    assert max(jobs) == AT_ONCE


@given(st.integers(1, 10_000), st.lists(st.integers(1, 5_000), max_size=20), st.integers(0, 40_000))
def test_no_regular_moment_is_lost_or_noticed_twice(interval: int, waits: list[int], extra: int) -> None:
    async def run() -> None:
        zone = Monotonic(lambda: 0.0)
        now = zone.now()
        moments = Moments(now, interval * SECOND, now, extra=now + extra * SECOND)
        noticed = [0, 0]
        for wait in waits:
            before = (now - moments.begin) // moments.interval
            now += wait * SECOND
            due, asked = moments.notice(now)
            assert due is ((now - moments.begin) // moments.interval > before)
            noticed[1] += asked
            assert moments.next > now
            assert moments.after(now) == moments.next
        assert noticed[1] == (extra <= sum(waits) and bool(waits))

    asyncio.run(run())
