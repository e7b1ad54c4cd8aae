"""The operator's word on which distribution a server's software comes from, where the server does not say it."""

import difflib
import re

from exporter.software.packages import AMAZON, DEBIAN, RHEL, UBUNTU
from exporter.software.shown import Package

CONFIGURATION = "configuration"
"""The source of a product of which nothing is known but this word."""
DISTRIBUTIONS = (DEBIAN, UBUNTU, RHEL, AMAZON, "fedora", "suse", "alpine", "freebsd")

_FORM = re.compile(r"([a-z-]+) ([0-9]+(?:\.[0-9]+)?)")


def parse_distribution(text: str) -> Package:
    """`debian 12`, `ubuntu 24.04`: a distribution under the name it has in our table, and its release.

    Raises:
        ValueError: it is none; names a near one where there is one.
    """
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a distribution and its release, such as debian 12")
    if parts[1] not in DISTRIBUTIONS:
        near = difflib.get_close_matches(parts[1], DISTRIBUTIONS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(DISTRIBUTIONS)}"
        raise ValueError(f"{parts[1]!r} is no distribution that is known; {hint}")
    return Package(parts[1], parts[2])
