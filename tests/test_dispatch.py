"""Fairness on the schedule: what fails or is silent costs others nothing, and is asked less often itself."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from exporter.dispatch import FAILURES_BEFORE_BACK_OFF, Dispatcher
from exporter.lanes import Lane
from exporter.net.patience import FIRST_ANSWER_SECONDS
from exporter.schedule import Schedule, first_delay
from tests.support.clock import run_in_feigned_time

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SILENT_SECONDS, HEALTHY_SECONDS = 65.0, 1.0
"""How long a scan of a server took that never says a word, when silence was asked for as long as anything else."""


class Fleet:
    """Targets on a schedule in feigned time.

    Attributes:
        begun: when the scans of each target began that were not cancelled, in seconds.
        tried: the same, with scans that gave up their place.
        most: scans at once.
        failing: targets that fail at once.
    """

    def __init__(self, healthy: int, silent: int, *, places: int = 10) -> None:
        self.healthy = [f"healthy{n}.example" for n in range(healthy)]
        self.silent = [f"silent{n}.example" for n in range(silent)]
        self.failing: set[str] = set()
        self.begun: dict[str, list[float]] = {name: [] for name in (*self.healthy, *self.silent)}
        self.tried: dict[str, list[float]] = {name: [] for name in self.begun}
        self.running = self.most = 0
        self.schedule = Schedule(self._scan, workers=places, now=self._now)

    def _now(self) -> datetime:
        return datetime(2026, 11, 30, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())

    async def _scan(self, name: str, late: Callable[[], None]) -> bool:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.tried[name].append(began)
        self.running += 1
        self.most = max(self.most, self.running)
        silent = name in self.silent
        timer = loop.call_later(FIRST_ANSWER_SECONDS, late) if silent else None
        try:
            await asyncio.sleep(0 if name in self.failing else SILENT_SECONDS if silent else HEALTHY_SECONDS)
        finally:
            self.running -= 1
            if timer:
                timer.cancel()
        self.begun[name].append(began)
        return not silent and name not in self.failing

    def live(self, interval: timedelta, lasts: timedelta, then: Callable[[], None] = lambda: None) -> None:
        async def run() -> None:
            self.schedule.start()
            self.schedule.sync(dict.fromkeys(self.begun, interval))
            await asyncio.sleep(lasts.total_seconds())
            then()
            assert await self.schedule.stop(MINUTE)

        run_in_feigned_time(run())

    def gaps(self, names: Collection[str]) -> list[float]:
        """Times between the starts of two scans, the first counted from the start of the schedule."""
        times = [[0.0, *self.begun[name]] for name in names]
        return [later - earlier for one in times for earlier, later in pairwise(one)]


@pytest.mark.parametrize("places", [2, 10])
def test_two_hundred_silent_targets_keep_no_healthy_one_waiting(places: int) -> None:
    """In each round, the first included, in which nothing is known of any target."""
    fleet = Fleet(20, 200, places=places)
    interval = 10 * MINUTE
    fleet.live(interval, HOUR)
    for name in fleet.healthy:
        rounds = [int(time // interval.total_seconds()) for time in fleet.begun[name]]
        assert set(range(6)) <= set(rounds), name
    # A target is due twice within its first interval: at the start and at its phase. Later it is due each interval.
    assert max(fleet.gaps(fleet.healthy)) <= 1.5 * interval.total_seconds() + 60
    assert fleet.most <= places


def test_the_first_round_costs_a_healthy_target_seconds_for_each_silent_one_and_not_minutes() -> None:
    fleet = Fleet(20, 200)
    fleet.live(HOUR, 10 * MINUTE)
    assert max(fleet.begun[name][0] for name in fleet.healthy) < 200 * FIRST_ANSWER_SECONDS / 7 + 60


def test_silent_targets_are_scanned_to_the_end_all_the_same() -> None:
    fleet = Fleet(20, 30)
    fleet.live(HOUR, 2 * HOUR)
    assert all(fleet.begun[name] for name in fleet.silent)


def test_new_targets_do_not_wait_for_silent_ones_that_are_known() -> None:
    """Nor do known ones for a crowd of new ones."""
    fleet = Fleet(40, 200)
    late_comers, everything = fleet.healthy[20:], dict.fromkeys(fleet.begun, HOUR)

    async def run() -> None:
        fleet.schedule.start()
        fleet.schedule.sync({name: HOUR for name in everything if name not in late_comers})
        await asyncio.sleep(1800)
        fleet.schedule.sync(everything)
        await asyncio.sleep(60)
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())
    assert all(fleet.begun[name] for name in late_comers)


def test_a_silent_target_that_nobody_waits_for_is_not_broken_off() -> None:
    fleet = Fleet(0, 1, places=1)
    fleet.live(HOUR, 5 * MINUTE)
    assert fleet.tried == fleet.begun
    assert fleet.begun["silent0.example"]


def test_a_scan_that_gave_up_its_place_begins_again_once_and_ends() -> None:
    fleet = Fleet(5, 1, places=1)
    fleet.live(HOUR, 10 * MINUTE)
    assert 1 <= len(fleet.tried["silent0.example"]) <= 2
    assert len(fleet.begun["silent0.example"]) == 1
    assert all(fleet.begun[name] for name in fleet.healthy)


def test_what_waits_and_runs_is_shown_by_lane() -> None:
    fleet = Fleet(0, 12, places=6)
    shown = []
    fleet.live(HOUR, timedelta(seconds=50), lambda: shown.append(fleet.schedule.gauges))
    (gauges,) = shown
    # The last four to come have their places still, since nobody waits who could be quick.
    assert gauges.running_by_lane == {Lane.HEALTHY: 0, Lane.NEW: 4, Lane.SLOW: 2}
    assert gauges.waiting_by_lane == {Lane.HEALTHY: 0, Lane.NEW: 0, Lane.SLOW: 6}


def test_the_lag_is_that_of_targets_that_are_not_slow() -> None:
    fleet = Fleet(1, 20, places=3)
    shown = []
    fleet.live(HOUR, 30 * MINUTE, lambda: shown.append(fleet.schedule.gauges.lag_seconds))
    assert shown[0] < 2 * 20 * FIRST_ANSWER_SECONDS + 60


# --- back-off ---------------------------------------------------------------------------------------------------------


def failing(count: int = 1) -> Fleet:
    fleet = Fleet(count, 0)
    fleet.failing = set(fleet.healthy)
    return fleet


def test_what_fails_is_scanned_at_every_second_interval_after_some_failures() -> None:
    fleet = failing()
    shown = []
    fleet.live(HOUR, 24 * HOUR, lambda: shown.append(fleet.schedule.gauges.backed_off))
    times = fleet.begun["healthy0.example"]
    gaps = [round(later - earlier) for earlier, later in pairwise(times)]
    assert set(gaps[1 : FAILURES_BEFORE_BACK_OFF - 1]) <= {3600}
    assert set(gaps[FAILURES_BEFORE_BACK_OFF:]) == {7200}
    assert shown == [1]


def test_no_target_that_fails_goes_longer_than_two_intervals_without_a_scan() -> None:
    """The alert TLSPostureScanStale fires after twice that: waiting in the slow lane takes time, too."""
    fleet = failing(50)
    fleet.live(HOUR, 24 * HOUR)
    assert max(fleet.gaps(fleet.healthy)) <= 7201


def _after_failures(change: Callable[[Fleet], None]) -> list[int]:
    """Times between the scans after a day of failures and a change."""
    fleet = failing()

    async def run() -> None:
        fleet.schedule.start()
        fleet.schedule.sync({"healthy0.example": HOUR})
        await asyncio.sleep(24 * 3600)
        change(fleet)
        await asyncio.sleep(12 * 3600)
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())
    times = [time for time in fleet.begun["healthy0.example"] if time > 24 * 3600]
    return [round(later - earlier) for earlier, later in pairwise(times)]


def test_the_first_success_ends_the_back_off() -> None:
    gaps = _after_failures(lambda fleet: fleet.failing.clear())
    assert set(gaps) == {3600}


def test_a_change_of_the_configuration_ends_it_until_the_target_has_failed_again() -> None:
    gaps = _after_failures(lambda fleet: fleet.schedule.forgive({"healthy0.example"}))
    assert gaps[:2] == [3600, 3600]
    assert gaps[-1] == 7200


def test_another_interval_ends_it_too() -> None:
    gaps = _after_failures(lambda fleet: fleet.schedule.sync({"healthy0.example": HOUR / 2}))
    assert gaps[0] == 1800


def test_no_scan_begins_during_the_stop() -> None:
    """Neither one that the clock has just started, nor one that was to follow a scan that ends now."""
    begun = []

    async def run() -> None:
        go_on = asyncio.Event()

        async def scan(name: str, _late: Callable[[], None]) -> bool:
            begun.append(name)
            with suppress(asyncio.CancelledError):
                await go_on.wait()
            return True

        dispatcher = Dispatcher(scan, 5, asyncio.get_running_loop().time)
        dispatcher.scan("one.example")
        await asyncio.sleep(0)
        dispatcher.scan_extra("one.example")
        stopping = asyncio.create_task(dispatcher.stop(MINUTE))
        await asyncio.sleep(0)
        dispatcher.scan("two.example")
        assert await stopping
        await asyncio.sleep(1)

    run_in_feigned_time(run())
    assert begun == ["one.example"]


def asked(fleet: Fleet, name: str, at: float, then: Callable[[], None] = lambda: None) -> bool | None:
    """What the future of a scan that is asked for at this time says in the end; `then` is called at once after that."""
    answers: list[bool | None] = []

    async def run() -> None:
        fleet.schedule.start()
        fleet.schedule.sync(dict.fromkeys(fleet.begun, HOUR))
        await asyncio.sleep(at)
        wanted = fleet.schedule.scan_now(name)
        then()
        answers.append(await wanted)
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())
    (answer,) = answers
    return answer


def test_a_scan_that_is_asked_for_begins_at_once_and_says_how_it_ended() -> None:
    fleet = Fleet(1, 0)
    assert asked(fleet, "healthy0.example", 600) is True
    assert fleet.begun["healthy0.example"][-1] == 600


def test_a_running_scan_does_not_answer_for_one_that_is_asked_for_later() -> None:
    fleet = Fleet(1, 0)
    fleet.failing.clear()
    began = []

    def then() -> None:
        began.extend(fleet.tried["healthy0.example"])

    assert asked(fleet, "healthy0.example", 0.5, then) is True
    first, second = fleet.begun["healthy0.example"]
    assert began == [first]
    assert second == first + HEALTHY_SECONDS


def test_a_scan_is_told_whether_somebody_asked_for_it() -> None:
    told: dict[str, bool] = {}

    async def run() -> None:
        both = asyncio.Event()

        async def scan(name: str, _late: Callable[[], None]) -> bool:
            told[name] = dispatcher.was_asked_for(name)
            if len(told) == 2:
                both.set()
            return True

        dispatcher = Dispatcher(scan, 2, asyncio.get_running_loop().time)
        dispatcher.scan("regular.example")
        dispatcher.scan_now("asked.example")
        await both.wait()
        assert not dispatcher.was_asked_for("unknown.example")
        assert await dispatcher.stop(MINUTE)

    asyncio.run(run())
    assert told == {"regular.example": False, "asked.example": True}


def test_a_scan_that_gave_up_its_place_answers_when_it_was_repeated() -> None:
    fleet = Fleet(8, 1, places=1)

    def then() -> None:
        for name in fleet.healthy:
            fleet.schedule.scan_now(name)

    assert asked(fleet, "silent0.example", 0, then) is False
    assert len(fleet.tried["silent0.example"]) > len(fleet.begun["silent0.example"]) == 1


def test_who_asked_for_a_scan_of_a_removed_target_gets_an_answer() -> None:
    fleet = Fleet(1, 1)
    assert asked(fleet, "silent0.example", 600, lambda: fleet.schedule.sync({"healthy0.example": HOUR})) is None
    with pytest.raises(KeyError):
        fleet.schedule.scan_now("other.example")


def test_a_new_target_whose_scan_somebody_asks_for_is_not_scanned_again_at_once() -> None:
    fleet = Fleet(100, 0)
    name = max(fleet.begun, key=lambda name: first_delay(name, HOUR, 100))

    async def run() -> None:
        fleet.schedule.start()
        fleet.schedule.sync(dict.fromkeys(fleet.begun, HOUR))
        await fleet.schedule.scan_now(name)
        await asyncio.sleep(60)
        assert len(fleet.begun[name]) == 1
        await asyncio.sleep(7200)
        assert 2 <= len(fleet.begun[name]) <= 3
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())


def test_a_scan_that_runs_answers_those_who_join_it() -> None:
    fleet = Fleet(1, 0)
    fleet.failing.clear()
    answers = []

    async def run() -> None:
        fleet.schedule.start()
        fleet.schedule.sync({"healthy0.example": HOUR})
        while not fleet.schedule.gauges.running:
            await asyncio.sleep(0.01)
        running = [fleet.schedule.join("healthy0.example") for _ in range(2)]
        answers.extend(await asyncio.gather(*running))
        answers.append(await fleet.schedule.join("healthy0.example"))  # none runs, so it is scanned now
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())
    assert answers == [True, True, True]
    assert len(fleet.begun["healthy0.example"]) == 2
    with pytest.raises(KeyError):
        fleet.schedule.join("other.example")


def _begun_while_flapping(sync: Callable[[Schedule, bool], None]) -> list[float]:
    """When scans of a target begin that take a minute, if it is removed and comes back every ten seconds."""
    fleet = Fleet(1, 1)
    (silent,) = fleet.silent

    async def run() -> None:
        fleet.schedule.start()
        for second in range(0, 600, 10):
            sync(fleet.schedule, second % 20 == 0)
            await asyncio.sleep(10)
        assert await fleet.schedule.stop(MINUTE)

    run_in_feigned_time(run())
    return fleet.tried[silent]


def test_a_target_that_comes_and_goes_is_not_scanned_each_time() -> None:
    def sync(schedule: Schedule, there: bool) -> None:
        schedule.sync({"silent0.example": HOUR} if there else {})

    begun = _begun_while_flapping(sync)
    assert all(later - earlier >= 59 for earlier, later in pairwise(begun))
    assert 5 <= len(begun) <= 11


def test_another_service_of_the_same_name_does_not_wait_for_that() -> None:
    def sync(schedule: Schedule, there: bool) -> None:
        schedule.sync({})
        schedule.sync({"silent0.example": HOUR}, others={"silent0.example"})

    assert len(_begun_while_flapping(sync)) == 60
