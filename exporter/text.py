"""Text that other people wrote, in a form that is safe to show."""

import json


def escaped(text: str) -> str:
    r"""The text with each character that is not printable as an escape of JSON, such as `\n` or `\u202e`.

    Printable is what `str.isprintable` says: every character except for Unicode's categories "other" (controls,
    directions, surrogates, not assigned) and "separator", of which only the space is printable. A backslash stays as it
    is: the result is for reading. Only inside a JSON document, where backslashes are escaped already, it can be
    reversed.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def escaped_lines(text: str) -> str:
    r"""As `escaped`, for text of several lines: its `\n` stay."""
    return "\n".join(map(escaped, text.split("\n")))
