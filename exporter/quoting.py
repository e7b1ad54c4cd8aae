"""Quotes text of an operator in messages. Messages reach logs and the web, so passwords are left out."""

import re

MAX_QUOTED = 500
"""Maximum number of characters that a message quotes. A longer text hides the message."""

HIDDEN = "..."

_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:/{1,2}")
_BEFORE_PATH = re.compile(r"\s*[^\s/?#]+/")


def redacted(text: str) -> str:
    """The text without what may be a secret of a URL: user and password before `@`, and what follows `?` or `#`.

    The scheme may be missing or have one slash, because mistakes are what messages are about. An address of mail has no
    colon and stays as it is.
    """
    before, at, after = text.rpartition("@")
    if at and ":" in before:
        scheme = _SCHEME.match(before)
        text = f"{scheme[0] if scheme else ''}{HIDDEN}@{after}"
    if _SCHEME.match(text) or _BEFORE_PATH.match(text):
        text = re.sub(r"([?#]).*", rf"\1{HIDDEN}", text, count=1, flags=re.DOTALL)
    return text


def quoted(value: object) -> str:
    """The value as Python writes it, redacted and at most `MAX_QUOTED` characters long."""
    text = repr(redacted(value) if isinstance(value, str) else value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}{HIDDEN}"


def shown(value: object) -> str:
    """A value as the file writes it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return quoted(value)
