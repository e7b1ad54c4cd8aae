r"""Reads a pattern in RE2's syntax (https://github.com/google/re2/wiki/Syntax), as Go's `regexp/syntax` does.

It refuses what Go refuses. It also refuses scripts such as `\p{Greek}`, of which Python has no tables.
"""

import re
from dataclasses import dataclass, replace

from exporter.re2 import characters
from exporter.re2.characters import Ranges
from exporter.re2.errors import RegexError
from exporter.re2.syntax import Alternation, Atom, Capture, Concatenation, Node, Repetition, counted

MAX_COUNT = 1000
"""Of `{n}`, and of the product of nested ones (Go's `regexp/syntax`, repeatIsValid)."""
MAX_DEPTH = 100
"""Of groups in groups. Go's limit is 1000; Python's stack is smaller."""

_COUNTS = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_NAME = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_UNICODE = re.compile(r"\\([pP])(?:\{(\^?)([^}]*)\}|([^{]))", re.DOTALL)
_POSIX = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL)

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
class _Flags:
    i: bool = False
    m: bool = False
    s: bool = True  # Prometheus has compiled `^(?s:...)$` since version 3.0
    U: bool = False


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


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0
        self._flags = _Flags()
        self._groups = 0
        self._names: dict[str, tuple[int, ...]] = {}

    def complete(self) -> Parsed:
        tree = self._alternation()
        if self._at < len(self._text):
            raise self._error("a closing parenthesis without an opening one")
        return Parsed(tree, self._groups, self._names)

    def _error(self, what: str, at: int | None = None) -> RegexError:
        return RegexError(what, self._at if at is None else at)

    def _take(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

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

    def _class(self) -> Ranges:
        start = self._at
        self._at += 1
        negative = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            if self._at >= len(self._text):
                raise self._error("a class without closing bracket", start)
            first = False
            part = self._posix()
            if part is None:
                part = self._class_escape()
            ranges += self._range(start) if part is None else part
        found = characters.merged(ranges)
        return characters.negated(found) if negative else found

    def _range(self, start: int) -> Ranges:
        """One character of a class, or two with a hyphen between them."""
        begin = self._at
        first = last = self._class_code(start)
        if self._text.startswith("-", self._at) and self._text[self._at + 1 : self._at + 2] not in {"]", ""}:
            self._at += 1
            last = self._class_code(start)
        if last < first:
            raise self._error("a range that is reversed", begin)
        return characters.fold(((first, last),)) if self._flags.i else ((first, last),)

    def _class_code(self, start: int) -> int:
        if self._at >= len(self._text):
            raise self._error("a class without closing bracket", start)
        if self._text[self._at] == "\\":
            return self._code()
        self._at += 1
        return ord(self._text[self._at - 1])

    def _posix(self) -> Ranges | None:
        """The set of `[:alpha:]`, if it is here."""
        start = self._at
        found = self._match(_POSIX)
        if not found:
            return None
        if found[2] not in characters.POSIX:
            raise self._error("a class that POSIX does not have", start)
        return self._signed(characters.POSIX[found[2]], negative=bool(found[1]))

    def _class_escape(self) -> Ranges | None:
        r"""The set of `\d`, `\PL` and others, if one is here."""
        start = self._at
        if self._text[start : start + 1] != "\\":
            return None
        letter = self._text[start + 1 : start + 2]
        if letter and letter in "dDsSwW":
            self._at += 2
            return self._signed(characters.PERL[letter.lower()], negative=letter.isupper())
        if not letter or letter not in "pP":
            return None
        found = self._match(_UNICODE)
        ranges = characters.category(found[4] or found[3]) if found else None
        if not found or ranges is None:
            raise self._error("a Unicode class that is unknown or not supported (scripts are not)", start)
        return self._signed(ranges, negative=(found[1] == "P") != bool(found[2]))

    def _signed(self, ranges: Ranges, *, negative: bool) -> Ranges:
        """Case is folded before the complement is taken."""
        ranges = characters.fold(ranges) if self._flags.i else ranges
        return characters.negated(ranges) if negative else ranges

    def _code(self) -> int:
        """The code point of an escaped character."""
        start = self._at
        self._at += 1
        if self._at >= len(self._text):
            raise self._error("a backslash at the end", start)
        char = self._text[self._at]
        if found := self._match(_OCTAL):
            return int(found[0], 8)
        if found := self._match(_HEX):
            code = int(found[1] or found[2], 16)
            if code > characters.ANY[0][1]:
                raise self._error("a code that Unicode does not have", start)
            return code
        self._at += 1
        if char in _CONTROL:
            return _CONTROL[char]
        if char.isascii() and not char.isalnum():
            return ord(char)
        if char in "123456789":
            raise self._error("a backreference, which is not in RE2's syntax", start)
        raise self._error("an escape that is not in RE2's syntax", start)


def _changed(flags: _Flags, on: str, off: str) -> _Flags:
    return replace(flags, **(dict.fromkeys(on, True) | dict.fromkeys(off, False)))


def _what(text: str) -> str:
    """What a group that begins with `(?` is."""
    return next(
        (what for start, what in _NOT_RE2.items() if text.startswith(start)), "a group with unknown or incomplete flags"
    )
