"""`file_sd_configs`: lists of targets in files (YAML, JSON), which are watched.

Prometheus uses inotify. Here the files are polled: inotify does not see changes on network file systems, and the swap
of a ConfigMap looks like a deletion. A look compares marks (see `exporter.files.Mark`). The content of a file is read
when its mark has changed, and again with each refresh.
"""

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial

from exporter.config import Config
from exporter.config.discovery import FileSource
from exporter.files import Mark, View, one_view, read_file
from exporter.reading import Reader, StorageError
from exporter.targets.documents import read_json, read_yaml
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import Pause, Sink

LOOK_EVERY = timedelta(seconds=2)
"""Two looks have to see the same marks, because files are written in several steps. So a change is used after two to
four seconds."""
LONGEST_UNREST = timedelta(seconds=30)
"""How long after a refresh was due files may go on to change. Then it is an error."""
READ_WITHIN = timedelta(seconds=10)
MOST_READS = 2
"""Threads of one source, those that storage keeps waiting included."""
MOST_FILES = 1000
"""Files of one source. Each of them costs a call of stat(2) with each look."""
MOST_NAMED = 3
"""Files that a message names."""
FILEPATH = "__meta_filepath"


@dataclass(frozen=True, slots=True)
class _Look:
    """What was there.

    Attributes:
        marks: of each file that fits a pattern; None if it cannot be found, such as a symbolic link that leads nowhere.
        problems: folder -> why it cannot be listed. Its files are those that are known.
    """

    marks: Mapping[str, Mark | None] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A good list.

    Attributes:
        digest: SHA-256 of the content, because a parse of 100,000 targets costs seconds of CPU time; empty if it is not
            known.
    """

    groups: tuple[Group, ...] = ()
    digest: bytes = b""


_NOTHING = _Parsed()


class WatchedFiles:
    """The files of one entry of `file_sd_configs`. Each file is read by itself: a broken one keeps its last groups."""

    def __init__(self, settings: FileSource, pause: Pause = asyncio.sleep) -> None:
        self._patterns = tuple(dict.fromkeys(settings.files))
        self._refresh = settings.refresh_interval
        self._pause = pause
        self._reader = Reader(READ_WITHIN, MOST_READS)
        self._read = _Look()
        self._good: dict[str, _Parsed] = {}
        self._problems: dict[str, str] = {}
        self._found: list[Group] | None = None
        self._said: str | None = None

    def resume(self, groups: Sequence[Group]) -> None:
        """Files that are broken keep these groups. See `ResumedSource`."""
        for group in groups:
            path = group.labels.get(FILEPATH, "")
            self._good[path] = _Parsed((*self._good.get(path, _NOTHING).groups, group))

    def modified(self) -> Mapping[str, float]:
        """When each file was written, in seconds since 1970; without files that are broken. See `DatedSource`."""
        return {
            path: mark.modified_ns / 1e9
            for path, mark in self._read.marks.items()
            if mark is not None and path not in self._problems
        }

    async def run(self, sink: Sink) -> None:
        """Read the files at once, and then whenever they have changed and are at rest. See `TargetSource`."""
        before: _Look | None = None
        waited = self._refresh
        while True:
            due = waited >= self._refresh
            try:
                look = await self._reader.read(self.look)
                news = due or look != self._read or self._said is not None
                if before is None or (look == before and news):
                    if await self._take(look, everything=due):
                        waited = timedelta(0)
                        self._tell(sink)
                elif waited >= self._refresh + LONGEST_UNREST:
                    self._fail(sink, "the files change all the time, so they are not read", again=False)
                before = look
            except StorageError as error:
                self._fail(sink, str(error), again=due)
                waited = timedelta(0) if due else waited
            await self._pause(LOOK_EVERY.total_seconds())
            waited += LOOK_EVERY

    def _tell(self, sink: Sink) -> None:
        before, self._said = self._found, None
        self._found = [group for path in self._read.marks for group in self._good.get(path, _NOTHING).groups]
        problems = [*self._problems.values()]
        if not problems or (self._found and self._found != before):  # without any list, nothing is known
            sink.found(self._found)
        if problems:
            more = f" (and {len(problems) - MOST_NAMED} more)" if len(problems) > MOST_NAMED else ""
            sink.failed(DiscoveryError("; ".join(problems[:MOST_NAMED]) + more))

    def _fail(self, sink: Sink, message: str, *, again: bool) -> None:
        """Report it, unless it is what was reported last."""
        if again or message != self._said:
            self._said = message
            sink.failed(DiscoveryError(message))

    def look(self, view: View) -> _Look:
        """What is there now, in a thread."""
        marks: dict[str, Mark | None] = {}
        problems: dict[str, str] = {}
        for pattern in self._patterns:
            folder, _, last = pattern.rpartition("/")
            try:
                names = _fitting(view, folder or "/", last)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                problems[folder] = f"{folder}: cannot be listed: {error.strerror}"
                known = [path for path in (*self._read.marks, *self._good) if path.rpartition("/")[0] == folder]
                marks |= {path: _mark(view, path) for path in known}
                continue
            marks |= {path: _mark(view, path) for path in (f"{folder}/{name}" for name in names)}
        if len(marks) > MOST_FILES:
            problems[""] = f"{len(marks)} files fit; only the first {MOST_FILES} are read"
            marks = dict(sorted(marks.items())[:MOST_FILES])
        return _Look(marks, problems)

    async def _take(self, look: _Look, *, everything: bool) -> bool:
        """Read what has changed. Returns whether the files stayed the same meanwhile; if not, nothing is used."""
        paths = [
            path
            for path, mark in look.marks.items()
            if everything or path in self._problems or path not in self._read.marks or self._read.marks[path] != mark
        ]
        found = await self._reader.read(partial(_read_all, look.marks, {path: self._good.get(path) for path in paths}))
        if found is None:
            return False
        good = {path: parsed for path, parsed in found.items() if not isinstance(parsed, str)}
        kept = {path: parsed for path, parsed in self._good.items() if path in look.marks}
        self._good = {**kept, **good}
        self._problems = {**look.problems, **{path: why for path, why in found.items() if isinstance(why, str)}}
        self._read = look
        return True


def _fitting(view: View, folder: str, pattern: str) -> Sequence[str]:
    """Names in the folder that fit, in order. As in Prometheus, `*` fits a leading dot, too."""
    if not any(char in pattern for char in "*?["):
        with view.waiting_for(f"{folder}/{pattern}"):
            os.lstat(f"{folder}/{pattern}")
        return [pattern]
    negated = pattern.replace("[^", "[!")  # Go and Python write it differently
    return sorted(name for name in view.names(folder) if fnmatchcase(name, negated))


def _mark(view: View, path: str) -> Mark | None:
    try:
        return view.mark(path)
    except OSError:
        return None


def _read_all(
    marks: Mapping[str, Mark | None], known: Mapping[str, _Parsed | None], view: View
) -> dict[str, _Parsed | str] | None:
    """Of each known file the list, or why there is none; None if a file has changed since its mark. In a thread."""
    with one_view(view):
        found = {path: _read_one(path, before) for path, before in known.items()}
    return found if all(_mark(view, path) == marks[path] for path in known) else None


def _read_one(path: str, before: _Parsed | None) -> _Parsed | str:
    read = read_json if path.lower().endswith(".json") else read_yaml
    try:
        content = read_file(path)
        digest = hashlib.sha256(content).digest()
        if before is not None and before.digest == digest:
            return before
        return _Parsed(read(path, content, {FILEPATH: path}), digest)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except DiscoveryError as error:
        return str(error)


def check_files(settings: FileSource) -> tuple[list[Group], list[str]]:
    """The groups in the files as they are now, and what is wrong with files. Blocks."""
    look = WatchedFiles(settings).look(View())
    found = [_read_one(path, None) for path in look.marks]
    groups = [group for one in found if not isinstance(one, str) for group in one.groups]
    return groups, [*look.problems.values(), *(one for one in found if isinstance(one, str))]


def make_source(settings: FileSource, config: Config) -> WatchedFiles:  # noqa: ARG001 - as of every source
    """The source of one entry of `file_sd_configs`."""
    return WatchedFiles(settings)
