"""The order of tests for several workers: none is lost, and long ones begin the parts of half of the workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.order import long_ones_first


def test_half_of_the_workers_begin_with_long_tests() -> None:
    groups = [(["a1", "a2", "a3"], False), (["slow1"], True), (["b1", "b2"], False), (["slow2", "slow3"], True)]
    assert long_ones_first(groups, 4) == ["slow1", "a1", "slow2", "slow3", "a2", "a3", "b1", "b2"]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_without_long_tests_the_order_stays(workers: int) -> None:
    groups = [([1, 2, 3], False), ([4], False), ([5, 6, 7, 8, 9], False)]
    assert long_ones_first(groups, workers) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=9), st.integers(1, 9))
def test_no_test_is_lost_or_comes_twice(sizes: list[tuple[int, bool]], workers: int) -> None:
    groups = [([(place, one) for one in range(size)], is_long) for place, (size, is_long) in enumerate(sizes)]
    every = [test for tests, _ in groups for test in tests]
    assert sorted(long_ones_first(groups, workers)) == every
