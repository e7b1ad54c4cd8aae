"""A pattern that matches complete texts, by the faster of two ways.

Python's `re` backtracks: `(a*)*b` takes longer than the universe exists for forty characters. So `re` gets only texts
for which its work is known to be small. `Program` matches all others.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import comb

from exporter.re2.errors import RegexError
from exporter.re2.parser import parse
from exporter.re2.program import Program
from exporter.re2.syntax import Node, python_source, size, ways
from exporter.re2.templates import Template, parse_template

MAX_SIZE = 10_000
"""Steps of the largest pattern. One of this size can match texts of some 100 characters by `Program`."""
MAX_BACKTRACKING = 1_000_000
"""Steps that `re` may take for a text: some milliseconds at most."""
MAX_LOOPS = 20
"""With more of them, `re` would get texts of three characters at most."""
MAX_LENGTH = 1 << 20
"""Of a text that `re` gets."""
_KEPT = 1000


@dataclass(frozen=True)
class Regex:
    """A compiled pattern; two with the same source are equal.

    Attributes:
        source: the pattern as it was written.
        re_length: how long a text can be that `re` matches quickly; -1 if there is none.
    """

    source: str
    tree: Node = field(repr=False, compare=False)
    groups: int = field(repr=False, compare=False)
    names: dict[str, tuple[int, ...]] = field(repr=False, compare=False)
    re_length: int = field(repr=False, compare=False)

    def match(self, text: str) -> tuple[str | None, ...] | None:
        """The texts of all groups if the pattern matches the complete text; group 0 is the text.

        Raises:
            TextTooLongError: it could take too long.
        """
        if len(text) > self.re_length:
            return self.program.match(text)
        found = self._re.fullmatch(text)
        return found and (text, *found.groups())

    def template(self, text: str) -> Template:
        """The template for matches of this pattern."""
        return parse_template(text, self.groups, self.names)

    @cached_property
    def program(self) -> Program:
        """The pattern for texts that `re` does not get."""
        return Program(self.tree, self.groups)

    @cached_property
    def _re(self) -> re.Pattern[str]:
        return re.compile(python_source(self.tree), re.DOTALL)


@lru_cache(maxsize=_KEPT)
def compile_regex(source: str) -> Regex:
    """The pattern, anchored at both ends, as Prometheus reads it: `.` matches every character.

    Raises:
        RegexError: it is not in RE2's syntax, has a part that is not supported, or is too large.
    """
    parsed = parse(source)
    if size(parsed.tree) > MAX_SIZE:
        raise RegexError(f"a pattern of more than {MAX_SIZE} steps", 0)
    return Regex(source, parsed.tree, parsed.groups, parsed.names, _re_length(parsed.tree))


def _re_length(tree: Node) -> int:
    own = ways(tree)
    if own is None or own.loops > MAX_LOOPS:
        return -1
    steps = own.factor * max(size(tree), 1)
    low, high = -1, MAX_LENGTH
    while low < high:
        middle = (low + high + 1) // 2
        if steps * comb(middle + own.loops, own.loops) <= MAX_BACKTRACKING:
            low = middle
        else:
            high = middle - 1
    return low
