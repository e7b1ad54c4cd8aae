"""Version numbers as servers show them: the series of a version, and which of two is older."""

import re
from enum import StrEnum

_VERSION = re.compile(r"(?P<numbers>[0-9]{1,9}(?:\.[0-9]{1,9})*)(?P<letters>[a-z]{0,2})(?:\.v[0-9]{8})?")
"""Numbers, the letters of OpenSSL up to 1.1.1 and of ProFTPD, the date of a Jetty version."""


class Age(StrEnum):
    """How one version compares with another."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNKNOWN = "unknown"


def covers(cycle: str, version: str) -> bool:
    """Whether the version belongs to the cycle: its numbers start with those of the cycle."""
    return re.match(rf"{re.escape(cycle)}(?![0-9])", version) is not None


def age(version: str, other: str) -> Age:
    """How the version compares with the other.

    Unknown for a version that is not a release (`2.4.0-rc1`), and for a version that the other one starts with (`2.4`
    and `2.4.68`), because the rest may be hidden.
    """
    one, two = _VERSION.fullmatch(version), _VERSION.fullmatch(other)
    if one is None or two is None:
        return Age.UNKNOWN
    mine, its = _numbers(one), _numbers(two)
    if mine != its:
        if its[: len(mine)] == mine:
            return Age.UNKNOWN
        return Age.OLDER if mine < its else Age.NEWER
    letters = [(len(each["letters"]), each["letters"]) for each in (one, two)]  # in OpenSSL za follows z
    if letters[0] == letters[1]:
        return Age.SAME
    return Age.OLDER if letters[0] < letters[1] else Age.NEWER


def _numbers(version: re.Match[str]) -> list[int]:
    return [int(number) for number in version["numbers"].split(".")]
