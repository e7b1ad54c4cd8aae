"""Version numbers as servers show them: of which series one is, and which of two is older."""

import re
from enum import StrEnum

_VERSION = re.compile(r"(?P<numbers>[0-9]{1,9}(?:\.[0-9]{1,9})*)(?P<letters>[a-z]{0,2})(?:\.v[0-9]{8})?")
"""Numbers, the letters of OpenSSL up to 1.1.1 and ProFTPD, the day of a Jetty."""


class Age(StrEnum):
    """How one version lies to another."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNKNOWN = "unknown"


def covers(cycle: str, version: str) -> bool:
    """Whether the version is of the cycle: its numbers begin with those of it."""
    return re.match(rf"{re.escape(cycle)}(?![0-9])", version) is not None


def age(version: str, other: str) -> Age:
    """How the version lies to the other.

    Unknown for what is not written like a release (`2.4.0-rc1`), and for a version that the other begins with (`2.4`
    and `2.4.68`): the rest may not be shown.
    """
    one, two = _VERSION.fullmatch(version), _VERSION.fullmatch(other)
    if one is None or two is None:
        return Age.UNKNOWN
    mine, its = _numbers(one), _numbers(two)
    if mine != its:
        if its[: len(mine)] == mine:
            return Age.UNKNOWN
        return Age.OLDER if mine < its else Age.NEWER
    letters = [(len(each["letters"]), each["letters"]) for each in (one, two)]  # OpenSSL has z and then za
    if letters[0] == letters[1]:
        return Age.SAME
    return Age.OLDER if letters[0] < letters[1] else Age.NEWER


def _numbers(version: re.Match[str]) -> list[int]:
    return [int(number) for number in version["numbers"].split(".")]
