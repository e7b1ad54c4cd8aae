"""Templates of Go's `regexp.Expand`: `$1`, `${1}`, `$name`, `${name}` and `$$`."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """A template for the groups of one pattern.

    Attributes:
        text: the template as it was written.
        parts: texts, and the numbers of groups of which the first that took part in the match is meant.
        fixed: the result, if it has no groups.
    """

    text: str
    parts: tuple[str | tuple[int, ...], ...]
    fixed: str | None

    def expand(self, groups: tuple[str | None, ...]) -> str:
        """The template with the texts of groups; a group that did not take part is empty."""
        if self.fixed is not None:
            return self.fixed
        return "".join(part if isinstance(part, str) else _first(part, groups) for part in self.parts)


def _first(numbers: tuple[int, ...], groups: tuple[str | None, ...]) -> str:
    return next((text for number in numbers if (text := groups[number]) is not None), "")


def parse_template(text: str, groups: int, names: Mapping[str, tuple[int, ...]]) -> Template:
    """The template for a pattern with this number of groups and these names.

    A `$` that begins no variable is text. A variable that the pattern does not have is empty.
    """
    parts: list[str | tuple[int, ...]] = []
    before, *rest = text.split("$")
    parts.append(before)
    pieces = iter(rest)
    for piece in pieces:
        if not piece and (following := next(pieces, None)) is not None:
            parts.append("$" + following)  # two in a row are one
            continue
        name, after = _variable(piece)
        if name is None:
            parts.append("$" + piece)
        else:
            parts += [_numbers(name, groups, names), after]
    fixed = "".join(part for part in parts if isinstance(part, str))
    return Template(text, tuple(parts), fixed if all(isinstance(part, str) for part in parts) else None)


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


def _numbers(name: str, groups: int, names: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The groups of a variable. Numbers are decimal without leading zeros; all else is a name."""
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 9:
        return (int(name),) if int(name) <= groups else ()
    return names.get(name, ())
