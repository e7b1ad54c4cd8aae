"""One product as a server shows it, and the strict form that names and versions must have."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"(?=[A-Za-z0-9._+-]*[A-Za-z])[A-Za-z0-9._+-]{1,40}")
_VERSION = re.compile(r"[0-9][A-Za-z0-9._+-]{0,39}")
_PACKAGED = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9}){0,4})[A-Za-z0-9._+:~-]{0,120}")
"""Longer, or with the two additional characters of package versions (Debian Policy, 5.6.12)."""
MAX_TEXT = 512
"""Characters of one header field or greeting that are parsed and kept; real ones have at most one or two hundred."""


@dataclass(frozen=True, slots=True)
class Package:
    """A mark of who built the program.

    Attributes:
        distribution: its name; `other` if there is a mark of an unknown builder.
        release: release of the distribution, if the mark has it.
    """

    distribution: str
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A product that a server shows.

    Attributes:
        product: its name at endoflife.date if it is known, otherwise as shown.
        version: as shown; None if it is hidden.
        source: the header field, or `greeting`.
        main: it is the server itself, as far as is known, and not software that runs in it.
    """

    product: str
    version: str | None
    source: str
    package: Package | None = None
    main: bool = False


def plain_text(text: str) -> str:
    """Text of a peer for people: cut, in one line, with unprintable characters replaced."""
    cut = " ".join(text[: 2 * MAX_TEXT].split())[:MAX_TEXT]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


def as_name(text: str) -> str | None:
    """The text if it can be the name of a product, otherwise None."""
    return text if _NAME.fullmatch(text) else None


def as_version(text: str) -> str | None:
    """The version as shown if it is short and plain, the number of a longer one, or None."""
    bare = text[1:] if text[:1] in {"v", "V"} else text
    if _VERSION.fullmatch(bare):
        return bare
    packaged = _PACKAGED.fullmatch(bare)
    return packaged[1] if packaged else None
