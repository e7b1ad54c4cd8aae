"""Parses a Strict-Transport-Security field by the grammar of RFC 6797, 6.1.

A field is valid completely, or it is ignored completely.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*+"'
_BLANKS = r"[ \t]*+"
_DIRECTIVE = re.compile(rf"{_BLANKS}(?:({_NAME}){_BLANKS}(?:={_BLANKS}({_NAME}|{_QUOTED}){_BLANKS})?)?(?:;|\Z)")
"""One directive, maybe empty, and the semicolon after it (RFC 6797, 6.1; RFC 7230, 3.2.6).

Runs of blanks are possessive (`*+`): the server writes the field, and matching must stay linear in its length.
"""

MAX_SECONDS = 2**63 - 1
"""Limit for max-age in seconds. A longer number means for ever, and this one fits into 64 bits for every consumer."""


@dataclass(frozen=True, slots=True)
class Hsts:
    """A valid policy. `preload` is not part of the RFC but of the browsers' preload list."""

    max_age_seconds: int
    include_subdomains: bool
    preload: bool


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _directives(field: str) -> dict[str, str | None] | None:
    """Lower-case name -> value, or None when the field breaks the grammar or repeats a directive."""
    directives: dict[str, str | None] = {}
    at = 0
    while at < len(field):
        match = _DIRECTIVE.match(field, at)
        if match is None:
            return None
        name, value = match.groups()
        if name is not None:
            if name.lower() in directives:
                return None
            directives[name.lower()] = None if value is None else _unquoted(value)
        at = match.end()
    return directives


def parse_hsts(fields: Sequence[str]) -> Hsts | None:
    """The policy a browser would keep from these header fields, in the order received.

    Only the first counts (RFC 6797, 8.1). None when there is no field, or the first is not valid: bad grammar, a
    repeated directive, no max-age, a max-age that is not a number, a value where none is allowed.
    """
    directives = _directives(fields[0]) if fields else None
    if directives is None:
        return None
    max_age = directives.get("max-age")
    if max_age is None or not re.fullmatch(r"[0-9]+", max_age):
        return None
    if directives.get("includesubdomains") is not None:
        return None
    preload = "preload" in directives and directives["preload"] is None  # with a value it is another directive
    return Hsts(_seconds(max_age), "includesubdomains" in directives, preload)


def _seconds(digits: str) -> int:
    """The number, `MAX_SECONDS` at most. Leading zeros do not count towards its length."""
    significant = digits.lstrip("0") or "0"
    return MAX_SECONDS if len(significant) > len(str(MAX_SECONDS)) else min(int(significant), MAX_SECONDS)
