"""Lanes: slow work has a share of the places, and none that others need."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.lanes import Lane, Lanes, Place


class Work:
    """What began and what had to give up, in this order."""

    def __init__(self, places: int) -> None:
        self.lanes = Lanes(places)
        self.begun: list[Place] = []
        self.given_up: list[Place] = []

    def wait(self, lane: Lane, count: int = 1, rank: int = 0) -> list[Place]:
        return [self.lanes.wait(lane, self.begun.append, self.given_up.append, rank) for _ in range(count)]

    def running(self) -> list[int]:
        return [self.lanes.running(lane) for lane in Lane]

    def waiting(self) -> list[int]:
        return [self.lanes.waiting(lane) for lane in Lane]


def test_one_kind_of_quick_work_has_all_places_while_it_is_alone() -> None:
    for lane in (Lane.HEALTHY, Lane.NEW):
        work = Work(10)
        work.wait(lane, 12)
        assert len(work.begun) == 10


@pytest.mark.parametrize(("places", "most"), [(1, 1), (2, 1), (3, 1), (5, 1), (6, 2), (10, 3), (100, 33)])
def test_slow_work_never_has_more_than_a_third(places: int, most: int) -> None:
    work = Work(places)
    work.wait(Lane.SLOW, 200)
    assert len(work.begun) == most


def test_each_lane_gets_what_is_reserved_for_it() -> None:
    work = Work(10)
    first = work.wait(Lane.NEW, 50)[:10]
    work.wait(Lane.HEALTHY, 50)
    work.wait(Lane.SLOW, 50)
    for place in first:
        work.lanes.leave(place)
    assert work.running() == [4, 3, 3]


def test_two_places_are_one_for_slow_work_and_one_for_the_rest() -> None:
    work = Work(2)
    work.wait(Lane.SLOW, 5)
    (healthy,) = work.wait(Lane.HEALTHY)
    work.wait(Lane.NEW)
    assert work.running() == [1, 0, 1]
    work.lanes.leave(healthy)
    assert work.running() == [0, 1, 1]


def test_a_single_place_goes_to_slow_work_only_if_nobody_else_waits() -> None:
    work = Work(1)
    (healthy,) = work.wait(Lane.HEALTHY)
    work.wait(Lane.SLOW, 3)
    (new,) = work.wait(Lane.NEW)
    work.lanes.leave(healthy)
    assert work.running() == [0, 1, 0]
    work.lanes.leave(new)
    assert work.running() == [0, 0, 1]


def test_late_work_moves_to_the_slow_lane_and_keeps_its_place() -> None:
    work = Work(10)
    (place,) = work.wait(Lane.NEW)
    work.lanes.make_late(place)
    assert work.running() == [0, 0, 1]
    assert work.given_up == []


def test_late_work_gives_up_its_place_only_if_others_need_it() -> None:
    work = Work(3)
    late = work.wait(Lane.NEW, 3)
    for place in late:
        work.lanes.make_late(place)
    assert work.running() == [0, 2, 1]
    assert work.given_up == []
    work.wait(Lane.HEALTHY)
    assert len(work.given_up) == 1
    work.lanes.leave(work.given_up[0])
    assert work.running() == [1, 1, 1]


def test_a_single_late_place_is_given_up_too() -> None:
    work = Work(1)
    (late,) = work.wait(Lane.NEW)
    work.lanes.make_late(late)
    assert work.running() == [0, 1, 0]
    work.wait(Lane.NEW)
    assert work.given_up == [late]


def test_nobody_gives_up_a_place_for_slow_work() -> None:
    work = Work(1)
    (late,) = work.wait(Lane.NEW)
    work.lanes.make_late(late)
    work.wait(Lane.SLOW)
    assert work.given_up == []


def test_late_work_moves_as_soon_as_the_slow_lane_has_room() -> None:
    work = Work(3)
    (slow,) = work.wait(Lane.SLOW)
    (late,) = work.wait(Lane.NEW)
    work.lanes.make_late(late)
    assert work.running() == [0, 1, 1]
    work.lanes.leave(slow)
    assert work.running() == [0, 0, 1]


def test_slow_work_of_the_lowest_rank_is_first_and_equals_take_turns() -> None:
    work = Work(2)
    (first,) = work.wait(Lane.SLOW, rank=3)
    later = [*work.wait(Lane.SLOW, rank=2), *work.wait(Lane.SLOW, rank=0), *work.wait(Lane.SLOW, rank=2)]
    for place in (first, later[1], later[0]):
        work.lanes.leave(place)
    assert work.begun == [first, later[1], later[0], later[2]]


def test_slow_work_of_a_high_rank_begins_although_there_is_always_some_of_a_lower_one() -> None:
    work = Work(2)
    work.wait(Lane.SLOW)
    high = work.wait(Lane.SLOW, count=3, rank=3)
    for _ in range(20):
        work.wait(Lane.SLOW)
        work.lanes.leave(work.begun[-1])
    assert [place for place in work.begun if place.rank] == high
    assert len(work.begun) == 21


def test_who_stops_waiting_is_not_called() -> None:
    work = Work(1)
    first, second, third = work.wait(Lane.NEW, 3)
    work.lanes.leave(second)
    work.lanes.leave(first)
    assert work.begun == [first, third]
    assert work.waiting() == [0, 0, 0]


steps = st.lists(
    st.tuples(st.sampled_from(["healthy", "new", "slow", "leave", "late"]), st.integers(0, 20)), max_size=60
)


@given(st.integers(1, 12), steps)
def test_whatever_comes_the_limits_hold_and_no_place_is_idle_while_quick_work_waits(
    places: int, actions: list[tuple[str, int]]
) -> None:
    work, inside = Work(places), deque[Place]()
    for action, number in actions:
        if action in {"healthy", "new", "slow"}:
            inside += work.wait(Lane(action))
        elif inside:
            place = inside[number % len(inside)]
            if action == "late" and place in work.begun:
                work.lanes.make_late(place)
            elif action == "leave":
                inside.remove(place)
                work.lanes.leave(place)
        healthy, new, slow = work.running()
        assert healthy + new + slow <= places
        assert slow <= max(1, places // 3)
        quick = sum(work.waiting()[:2])
        assert not quick or healthy + new + slow == places
        late = [one for one in inside if one.late and not one.given_up and one.lane is not Lane.SLOW]
        gone = [one for one in inside if one.given_up]
        assert not late or quick <= len(gone)
    for place in list(inside):
        work.lanes.leave(place)
    assert work.running() == work.waiting() == [0, 0, 0]
