"""Logic with three values."""

from itertools import product

import pytest

from exporter.ternary import all_of, any_of, negated

STATES = (True, False, None)


@pytest.mark.parametrize(
    ("states", "some", "every"),
    [
        ([], False, True),
        ([True], True, True),
        ([False], False, False),
        ([None], None, None),
        ([True, False], True, False),
        ([True, None], True, None),
        ([False, None], None, False),
        ([None, False, True], True, False),
    ],
)
def test_what_is_not_known_decides_nothing(states: list[bool | None], some: bool | None, every: bool | None) -> None:
    assert any_of(iter(states)) is some
    assert all_of(iter(states)) is every


@pytest.mark.parametrize("states", list(product(STATES, repeat=3)))
def test_a_result_is_what_every_way_to_fill_in_the_unknown_comes_to(states: tuple[bool | None, ...]) -> None:
    worlds = list(product(*((True, False) if state is None else (state,) for state in states)))
    for made, known in ((any_of, any), (all_of, all)):
        outcomes = {known(world) for world in worlds}
        assert made(states) is (outcomes.pop() if len(outcomes) == 1 else None)


@pytest.mark.parametrize(("state", "contrary"), [(True, False), (False, True), (None, None)])
def test_the_contrary_of_what_is_not_known_is_not_known(state: bool | None, contrary: bool | None) -> None:
    assert negated(state) is contrary
