"""The source of the program that runs, as an archive: section 13 of the AGPL has users of the pages be offered it.

It is made of the installed files, so it is also that of a program that its operator has changed. The archive has what
a wheel is built from, in the layout of the repository. A wheel has copies of what is outside the package.
"""

import gzip
import io
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from exporter import __version__

NAME = f"tls-posture-exporter-{__version__}"
"""The folder in the archive, and the archive's name without its suffixes."""
_PACKAGE = Path(str(files("exporter")))
COPIES = {
    "docs/man": "data/build/man",
    "docs/runbooks": "data/alerts/runbooks",
    "prometheus/tls-posture.rules.yaml": "data/alerts/tls-posture.rules.yaml",
    "pyproject.toml": "data/build/pyproject.toml",
    "README.md": "data/build/README.md",
    "LICENSE": "data/build/LICENSE",
    "requirements.lock": "data/build/requirements.lock",
    "requirements-build.lock": "data/build/requirements-build.lock",
}
"""Files and folders of the repository -> where the package of a wheel has them."""


@lru_cache(maxsize=1)
def archive() -> bytes:
    """A tar archive, compressed by gzip: some 700 KB, always the same for the same files.

    Raises:
        OSError: a file cannot be read.
    """
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as made,
    ):
        for name, file in sorted(_members(_PACKAGE)):
            content = file.read_bytes()
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _members(package: Path) -> Iterator[tuple[str, Path]]:
    """Name in the repository, and the file."""
    packaged = {package / inside: name for name, inside in COPIES.items() if (package / inside).exists()}
    places = packaged or {package.parent / name: name for name in COPIES}
    for place, name in {package: "exporter", **places}.items():
        for file in place.rglob("*") if place.is_dir() else [place]:
            inside = PurePosixPath(name, file.relative_to(place).as_posix())
            copied = place == package and any(file.is_relative_to(one) for one in packaged)
            if file.is_file() and "__pycache__" not in file.parts and not copied:
                yield str(inside), file
