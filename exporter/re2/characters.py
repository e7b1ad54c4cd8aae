"""Sets of code points, as sorted ranges: classes of Perl, POSIX and Unicode, their complements, folding of case."""

import sys
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby, pairwise

Ranges = tuple[tuple[int, int], ...]
"""First and last code point of each range, in order, without overlaps."""

ANY: Ranges = ((0, sys.maxunicode),)


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The union of ranges in any order."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)


def negated(ranges: Ranges) -> Ranges:
    """All code points that are not in the set."""
    edges = [(-1, -1), *ranges, (sys.maxunicode + 1, sys.maxunicode + 1)]
    return tuple((before[1] + 1, after[0] - 1) for before, after in pairwise(edges) if before[1] + 1 < after[0])


def _named(text: str) -> Ranges:
    """The set that pairs of characters write: `azAZ` is a to z and A to Z."""
    return merged((ord(first), ord(last)) for first, last in zip(text[::2], text[1::2], strict=True))


PERL = {"d": _named("09"), "s": _named("\t\n\f\r  "), "w": _named("09AZaz__")}
"""They are ASCII in RE2 (https://github.com/google/re2/wiki/Syntax)."""

POSIX = {
    "alnum": _named("09AZaz"),
    "alpha": _named("AZaz"),
    "ascii": _named("\x00\x7f"),
    "blank": _named("\t\t  "),
    "cntrl": _named("\x00\x1f\x7f\x7f"),
    "digit": _named("09"),
    "graph": _named("!~"),
    "lower": _named("az"),
    "print": _named(" ~"),
    "punct": _named("!/:@[`{~"),
    "space": _named("\t\r  "),
    "upper": _named("AZ"),
    "word": _named("09AZaz__"),
    "xdigit": _named("09AFaf"),
}
_CATEGORIES = {"C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}
"""General categories: the first letter, and the second ones."""


@lru_cache(maxsize=50)
def category(name: str) -> Ranges | None:
    """The code points of a general category such as `L` or `Lu`, or `Any`; None if there is none of this name.

    Go knows no category of code points that are not assigned: `C` is without them.
    """
    if name == "Any":
        return ANY
    if name[:1] not in _CATEGORIES or (name[1:] and (len(name) > 2 or name[1] not in _CATEGORIES[name[0]])):
        return None
    return merged(
        (first, last)
        for own, first, last in _runs()
        if name == own or (len(name) == 1 and own[0] == name and own != "Cn")
    )


@lru_cache(maxsize=1)
def _runs() -> tuple[tuple[str, int, int], ...]:
    """Code points in a row with the same general category: the category, the first and the last one."""
    result, first = [], 0
    for name, run in groupby(map(unicodedata.category, map(chr, range(sys.maxunicode + 1)))):
        following = first + sum(1 for _ in run)
        result.append((name, first, following - 1))
        first = following
    return tuple(result)


_LAST_CASED = 0x1E943
"""The last code point with another case (maxFold in Go's `regexp/syntax`)."""


def _fold(code: int) -> str:
    """Simple case folding (C and S of Unicode's CaseFolding.txt): Python has only the full one."""
    char = chr(code)
    return next((text for text in (char.casefold(), char.lower()) if len(text) == 1), char)


@lru_cache(maxsize=1)
def _orbits() -> dict[int, tuple[int, ...]]:
    """Code points that differ only in case, for each of them: k, K and the Kelvin sign."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for code in range(_LAST_CASED + 1):
        folded = _fold(code)
        if ord(folded) != code:
            found[folded] |= {code, ord(folded)}
    return {code: tuple(codes) for codes in found.values() for code in codes}


def fold(ranges: Ranges) -> Ranges:
    """The set with every other case of its characters."""
    orbits = _orbits()
    few = sum(last - first + 1 for first, last in ranges) < len(orbits)
    codes = (code for first, last in ranges for code in range(first, last + 1)) if few else iter(orbits)
    cased = [code for code in codes if code in orbits and (few or contains(ranges, code))]
    return merged([*ranges, *((other, other) for code in cased for other in orbits[code])])


def contains(ranges: Ranges, code: int) -> bool:
    """Whether the code point is in the set."""
    place = bisect_right(ranges, (code, sys.maxunicode)) - 1
    return place >= 0 and code <= ranges[place][1]


def source(ranges: Ranges) -> str:
    """The set for Python's `re`, compiled with DOTALL."""
    if ranges == ANY:
        return "."
    if not ranges:
        return f"[^{_escape(0)}-{_escape(sys.maxunicode)}]"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _escape(ranges[0][0])
    return "[" + "".join(_escape(a) if a == b else f"{_escape(a)}-{_escape(b)}" for a, b in ranges) + "]"


def _escape(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\U{code:08x}"
