"""The lock: which distributions the program is installed with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\\n]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_WANTED_BY = re.compile(r"^    #   (?:via )?(\S+)|^    # via (\S+)", re.MULTILINE)
ROOT = "tls-posture-exporter"


@dataclass(frozen=True, slots=True)
class Pinned:
    """One distribution of the lock.

    Attributes:
        marker: the environments that it is for; empty if it is for all.
        hashes: SHA-256 of each of its files that may be installed.
        wanted_by: what depends on it; `ROOT` is the program itself.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def read_lock(file: Path) -> Mapping[str, Pinned]:
    """Name -> distribution, in the order of the lock.

    Raises:
        ValueError: a part of it is not understood.
        OSError: it cannot be read.
    """
    text = file.read_text(encoding="utf-8")
    starts = [*_ENTRY.finditer(text)]
    ends = [*(one.start() for one in starts[1:]), len(text)]
    found = {one["name"]: _pinned(one, text[one.end() : end]) for one, end in zip(starts, ends, strict=True)}
    if len(found) != len(re.findall(r"^[^\s#]", text, re.MULTILINE)):
        raise ValueError(f"{file}: not all entries have the form NAME==VERSION with hashes")
    return found


def _pinned(start: re.Match[str], rest: str) -> Pinned:
    found = (first or second for first, second in _WANTED_BY.findall(rest))
    wanted_by = tuple(
        one for one in found if one != "--override"
    )  # of pyproject.toml, not something that depends on it
    pinned = Pinned(start["name"], start["version"], start["marker"] or "", tuple(_HASH.findall(rest)), wanted_by)
    if not pinned.hashes or not pinned.wanted_by:
        raise ValueError(f"{pinned.name}: no hash, or nothing that depends on it")
    return pinned
