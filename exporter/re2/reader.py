"""Reads single characters, escapes and classes of a pattern."""

import re
from dataclasses import dataclass

from exporter.re2 import characters
from exporter.re2.characters import Ranges
from exporter.re2.errors import RegexError

_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_UNICODE = re.compile(r"\\([pP])(?:\{(\^?)([^}]*)\}|([^{]))", re.DOTALL)
_POSIX = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RegexFlags:
    """The flags of `(?imsU)`, as Prometheus sets them: it has compiled `^(?s:...)$` since version 3.0."""

    i: bool = False
    m: bool = False
    s: bool = True
    U: bool = False


class CharacterReader:
    """A pattern, the place that is read next, and the flags there."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._flags = RegexFlags()

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
