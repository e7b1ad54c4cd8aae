"""Matches in time that grows linearly with the text, by the method of Go's `regexp` (backtrack.go).

It tries the same ways in the same order as a backtracking matcher, but none twice: what failed at a step of the program
and a place of the text fails there again.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, assert_never

from exporter.re2.errors import TextTooLongError
from exporter.re2.syntax import Alternation, Atom, Capture, Concatenation, Node, Repetition, nullable

MAX_WORK = 500_000
"""Steps of the program times places of the text: less than half a second on one core."""


_ATOM, _SPLIT, _SAVE, _END = range(4)
"""Kinds of steps. They are integers, because members of an `Enum` make the loop half as fast."""


def _never(_text: str, _place: int) -> object:
    return None


class _Step(NamedTuple):
    """One step, and the one that follows.

    Attributes:
        other: what is tried when the next step leads to no match, for SPLIT.
        slot: where the place in the text is stored, for SAVE.
        width: how much text ATOM takes.
        matches: whether ATOM matches there.
    """

    do: int
    next: int = 0
    other: int = 0
    slot: int = 0
    width: int = 0
    matches: Callable[[str, int], object] = _never


class Program:
    """A pattern as steps. Its step 0 is the end."""

    def __init__(self, tree: Node, groups: int) -> None:
        self._slots = 2 * (groups + 1)
        self._steps = [_Step(_END)]
        self._atoms: dict[str, Callable[[str, int], object]] = {}
        self._start = self._emit(tree, 0)

    def _add(self, step: _Step) -> int:
        self._steps.append(step)
        return len(self._steps) - 1

    def _emit(self, node: Node, following: int) -> int:
        """Add the steps of a node, and return the first one. After the last one comes the step `following`."""
        match node:
            case Atom():
                if node.source not in self._atoms:
                    self._atoms[node.source] = re.compile(node.source, re.DOTALL).match
                return self._add(_Step(_ATOM, following, width=node.width, matches=self._atoms[node.source]))
            case Capture():
                end = self._add(_Step(_SAVE, following, slot=2 * node.number + 1))
                return self._add(_Step(_SAVE, self._emit(node.body, end), slot=2 * node.number))
            case Concatenation():
                for part in reversed(node.parts):
                    following = self._emit(part, following)
                return following
            case Alternation():
                *firsts, start = [self._emit(part, following) for part in node.parts]
                for first in reversed(firsts):
                    start = self._add(_Step(_SPLIT, first, start))
                return start
            case Repetition():
                return self._repetition(node, following)
            case _:
                assert_never(node)

    def _split(self, body: int, out: int, *, greedy: bool) -> int:
        return self._add(_Step(_SPLIT, body, out) if greedy else _Step(_SPLIT, out, body))

    def _repetition(self, node: Repetition, following: int) -> int:
        """`x{2,4}` is `xx(x(x)?)?`; `x{2,}` is `xx+` (Go's `regexp/syntax`, simplify.go)."""
        copies = node.least
        start = following
        if node.most is None:
            start = self._loop(node, following)
            copies -= 1
        else:
            for _ in range(node.most - node.least):
                start = self._split(self._emit(node.body, start), following, greedy=node.greedy)
        for _ in range(copies):
            start = self._emit(node.body, start)
        return start

    def _loop(self, node: Repetition, following: int) -> int:
        """`x*` or `x+`. `x*` is `(x+)?` if x can be empty, for the order of preference (golang.org/issue/46123)."""
        again = self._split(0, following, greedy=node.greedy)
        body = self._emit(node.body, again)
        self._steps[again] = _Step(_SPLIT, *((body, following) if node.greedy else (following, body)))
        if node.least:
            return body
        return self._split(body, following, greedy=node.greedy) if nullable(node.body) else again

    def match(self, text: str) -> tuple[str | None, ...] | None:
        """The texts of all groups if the program matches the complete text; group 0 is the text.

        Raises:
            TextTooLongError: it could take too long.
        """
        places = len(text) + 1
        if places * len(self._steps) > MAX_WORK:
            raise TextTooLongError(f"{len(text)} characters are too many for this pattern")
        slots = self._run(text, bytearray(places * len(self._steps)), places)
        if slots is None:
            return None
        found = (
            text[start:end] if start is not None and end is not None else None
            for start, end in zip(slots[2::2], slots[3::2], strict=True)
        )
        return (text, *found)

    def _run(self, text: str, visited: bytearray, places: int) -> list[int | None] | None:
        steps, end = self._steps, len(text)
        slots: list[int | None] = [None] * self._slots
        jobs: list[tuple[int, int | None]] = [(self._start, 0)]  # a negative step restores the slot ~step
        while jobs:
            number, place = jobs.pop()
            if number < 0 or place is None:
                slots[~number] = place
                continue
            while not visited[key := number * places + place]:
                visited[key] = 1
                do, number, other, slot, width, matches = steps[number]
                if do == _ATOM:
                    if not matches(text, place):
                        break
                    place += width
                elif do == _SPLIT:
                    jobs.append((other, place))
                elif do == _SAVE:
                    jobs.append((~slot, slots[slot]))
                    slots[slot] = place
                elif place == end:
                    return slots
                else:
                    break
        return None
