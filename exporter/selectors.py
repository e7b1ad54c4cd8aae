"""Selectors of targets by their labels: Prometheus' series selectors without the name of a metric.

They come with requests, and from the configuration. So regular expressions run in RE2, whose time is linear in the
text, and everything has a limit.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import re2

from exporter.model import Target

MOST_MATCHERS = 16
"""In all selectors of one request."""
MOST_CHARACTERS = 4096
"""Of one selector. Grafana writes the values of a variable into one expression."""
_MOST_MEMORY = 1 << 18
"""Bytes of one compiled expression. Repetitions such as `(a{1000}){1000}` need more and are refused."""
MOST_CLASSES = 8
r"""Of `\p` and `\P` in one expression. RE2 takes a tenth of a millisecond to compile each."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_STRING = re.compile(r"`[^`]*`|\"(?:[^\"\\\n]|\\[^\n])*\"|'(?:[^'\\\n]|\\[^\n])*'")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_SIMPLE = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "\\": "\\", '"': '"', "'": "'"}


class SelectorError(Exception):
    """A selector that cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition. A label that a target does not have is empty."""

    label: str
    holds: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions that all have to hold."""

    matchers: tuple[Matcher, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a target with these labels is selected."""
        return all(matcher.holds(labels.get(matcher.label, "")) for matcher in self.matchers)


def labels_of(target: Target) -> dict[str, str]:
    """What selectors compare: the operator's labels, and those that say what the target is."""
    return {
        **target.labels,
        "target": target.name,
        "host": target.host,
        "port": str(target.port),
        "protocol": target.protocol,
        "starttls": target.starttls or "",
        "server_name": target.server_name or "",
    }


def parse_selectors(texts: Sequence[str]) -> list[Selector]:
    """The selectors of one request; see `parse_selector`. What follows the last matcher that is allowed is not read.

    Raises:
        SelectorError: one is not a selector, or there are too many matchers.
    """
    found: list[Selector] = []
    for text in texts:
        found.append(parse_selector(text, MOST_MATCHERS - sum(len(one.matchers) for one in found)))
    return found


def parse_selector(text: str, most: int = MOST_MATCHERS) -> Selector:
    """Parse `{team="web",target=~"mail.*"}`; the operators are `=`, `!=`, `=~` and `!~`.

    Expressions have RE2's syntax and match the complete value. Strings are as in PromQL.

    Raises:
        SelectorError: it is not a selector, or has more than `most` matchers.
    """
    if len(text) > MOST_CHARACTERS:
        raise SelectorError(f"it has more than {MOST_CHARACTERS} characters")
    return Selector(tuple(_SelectorParser(text, most).matchers()))


class _SelectorParser:
    def __init__(self, text: str, most: int) -> None:
        self._text, self._most = text, most
        self._at = 0

    def matchers(self) -> list[Matcher]:
        self._expect("{")
        found: list[Matcher] = []
        while not self._skip("}"):
            if found:
                self._expect(",", "} or ,")
                if self._skip("}"):
                    break
            if len(found) == self._most:  # each can be an expression, which takes time to compile
                raise SelectorError(f"more than {MOST_MATCHERS} matchers")
            found.append(self._matcher())
        self._space()
        if self._at < len(self._text):
            raise self._error("expected the end")
        return found

    def _matcher(self) -> Matcher:
        label = self._take(_NAME, "the name of a label")
        operator = self._take(_OPERATOR, "one of =, !=, =~, !~")
        start = self._at
        value = self._value(self._take(_STRING, "a string in quotes"))
        if operator in {"=", "!="}:
            return Matcher(label, value.__eq__ if operator == "=" else value.__ne__)
        self._at, end = start, self._at  # of what follows, the expression is to blame
        if value.count("\\p") + value.count("\\P") > MOST_CLASSES:
            raise self._error(f"more than {MOST_CLASSES} classes of Unicode")
        try:
            matcher = Matcher(label, _expression(value, wanted=operator == "=~"))
        except re2.error as error:
            raise self._error(_reason(error)) from error
        self._at = end
        return matcher

    def _value(self, quoted: str) -> str:
        if quoted[0] == "`":
            return quoted[1:-1]
        try:
            return _ESCAPE.sub(_unescaped, quoted[1:-1])
        except ValueError as error:
            raise self._error(str(error)) from error

    def _space(self) -> None:
        self._at = cast("re.Match[str]", _SPACE.match(self._text, self._at)).end()

    def _skip(self, token: str) -> bool:
        self._space()
        found = self._text.startswith(token, self._at)
        self._at += len(token) * found
        return found

    def _expect(self, token: str, named: str = "") -> None:
        if not self._skip(token):
            raise self._error(f"expected {named or token}")

    def _take(self, pattern: re.Pattern[str], named: str) -> str:
        self._space()
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._error(f"expected {named}")
        self._at = found.end()
        return found.group()

    def _error(self, message: str) -> SelectorError:
        return SelectorError(f"at character {self._at + 1}: {message}")


def _unescaped(found: re.Match[str]) -> str:
    """The character of one escape of PromQL.

    Raises:
        ValueError: there is no such escape.
    """
    code = found.group(1)
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
    elif len(code) == 3:
        number = int(code, 8)
    elif code in _SIMPLE:
        return _SIMPLE[code]
    else:
        raise ValueError(f"there is no escape \\{code}")
    if (code[0] not in "uU" and number > 0x7F) or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise ValueError(f"\\{code} is not a character")
    return chr(number)


def _expression(pattern: str, *, wanted: bool) -> Callable[[str], bool]:
    """Whether a value matches the complete expression, or does not.

    Raises:
        re2.error: RE2 does not accept it.
    """
    options: Any = re2.Options()
    options.max_mem, options.log_errors, options.dot_nl, options.never_capture = _MOST_MEMORY, False, True, True
    matches = re2.compile(pattern, options).fullmatch
    return lambda value: (matches(value) is not None) is wanted


def _reason(error: Exception) -> str:
    """What RE2 says about an expression."""
    said = error.args[0] if error.args else ""
    return f"RE2 does not accept it: {said.decode(errors='replace') if isinstance(said, bytes) else said}"
