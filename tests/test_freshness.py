"""When targets are judged and scanned again: hours pass at once, with simulated judging and scanning."""

import asyncio
from collections.abc import Collection, Coroutine
from datetime import datetime, timedelta

import pytest

from exporter.freshness import AFTER_A_TURN, JUDGED_EVERY_SECONDS, TRIES_MORE, Freshness, Hooks
from tests.support.clock import FeignedLoop, run_in_feigned_time
from tests.support.targets import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Around:
    """What a `Freshness` calls: notes it.

    Attributes:
        judged: names, in order.
        scanned: names and when, in order.
        turns: name -> dates that a scan of it saw.
        concerned: name -> others that a judgement of it changes something for.
    """

    def __init__(self) -> None:
        self.judged: list[str] = []
        self.scanned: list[tuple[str, datetime]] = []
        self.turns: dict[str, list[datetime]] = {}
        self.concerned: dict[str, set[str]] = {}
        self.steps_looked_for = 0
        self.fresh = Freshness(Hooks(self.judge, self.next_turn, self.scan_again, self.notice_step), self.now)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    def judge(self, name: str) -> Collection[str]:
        self.judged.append(name)
        if name == "bad":
            raise RuntimeError("a bug of ours")
        return self.concerned.pop(name, set())

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


def test_each_target_is_judged_once_a_minute_and_no_other() -> None:
    around, names = Around(), [f"t{number}" for number in range(100)]

    async def steps() -> None:
        around.fresh.follow(["gone"])
        around.fresh.follow(names)
        await asyncio.sleep(JUDGED_EVERY_SECONDS - 0.5)
        assert sorted(around.judged) == sorted(names)
        await asyncio.sleep(JUDGED_EVERY_SECONDS)
        assert sorted(around.judged) == sorted(names * 2)

    around.live(steps())


def test_after_a_standstill_all_are_judged_once_and_not_for_every_minute_of_it() -> None:
    class Counting(Freshness):
        async def judge_at(self, second: int) -> None:
            seconds.append(second)
            await super().judge_at(second)

    around, seconds = Around(), list[int]()
    around.fresh = Counting(Hooks(around.judge, around.next_turn, around.scan_again, around.notice_step), around.now)

    async def steps() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(90.5)
        seconds.clear()
        assert isinstance(loop, FeignedLoop)
        loop.selector.passed += timedelta(hours=8).total_seconds()
        await asyncio.sleep(60)

    around.live(steps())
    assert len(seconds) < 3 * JUDGED_EVERY_SECONDS
    assert seconds == [(31 + count) % JUDGED_EVERY_SECONDS for count in range(len(seconds))], "nobody is left out"
    assert set(seconds) == set(range(JUDGED_EVERY_SECONDS))


def test_it_ends_between_two_judgements_of_one_second() -> None:
    class Stopping(Around):
        stopping = asyncio.Event()

        def judge(self, name: str) -> Collection[str]:
            self.stopping.set()
            return super().judge(name)

    around = Stopping()

    async def run() -> None:
        around.fresh.follow([f"t{number}" for number in range(100 * JUDGED_EVERY_SECONDS)])
        await around.fresh.run(around.stopping)

    run_in_feigned_time(run())
    assert len(around.judged) == 1


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


def test_a_target_is_judged_and_scanned_right_after_each_date_that_was_seen_and_then_not_for_it_any_more() -> None:
    around = Around()
    dates = [NOW + 10 * MINUTE, NOW + 30 * MINUTE]
    around.turns = {"one": [NOW - MINUTE, *dates], "two": []}

    async def steps() -> None:
        for name in ("one", "two"):
            around.fresh.expect_turn(name, NOW)
        await asyncio.sleep(3600.5)

    around.live(steps())
    assert around.judged == ["one", "one"]
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
