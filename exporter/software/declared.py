"""The distribution of a server's software as the operator declares it, for servers that do not show it."""

import re

from exporter.nearest import suggestion_or_all
from exporter.quoting import quoted
from exporter.software.packages import AMAZON, DEBIAN, RHEL, UBUNTU
from exporter.software.shown import Package

CONFIGURATION = "configuration"
"""The source of a product of which nothing but the declared distribution is known."""
DISTRIBUTIONS = (DEBIAN, UBUNTU, RHEL, AMAZON, "fedora", "suse", "alpine", "freebsd")

_FORM = re.compile(r"([a-z-]+) ([0-9]+(?:\.[0-9]+)?)")


def parse_distribution(text: str) -> Package:
    """Parse `debian 12` or `ubuntu 24.04`: a distribution by its name in our table, and its release.

    Raises:
        ValueError: the text is something else; suggests a similar name if there is one.
    """
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError(f"{quoted(text)} is not a distribution and its release, such as debian 12")
    if parts[1] not in DISTRIBUTIONS:
        hint = suggestion_or_all(parts[1], DISTRIBUTIONS)
        raise ValueError(f"{quoted(parts[1])} is not a known distribution{hint}")
    return Package(parts[1], parts[2])
