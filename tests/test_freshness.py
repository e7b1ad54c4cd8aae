"""When targets are judged and scanned again: hours pass at once, with simulated judging and scanning."""

import asyncio
import itertools
from collections.abc import Collection, Coroutine
from datetime import datetime, timedelta

import pytest

from exporter.freshness import AFTER_A_TURN, JUDGED_AGAIN_AFTER, TRIES_MORE, Freshness, Hooks
from tests.support.clock import FeignedLoop, run_in_feigned_time
from tests.support.targets import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Around:
    """What a `Freshness` calls: notes it.

    Attributes:
        judged: names, in order.
        judged_at: names and when, in order.
        clock_ahead: by how much the system's clock was set forward.
        scanned: names and when, in order.
        changes: name -> moments at which its judgement changes.
        turns: name -> dates that a scan of it saw.
        concerned: name -> others that a judgement of it changes something for.
    """

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.judged_at: list[tuple[str, datetime]] = []
        self.scanned: list[tuple[str, datetime]] = []
        self.changes: dict[str, list[datetime]] = {}
        self.turns: dict[str, list[datetime]] = {}
        self.concerned: dict[str, set[str]] = {}
        self.steps_looked_for = 0
        self.clock_ahead = timedelta(0)
        hooks = Hooks(self.judge, self.next_change, self.next_turn, self.scan_again, self.notice_step)
        self.fresh = Freshness(hooks, self.now)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time()) + self.clock_ahead

    def judge(self, name: str) -> Collection[str]:
        self.judged.append(name)
        self.judged_at.append((name, self.now()))
        if name == "bad":
            raise RuntimeError("a bug of ours")
        return self.concerned.pop(name, set())

    def next_change(self, name: str) -> datetime | None:
        return min((change for change in self.changes.get(name, []) if change > self.now()), default=None)

    def next_turn(self, name: str, since: datetime) -> datetime | None:
        return min((turn for turn in self.turns.get(name, []) if turn > since), default=None)

    def scan_again(self, names: Collection[str]) -> None:
        self.scanned += [(name, self.now()) for name in names]

    def notice_step(self) -> None:
        self.steps_looked_for += 1

    def live(self, steps: Coroutine[None, None, None]) -> None:
        """The steps, while it runs."""

        async def run() -> None:
            stopping = asyncio.Event()
            fresh = asyncio.create_task(self.fresh.run(stopping))
            await steps
            stopping.set()
            await fresh

        run_in_feigned_time(run())


def test_a_target_is_judged_when_its_judgement_can_change_and_at_no_other_time() -> None:
    around = Around()
    moments = [NOW + SECOND / 2, NOW + 90 * SECOND, NOW + timedelta(days=1)]
    around.changes = {"one": moments, "two": [NOW + MINUTE], "gone": [NOW + MINUTE], "never": []}

    async def steps() -> None:
        around.fresh.follow(around.changes)
        around.fresh.judge_soon(around.changes)
        await around.fresh.settled()
        around.fresh.follow(["one", "two", "never"])
        around.judged_at.clear()
        await asyncio.sleep(timedelta(days=2).total_seconds())

    around.live(steps())
    expected = [("one", NOW + SECOND), ("two", moments[1] - 30 * SECOND), ("one", moments[1]), ("one", moments[2])]
    assert around.judged_at == expected


def test_a_scan_replaces_the_moment_of_the_judgement_before_it() -> None:
    around = Around()
    around.changes = {"one": [NOW + MINUTE]}

    async def steps() -> None:
        around.fresh.follow(["one"])
        around.fresh.scanned("one", NOW, success=True)
        around.changes["one"] = [NOW + 2 * MINUTE]
        around.fresh.scanned("one", NOW, success=True)
        await asyncio.sleep(300.5)

    around.live(steps())
    assert around.judged_at == [("one", NOW + 2 * MINUTE)]


def test_after_a_standstill_what_came_meanwhile_is_judged_once() -> None:
    around = Around()
    around.changes = {"one": [NOW + count * MINUTE for count in range(2, 600)], "two": [NOW + timedelta(days=1)]}

    async def steps() -> None:
        loop = asyncio.get_running_loop()
        around.fresh.follow(around.changes)
        for name in around.changes:
            around.fresh.scanned(name, NOW, success=True)
        await asyncio.sleep(90.5)
        assert isinstance(loop, FeignedLoop)
        loop.selector.passed += timedelta(hours=8).total_seconds()
        looked = around.steps_looked_for
        await asyncio.sleep(10)
        assert around.steps_looked_for - looked < 13, "the seconds of the standstill are not repeated"

    around.live(steps())
    assert around.judged == ["one"]


@pytest.mark.parametrize(("step", "judged"), [(-MINUTE - 2 * SECOND, ["one", "two"]), (-MINUTE, []), (MINUTE, ["two"])])
def test_all_are_judged_when_the_clock_is_set_back_and_those_whose_moment_has_come_when_it_is_set_forward(
    step: timedelta, judged: list[str]
) -> None:
    """What is ahead again was noted by no judgement. The tolerance is that of facts of the future."""
    around = Around()
    around.changes = {"one": [], "two": [NOW + timedelta(seconds=100)]}

    async def steps() -> None:
        around.fresh.follow(around.changes)
        for name in around.changes:
            around.fresh.scanned(name, NOW, success=True)
        await asyncio.sleep(45)
        around.clock_ahead = step
        await asyncio.sleep(5.5)
        assert sorted(around.judged) == judged

    around.live(steps())


def test_it_ends_between_two_judgements() -> None:
    class Stopping(Around):
        stopping = asyncio.Event()

        def judge(self, name: str) -> Collection[str]:
            self.stopping.set()
            return super().judge(name)

    around = Stopping()
    around.changes = {f"t{number}": [NOW + SECOND] for number in range(100)}

    async def run() -> None:
        around.fresh.follow(around.changes)
        for name in around.changes:
            around.fresh.scanned(name, NOW, success=True)
        await around.fresh.run(around.stopping)
        await around.fresh.settled()

    run_in_feigned_time(run())
    assert len(around.judged) == 1


def test_the_loop_goes_on_between_any_two_of_many_judgements() -> None:
    """A scrape must not wait for ten thousand of them."""
    around, turns = Around(), list[int]()

    async def run() -> None:
        around.fresh.judge_soon({f"t{number}" for number in range(100)})
        while len(around.judged) < 100:
            await asyncio.sleep(0)
            turns.append(len(around.judged))

    asyncio.run(run())
    assert all(after - before <= 1 for before, after in itertools.pairwise(turns))


def test_a_judgement_that_fails_by_a_defect_of_ours_is_repeated_after_a_minute() -> None:
    around = Around()

    async def steps() -> None:
        around.fresh.follow(["bad"])
        around.fresh.judge_soon({"bad"})
        await asyncio.sleep(3 * JUDGED_AGAIN_AFTER.total_seconds() + 1)

    around.live(steps())
    assert len(around.judged) == 4


def test_a_judgement_that_fails_does_not_keep_others_from_theirs(caplog: pytest.LogCaptureFixture) -> None:
    around = Around()

    async def run() -> None:
        for name in ("another", "one more"):
            around.judged.clear()
            around.fresh.judge_soon({"bad", "good", name})
            await around.fresh.settled()
            assert sorted(around.judged) == sorted(["bad", "good", name]), "also the second time"

    asyncio.run(run())
    assert [(record.message, record.fields) for record in caplog.records] == [  # type: ignore[attr-defined]
        ("judgement failed", {"target": "bad"})
    ] * 2


def test_those_that_a_judgement_changes_something_for_are_judged_as_well() -> None:
    around = Around()
    around.concerned = {"one": {"two"}, "two": {"one", "three"}}

    async def run() -> None:
        around.fresh.judge_soon({"one"})
        assert around.judged == [], "the loop goes on first"
        await around.fresh.settled()
        assert sorted(around.judged) == ["one", "one", "three", "two"]

    asyncio.run(run())


def test_a_target_is_scanned_right_after_each_date_that_was_seen_and_then_not_for_it_any_more() -> None:
    around = Around()
    dates = [NOW + 10 * MINUTE, NOW + 30 * MINUTE]
    around.turns = {"one": [NOW - MINUTE, *dates], "two": []}

    async def steps() -> None:
        for name in ("one", "two"):
            around.fresh.expect_turn(name, NOW)
        await asyncio.sleep(3600.5)

    around.live(steps())
    assert around.scanned == [("one", date + AFTER_A_TURN) for date in dates]
    assert around.steps_looked_for == 3601


def test_a_scan_that_fails_after_a_date_is_repeated_a_few_times_and_one_that_fails_otherwise_is_not() -> None:
    around = Around()
    around.turns = {"one": [NOW + MINUTE]}

    async def steps() -> None:
        around.fresh.scanned("one", NOW, success=False)
        await asyncio.sleep(90.5)
        assert len(around.scanned) == 1
        for _ in range(2 * TRIES_MORE):
            around.fresh.scanned("one", around.now(), success=False)
        assert len(around.scanned) == 1 + TRIES_MORE

    around.live(steps())


def test_a_scan_that_succeeds_after_a_date_ends_the_tries() -> None:
    around = Around()
    around.turns = {"one": [NOW + MINUTE]}

    async def steps() -> None:
        around.fresh.scanned("one", NOW, success=True)
        await asyncio.sleep(90.5)
        around.fresh.scanned("one", around.now(), success=True)
        around.fresh.scanned("one", around.now(), success=False)
        assert len(around.scanned) == 1

    around.live(steps())


def test_a_target_that_is_forgotten_is_not_scanned_for_its_dates() -> None:
    around = Around()
    around.turns = {"one": [NOW + MINUTE], "two": [NOW + MINUTE], "three": [NOW + MINUTE]}

    async def steps() -> None:
        for name in around.turns:
            around.fresh.expect_turn(name, NOW)
        around.fresh.forget("one")
        around.turns["two"] = []
        around.fresh.expect_turn("two", NOW)
        await asyncio.sleep(90.5)

    around.live(steps())
    assert [name for name, _ in around.scanned] == ["three"]
