"""Sets of code points are complete, sorted, and what `re` reads of them."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.re2 import characters
from exporter.re2.characters import Ranges

RANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda both: (min(both), max(both))), max_size=6
).map(characters.merged)


@given(RANGES)
def test_a_complement_has_all_others(ranges: Ranges) -> None:
    other = characters.negated(ranges)
    assert all(characters.contains(ranges, code) != characters.contains(other, code) for code in range(300))
    assert characters.negated(other) == ranges


@given(RANGES)
def test_re_reads_the_same_set(ranges: Ranges) -> None:
    pattern = re.compile(characters.source(ranges), re.DOTALL)
    for code in (*range(210), sys.maxunicode):
        assert bool(pattern.fullmatch(chr(code))) == characters.contains(ranges, code)


@given(RANGES)
def test_folding_twice_adds_nothing(ranges: Ranges) -> None:
    once = characters.fold(ranges)
    assert characters.fold(once) == once
    assert all(characters.contains(once, first) and characters.contains(once, last) for first, last in ranges)


@pytest.mark.parametrize(
    ("char", "others"),
    [
        ("k", "kK\u212a"),
        ("s", "sSſ"),
        ("ß", "ßẞ"),
        ("σ", "σςΣ"),
        ("i", "iI"),
        ("İ", "İ"),
        ("ı", "ı"),
        ("ᾳ", "ᾳᾼ"),
        ("1", "1"),
    ],
)
def test_simple_folding(char: str, others: str) -> None:
    folded = characters.fold(((ord(char), ord(char)),))
    assert folded == characters.merged((ord(other), ord(other)) for other in others)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [("L", "é", "1"), ("Ll", "é", "É"), ("N", "½", "a"), ("Nd", "٣", "½"), ("Any", "a", "")],
)
def test_categories(name: str, inside: str, outside: str) -> None:
    ranges = characters.category(name) or ()
    assert characters.contains(ranges, ord(inside))
    assert not any(characters.contains(ranges, ord(char)) for char in outside)


@pytest.mark.parametrize("name", ["", "X", "Lx", "LC", "Cn", "Greek", "l", "Lul"])
def test_other_names_are_no_categories(name: str) -> None:
    assert characters.category(name) is None
