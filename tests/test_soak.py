"""The short form of `make soak`: targets come and go, and nothing is left of those that went."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bench.plot import draw
from bench.soak import LIMITS, SoakPlan, State, allowed, growth, run

PLAN = SoakPlan(scans=300, reloads=10, live=100, most_seconds=400)
STATE = State(0, 0, 0, 10, 0, 100_000, 50_000, 30, 8, 1_000_000)


@pytest.mark.real
@pytest.mark.timeout(600)
def test_targets_that_come_and_go_leave_nothing_behind() -> None:
    soaked = run(PLAN)
    before, last, after = soaked.before, soaked.states[-1], soaked.after
    assert last.scans >= PLAN.scans
    assert last.reloads >= PLAN.reloads
    assert any(state.targets > PLAN.live / 2 for state in soaked.states)
    assert soaked.left == []
    assert (before.targets, after.targets) == (1, 1)
    assert any(state.worker_kib for state in soaked.states), "no attack was tried"
    assert after.descriptors <= before.descriptors + 4  # the pipes of a worker that began since
    assert after.threads <= before.threads + 4  # a pool adds one when all are busy


def test_a_line_that_grows_is_seen_and_one_that_jumps_once_is_not() -> None:
    flat = [replace(STATE, seconds=float(number)) for number in range(40)]
    grows = [replace(state, own_kib=100_000 + 300 * number) for number, state in enumerate(flat)]
    jumps = [replace(state, own_kib=900_000 if number == 30 else 100_000) for number, state in enumerate(flat)]
    assert all(growth(flat, name) <= allowed(flat, name) for name in LIMITS)
    assert growth(grows, "own_kib") == pytest.approx(300 * 19)
    assert growth(grows, "own_kib") > allowed(grows, "own_kib")
    assert growth(jumps, "own_kib") == 0


def test_what_grew_before_the_second_half_is_warm_up() -> None:
    states = [replace(STATE, seconds=float(number), threads=min(number, 20)) for number in range(60)]
    assert growth(states, "threads") == 0


def test_both_numbers_of_a_plan_are_reached_at_the_same_time() -> None:
    plan = SoakPlan(scans=1_000, reloads=10, live=100)
    assert plan.step_seconds * plan.reloads * plan.live / 10 == pytest.approx(plan.scans)


def test_a_plot_has_a_line_for_each_series_with_a_point_for_each_look() -> None:
    picture = ET.fromstring(draw({"a<b": [(0, 0), (10, 5)], "c": []}, "scans"))  # noqa: S314 - made here
    lines = [line.attrib["points"].split() for line in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points) for points in lines] == [2, 0]
    assert "a<b, along scans" in [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
