"""The known name that a wrong name may have been meant to be. Every message with a suggestion is made here."""

import difflib
from collections.abc import Collection, Iterable
from functools import lru_cache
from heapq import nlargest
from itertools import pairwise

MOST_SHOWN = 20
"""Maximum number of known names in a message that has no near name to suggest."""
_ALIKE = 0.6
"""That of difflib: `prot` is near `port`, and `policy` is near `policies`."""
_COMPARED = 64
"""Maximum number of names that are compared closely: no section has so many keys, but there are hundreds of suites."""
_LONGEST = 200
"""Longer texts are not names."""


def nearest(name: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """The known name that is most like this one, in any case of letters; None if none is `alike` (0 to 1)."""
    return _nearest(name, tuple(known), alike) if len(name) <= _LONGEST else None


@lru_cache(maxsize=1024)  # a template repeats one mistake in thousands of targets
def _nearest(name: str, known: tuple[str, ...], least: float) -> str | None:
    written = {one.lower(): one for one in known if one}
    alike = list(written) if len(written) <= _COMPARED else _most_alike(name.lower(), written)
    found = difflib.get_close_matches(name.lower(), alike, n=1, cutoff=least)
    return written[found[0]] if found else None


def _most_alike(name: str, known: Iterable[str]) -> list[str]:
    pairs = _pairs(name)
    return nlargest(_COMPARED, known, key=lambda one: len(pairs & _pairs(one)) / max(len(one), 1))


@lru_cache(maxsize=4096)
def _pairs(name: str) -> frozenset[str]:
    """All pairs of adjacent characters."""
    return frozenset(map("".join, pairwise(name)))


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` for the end of a message; empty if no known name is near."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""


def suggestion_or_all(name: str, known: Collection[str], otherwise: str = "") -> str:
    """As `suggestion`; without a near name, all known names where they are few, else `otherwise`."""
    if found := suggestion(name, known):
        return found
    if not otherwise and len(known) <= MOST_SHOWN:
        return f"; known are {', '.join(known)}"
    return f"; {otherwise}" if otherwise else ""


def not_one_of(shown: str, value: object, known: Collection[str]) -> str:
    """The message for a value that is none of these. `shown` is the value as messages show it.

    Values that differ in a number only are no typing errors of each other: `TLS10` is not `TLS13`.
    """
    near = nearest(value, known) if isinstance(value, str) else None
    hint = f"; did you mean {near}?" if near and _without_digits(near) != _without_digits(str(value)) else ""
    return f"{shown} is not one of {', '.join(known)}{hint}"


def _without_digits(name: str) -> str:
    return "".join(char for char in name.lower() if not char.isdigit())
