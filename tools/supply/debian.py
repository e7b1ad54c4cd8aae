"""The Debian packages of a root file system, from the files of dpkg."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package.

    Attributes:
        release: of the distribution, such as `debian-12`; the purl has it as `distro`.
        licences: by the names that the package's copyright file gives them; empty if the file cannot be read by
            programs.
    """

    name: str
    version: str
    architecture: str
    release: str
    licences: tuple[str, ...]


def packages(root: Path) -> list[Package]:
    """The packages that are installed below the root, in the order of their names.

    Raises:
        OSError: there is no list of packages.
    """
    release = _release(root / "etc" / "os-release")
    found = []
    for fields in _paragraphs((root / "var" / "lib" / "dpkg" / "status").read_text(encoding="utf-8")):
        if fields.get("Status", "").endswith(" installed"):
            licences = _licences(root / "usr" / "share" / "doc" / fields["Package"] / "copyright")
            one = Package(fields["Package"], fields["Version"], fields["Architecture"], release, licences)
            found.append(one)
    return sorted(found, key=lambda one: (one.name, one.architecture))


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    for paragraph in re.split(r"\n\n+", text):
        lines = [line.partition(": ") for line in paragraph.splitlines() if not line.startswith((" ", "\t"))]
        if lines:
            yield {name: value.strip() for name, _, value in lines}


def _release(file: Path) -> str:
    values = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', file.read_text(encoding="utf-8"), re.MULTILINE))
    return "-".join(values[name] for name in ("ID", "VERSION_ID") if name in values)


def _licences(copyright_file: Path) -> tuple[str, ...]:
    """The short names of a machine-readable copyright file (DEP 5)."""
    try:
        text = copyright_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    if not text.startswith("Format:"):
        return ()
    names = re.findall(r"^License:[ \t]*(\S.*?)\s*$", text, re.MULTILINE)
    return tuple(sorted(set(names)))
