"""Searches for garbage rest while many objects are made, and leave out what there is afterwards."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from exporter.garbage import Rest, search_all


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


class Node:
    """An object that can be in a cycle."""

    def __init__(self) -> None:
        self.other: Node | None = None


def cycle() -> "weakref.ref[Node]":
    one, other = Node(), Node()
    one.other, other.other = other, one
    return weakref.ref(one)


def test_rests_overlap_and_the_last_one_ends_them() -> None:
    first, second = Rest().begin(), Rest()
    with second:
        assert not gc.isenabled()
        first.end()
        first.end()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_meanwhile_is_left_out_until_everything_is_searched() -> None:
    with Rest():
        left = cycle()
    gc.collect()
    assert left() is not None
    search_all()
    assert left() is None


def test_a_failure_ends_the_rest() -> None:
    with pytest.raises(ValueError, match="wrong"), Rest():
        raise ValueError("wrong")
    assert gc.isenabled()
