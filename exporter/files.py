"""Reads files that a configuration names: regular files of limited size only.

What a path leads to is not known before it is opened. A device may have no end, a FIFO may have no writer, and storage
may not answer. Nothing here waits for a FIFO. Storage that does not answer is the caller's concern: `View.reading` is
the file that a thread waits for.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 16 * 2**20
"""100,000 targets in one line each are 10 MiB; all products of endoflife.date are 4 MiB."""
_PART_BYTES = 2**18

_KINDS = (
    (stat.S_ISDIR, "directory"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as it was read.

    Attributes:
        digest: SHA-256 of the content; None if the file could not be read.
        modified_ns: when it was written, for files whose time has a meaning.
    """

    digest: bytes | None
    modified_ns: int | None = None


Fingerprint = Mapping[str, SeenFile]
"""Path -> the file as it was read, for all files that something was made of."""


class Mark(NamedTuple):
    """It differs after a change of a file, unless two changes come within the resolution of the file system's clock."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class _Content:
    data: bytes
    modified_ns: int


class View:
    """Files as they were at one time: each file is read once, so all parts of a configuration see the same content.

    Attributes:
        reading: the file that is being read now; None while none is.
        reads: how many reads have begun.
    """

    def __init__(self) -> None:
        self.reading: str | None = None
        self.reads = 0
        self._found: dict[str, _Content | OSError] = {}
        self._dated: set[str] = set()

    def read(self, path: str, *, dated: bool = False) -> _Content:
        """The file.

        Raises:
            OSError: it cannot be read, or is not a regular file of limited size.
            ValueError: no file can have this path.
        """
        if dated:
            self._dated.add(path)
        if path not in self._found:
            try:
                self._found[path] = self.read_again(path)
            except OSError as error:
                self._found[path] = error
        found = self._found[path]
        if isinstance(found, OSError):
            raise OSError(found.errno, found.strerror)
        return found

    def read_again(self, path: str) -> _Content:
        """The file as it is now; it is not kept.

        Raises:
            OSError: as `read`.
            ValueError: as `read`.
        """
        with self.waiting_for(path):
            return _read(path)

    def mark(self, path: str) -> Mark:
        """What shows that the file was changed or replaced. It is not read.

        Raises:
            OSError: it cannot be found.
        """
        with self.waiting_for(path):
            found = os.stat(path)  # noqa: PTH116 - of the path as it was given
        return Mark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def names(self, folder: str) -> list[str]:
        """The names in a folder, in no order.

        Raises:
            OSError: it cannot be listed.
        """
        with self.waiting_for(folder):
            return os.listdir(folder)  # noqa: PTH208 - names, not paths

    @contextmanager
    def waiting_for(self, path: str) -> Iterator[None]:
        """While the block runs, this file or folder is what the thread waits for."""
        self.reading = path
        self.reads += 1
        try:
            yield
        finally:
            self.reading = None

    def fingerprint(self) -> Fingerprint:
        """All files that were read so far, and those that could not be read."""
        return {path: self._seen(path, found) for path, found in list(self._found.items())}

    def _seen(self, path: str, found: _Content | OSError) -> SeenFile:
        if isinstance(found, OSError):
            return SeenFile(None)
        return SeenFile(hashlib.sha256(found.data).digest(), found.modified_ns if path in self._dated else None)


_VIEW: ContextVar[View | None] = ContextVar("view", default=None)


@contextmanager
def one_view(view: View | None = None) -> Iterator[View]:
    """Read files through one view while the block runs, in this thread.

    Without an argument this is the view of the block around this one, or a new view.
    """
    chosen = view or _VIEW.get() or View()
    token = _VIEW.set(chosen)
    try:
        yield chosen
    finally:
        _VIEW.reset(token)


def read_file(path: str | Path) -> bytes:
    """The content of a regular file of at most `MAX_BYTES`.

    Raises:
        OSError: it cannot be read, or is something else.
        ValueError: no file can have this path.
    """
    return _through_view(path, dated=False).data


def read_dated_file(path: str | Path) -> tuple[bytes, float]:
    """The content, and when it was written, in seconds since 1970. A view then counts a new time as a change.

    Raises:
        OSError: as `read_file`.
        ValueError: as `read_file`.
    """
    found = _through_view(path, dated=True)
    return found.data, found.modified_ns / 1e9


def seen_now(before: Fingerprint, view: View | None = None) -> Fingerprint:
    """The fingerprint of the same files as they are now; reads them one by one and keeps none."""
    view = view or View()
    return {path: _seen_now(path, seen, view) for path, seen in before.items()}


def _seen_now(path: str, before: SeenFile, view: View) -> SeenFile:
    try:
        found = view.read_again(path)
    except OSError:
        return SeenFile(None)
    return SeenFile(hashlib.sha256(found.data).digest(), None if before.modified_ns is None else found.modified_ns)


def _through_view(path: str | Path, *, dated: bool) -> _Content:
    view = _VIEW.get()
    return _read(str(path)) if view is None else view.read(str(path), dated=dated)


def _read(path: str) -> _Content:
    _refuse_others(os.stat(path).st_mode)  # noqa: PTH116 - before opening: that alone has effects on some devices
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        found = os.fstat(descriptor)
        _refuse_others(found.st_mode)  # the path may lead elsewhere since
        if found.st_size > MAX_BYTES:
            raise _too_large()
        data = bytearray()
        while len(data) <= MAX_BYTES:  # files of /proc report no size
            part = file.read(_PART_BYTES)
            if not part:
                return _Content(bytes(data), found.st_mtime_ns)
            data += part
    raise _too_large()


def _refuse_others(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for matches, name in _KINDS if matches(mode)), "special file")
        raise OSError(errno.EINVAL, f"it is a {kind}, not a regular file")


def _too_large() -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {MAX_BYTES // 2**20} MiB")
