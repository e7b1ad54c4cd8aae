r"""Reads a pattern in RE2's syntax (https://github.com/google/re2/wiki/Syntax), as Go's `regexp/syntax` does.

It refuses what Go refuses. It also refuses scripts such as `\p{Greek}`, of which Python has no tables.
"""

import re
from dataclasses import dataclass, replace

from exporter.re2 import characters
from exporter.re2.characters import Ranges
from exporter.re2.reader import CharacterReader, RegexFlags
from exporter.re2.syntax import Alternation, Atom, Capture, Concatenation, Node, Repetition, counted

MAX_COUNT = 1000
"""Of `{n}`, and of the product of nested ones (Go's `regexp/syntax`, repeatIsValid)."""
MAX_DEPTH = 100
"""Of groups in groups. Go's limit is 1000; Python's stack is smaller."""

_COUNTS = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_NAME = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")

_NOT_RE2 = {
    "(?=": "a lookahead",
    "(?!": "a lookahead",
    "(?<=": "a lookbehind",
    "(?<!": "a lookbehind",
    "(?>": "an atomic group",
    "(?#": "a comment",
    "(?(": "a condition",
    "(?P=": "a backreference",
    "(?P<": "a name of a group with other characters than letters, digits and _",
    "(?<": "a name of a group with other characters than letters, digits and _",
}
_POSITIONS = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?!(?a:\b))"}
_NO_NEWLINE = characters.negated(((10, 10),))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pattern as a tree.

    Attributes:
        groups: how many groups have a number.
        names: their names, with the numbers of all groups of that name.
    """

    tree: Node
    groups: int
    names: dict[str, tuple[int, ...]]


def parse(pattern: str) -> Parsed:
    """The tree of a pattern.

    Raises:
        RegexError: it is not in RE2's syntax, or has a part that is not supported.
    """
    return _Parser(pattern).complete()


class _Parser(CharacterReader):
    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._depth = 0
        self._groups = 0
        self._names: dict[str, tuple[int, ...]] = {}

    def complete(self) -> Parsed:
        tree = self._alternation()
        if self._at < len(self._text):
            raise self._error("a closing parenthesis without an opening one")
        return Parsed(tree, self._groups, self._names)

    def _alternation(self) -> Node:
        """Up to the closing parenthesis or the end. Flags that are set inside end there too."""
        flags = self._flags
        branches = [self._concatenation()]
        while self._take("|"):
            branches.append(self._concatenation())
        self._flags = flags
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def _concatenation(self) -> Node:
        parts: list[Node] = []
        repeated = False
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            start = self._at
            if counts := self._counts():
                if repeated:
                    raise self._error("a repetition of a repetition", start)
                if not parts:
                    raise self._error("a repetition of nothing", start)
                parts[-1] = self._repetition(parts[-1], *counts, start)
                repeated = True
            else:
                parts += self._part()
                repeated = False
        return parts[0] if len(parts) == 1 else Concatenation(tuple(parts))

    def _counts(self) -> tuple[int, int | None] | None:
        """How often, if here is a repetition."""
        for sign, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return counts
        found = self._match(_COUNTS)
        if not found:
            return None
        start = found.start()
        if any(len(digits or "") > len(str(MAX_COUNT)) for digits in found.group(1, 3)):
            raise self._error(f"a count of more than {MAX_COUNT}", start)
        least = int(found[1])
        most = int(found[3]) if found[3] else None if found[2] else least
        if most is not None and most < least:
            raise self._error("a range of counts that is reversed", start)
        return least, most

    def _repetition(self, body: Node, least: int, most: int | None, start: int) -> Node:
        lazy = self._take("?")
        node = Repetition(body, least, most, greedy=lazy == self._flags.U)
        if counted(node) > MAX_COUNT:
            raise self._error(f"a count of more than {MAX_COUNT}", start)
        return node

    def _part(self) -> list[Node]:
        """The next atoms or group; flags alone are no part."""
        char = self._text[self._at]
        if char == "(":
            return self._group()
        if char == "[":
            return [self._atom(self._class())]
        if char == "\\":
            return self._escaped()
        self._at += 1
        if char == "^":
            return [Atom("(?m:^)" if self._flags.m else r"\A", 0)]
        if char == "$":
            return [Atom("(?m:$)" if self._flags.m else r"\Z", 0)]
        if char == ".":
            return [self._atom(characters.ANY if self._flags.s else _NO_NEWLINE)]
        return [self._literal(ord(char))]

    def _atom(self, ranges: Ranges) -> Atom:
        return Atom(characters.source(ranges), 1)

    def _literal(self, code: int) -> Atom:
        ranges: Ranges = ((code, code),)
        return self._atom(characters.fold(ranges) if self._flags.i else ranges)

    def _group(self) -> list[Node]:
        start = self._at
        outside = self._flags
        number = None
        if named := self._match(_NAME):
            self._groups += 1
            number = self._groups
            self._names[named[1]] = (*self._names.get(named[1], ()), number)
        elif flags := self._match(_FLAGS):
            self._flags = _changed(self._flags, flags[1], flags[2] or "")
            if flags[3] == ")":
                return []
        elif self._text.startswith("(?", start):
            raise self._error(f"{_what(self._text[start:])}, which is not in RE2's syntax", start)
        else:
            self._at += 1
            self._groups += 1
            number = self._groups
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} groups in each other", start)
        body = self._alternation()
        if not self._take(")"):
            raise self._error("an opening parenthesis without a closing one", start)
        self._depth -= 1
        self._flags = outside
        return [body if number is None else Capture(number, body)]

    def _escaped(self) -> list[Node]:
        if self._take(r"\Q"):
            end = self._text.find(r"\E", self._at)
            if end < 0:
                raise self._error(r"\Q without \E", self._at - 2)
            quoted, self._at = self._text[self._at : end], end + 2
            return [self._literal(ord(char)) for char in quoted]
        position = _POSITIONS.get(self._text[self._at + 1 : self._at + 2])
        if position:
            self._at += 2
            return [Atom(position, 0)]
        ranges = self._class_escape()
        return [self._literal(self._code()) if ranges is None else self._atom(ranges)]


def _changed(flags: RegexFlags, on: str, off: str) -> RegexFlags:
    return replace(flags, **(dict.fromkeys(on, True) | dict.fromkeys(off, False)))


def _what(text: str) -> str:
    """What a group that begins with `(?` is."""
    return next(
        (what for start, what in _NOT_RE2.items() if text.startswith(start)), "a group with unknown or incomplete flags"
    )
