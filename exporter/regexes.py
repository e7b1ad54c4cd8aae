"""Regular expressions in the syntax of RE2, with the matches that Go's `regexp` finds, for patterns of Prometheus.

RE2 takes time that is linear in the text. Patterns and texts can come from others, and Python's `re` takes exponential
time for some of them.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

_KEPT = 1000
_BYTE = re.compile(r"(?:[^\\]|\\[^C])*\\C", re.DOTALL)
"""RE2's escape for one byte. Go does not have it, and half a character is not text."""

Groups = tuple[str | None, ...]
"""The texts of all groups of a match; group 0 is the complete text."""


class RegexError(ValueError):
    """A pattern is not in RE2's syntax, or is too large."""


@dataclass(frozen=True)
class Regex:
    """A compiled pattern; two with the same source are equal."""

    source: str
    _compiled: Any = field(repr=False, compare=False)

    def match(self, text: str) -> Groups | None:
        """The groups if the pattern matches the complete text."""
        try:
            found = self._compiled.fullmatch(text)
        except UnicodeEncodeError:  # half of a character of UTF-16, from JSON; Go reads it as this character
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            found = self._compiled.fullmatch(text)
        return found and (text, *found.groups())

    def template(self, text: str) -> "Template":
        """The template for matches of this pattern."""
        return parse_template(text, self._compiled.groups, self._compiled.groupindex)


@lru_cache(maxsize=_KEPT)
def compile_regex(source: str) -> Regex:
    """The pattern, anchored at both ends, as Prometheus reads it: `.` matches every character.

    Raises:
        RegexError: it is not in RE2's syntax, or is too large.
    """
    options: Any = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    if _BYTE.match(source):
        raise RegexError(r"invalid escape sequence: \C")
    try:
        return Regex(source, re2.compile(source, options))
    except UnicodeEncodeError:
        raise RegexError("it is not valid Unicode") from None
    except re2.error as error:
        (message,) = error.args
        raise RegexError(message.decode(errors="replace") if isinstance(message, bytes) else str(message)) from None


@dataclass(frozen=True, slots=True)
class Template:
    """A template of Go's `regexp.Expand` for one pattern: `$1`, `${1}`, `$name`, `${name}` and `$$`.

    Attributes:
        text: the template as it was written.
        parts: texts, and numbers of groups; None is a group that the pattern does not have.
    """

    text: str
    parts: tuple[str | int | None, ...]

    def expand(self, groups: Groups) -> str:
        """The template with the texts of groups; a group that did not take part is empty."""
        return "".join(
            part if isinstance(part, str) else (groups[part] or "") for part in self.parts if part is not None
        )


def parse_template(text: str, groups: int, names: Mapping[str, int]) -> Template:
    """The template for a pattern with this number of groups and these names.

    A `$` that begins no variable is text. A variable that the pattern does not have is empty.
    """
    before, *rest = text.split("$")
    parts: list[str | int | None] = [before]
    pieces = iter(rest)
    for piece in pieces:
        if not piece and (following := next(pieces, None)) is not None:
            parts.append("$" + following)  # two in a row are one
            continue
        name, after = _variable(piece)
        if name is None:
            parts.append("$" + piece)
        else:
            parts += [_number(name, groups, names), after]
    return Template(text, tuple(parts))


def _variable(text: str) -> tuple[str | None, str]:
    """The name at the start of what follows a `$`, as long as possible, and the rest; no name if there is none."""
    braces = text.startswith("{")
    inner = text[braces:]
    end = next((at for at, char in enumerate(inner) if not _of_name(char)), len(inner))
    if not end or (braces and inner[end : end + 1] != "}"):
        return None, text
    return inner[:end], inner[end + braces :]


def _of_name(char: str) -> bool:
    return char == "_" or (kind := unicodedata.category(char)).startswith("L") or kind == "Nd"


def _number(name: str, groups: int, names: Mapping[str, int]) -> int | None:
    """The group of a variable. Numbers are decimal without leading zeros; all else is a name."""
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 9:
        return int(name) if int(name) <= groups else None
    return names.get(name)
