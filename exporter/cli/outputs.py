"""`--format` and `--output`: what a command prints, and the files that it writes in addition."""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.cli.parser import TABLE
from exporter.errors import ExporterError
from exporter.reports.registry import MODULES

_PRINTED = "-"


@dataclass(frozen=True, slots=True)
class Output:
    """One `--output`.

    Attributes:
        format: its name.
        place: the file as it was named, or `-` for standard output.
    """

    format: str
    place: str


def parse_output(text: str) -> Output:
    """One value of `--output`.

    Raises:
        ExporterError: it is not FORMAT:FILE.
    """
    name, colon, place = text.partition(":")
    if name == TABLE:
        raise ExporterError("--output: a table is for a terminal; use --format=table, or another format")
    if name not in MODULES:
        raise ExporterError(
            f"--output: {text!r} does not begin with a format and a colon; formats: {', '.join(MODULES)}"
        )
    if not colon or not place:
        raise ExporterError(f"--output: {text!r} has no file; write {name}:FILE, or {name}:- for standard output")
    return Output(name, place)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is printed, and what is written.

    Attributes:
        printed: the format that is printed.
        files: format and file of each that is written.
    """

    printed: str
    files: Sequence[tuple[str, Path]]

    @property
    def formats(self) -> tuple[str, ...]:
        """All formats of documents that are needed, each once."""
        needed = dict.fromkeys([name for name, _ in self.files] + [self.printed])
        return tuple(name for name in needed if name != TABLE)

    def deliver(self, document: Callable[[str], str]) -> None:
        """Write all files, then print; a table is printed by the caller. One failure does not keep the others back.

        Args:
            document: name of a format -> the document.

        Raises:
            ExporterError: a file could not be written.
        """
        made = {name: document(name) for name in self.formats}
        problems = []
        for name, file in self.files:
            try:
                _write(file, made[name])
            except OSError as error:
                problems.append(f"cannot write {file}: {error.strerror or error}")
        if self.printed != TABLE:
            _print(made[self.printed])
        if problems:
            raise ExporterError("; ".join(problems))


def prepare(printed: str, wanted: Sequence[str]) -> Outputs:
    """What the options ask for. Files that cannot be written are found now where that is possible.

    Raises:
        ExporterError: the options contradict each other, or a file cannot be written.
    """
    outputs = list(map(parse_output, wanted))
    to_print = [one.format for one in outputs if one.place == _PRINTED]
    if len(to_print) > 1 or (to_print and printed not in {TABLE, *to_print}):
        raise ExporterError("only one document can go to standard output; name files for the others")
    files = [(one.format, Path(os.path.realpath(one.place))) for one in outputs if one.place != _PRINTED]
    paths = [file for _, file in files]
    for file in paths:
        if paths.count(file) > 1 and not _is_special(file):
            raise ExporterError(f"two outputs have the same file: {file}")
        try:
            _try(file)
        except OSError as error:
            raise ExporterError(f"cannot write {file}: {error.strerror or error}") from error
    return Outputs(to_print[0] if to_print else printed, files)


def _is_special(file: Path) -> bool:
    """Whether it is a device or a pipe, which must not be replaced."""
    return file.exists() and not file.is_file()


def _try(file: Path) -> None:
    """Find out whether the file can be written, without changing it.

    Raises:
        OSError: it cannot.
    """
    if file.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if _is_special(file):
        return
    descriptor, name = _temporary(file)
    os.close(descriptor)
    Path(name).unlink()


def _temporary(file: Path) -> tuple[int, str]:
    """A new file next to it: only within a file system can a file be replaced at once."""
    return tempfile.mkstemp(prefix=f".{file.name[:50]}.", suffix=".tmp", dir=file.parent)


def _write(file: Path, text: str) -> None:
    """Replace the file at once, so that no reader sees a part.

    Raises:
        OSError: it cannot be written; it is as it was before.
    """
    if _is_special(file):
        with file.open("wb") as special:
            special.write(text.encode())
        return
    descriptor, name = _temporary(file)
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(text.encode())
            os.fchmod(descriptor, _mode(file))
            temporary.flush()
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(file: Path) -> int:
    """The permissions of the file; those of any new file where there is none yet."""
    try:
        return file.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def _print(text: str) -> None:
    """Print a document: always UTF-8, which documents say of themselves."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode())
