"""Keeps the last good list of each source on disk, so that a restart needs no answer of the source."""

import errno
import json
import logging
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from exporter.files import MAX_BYTES, read_file
from exporter.targets.groups import Group

log = logging.getLogger(__name__)

_FORM = 1
_SUFFIX = ".targets.json"


class Lists:
    """A folder with a file for each source. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, source: str) -> tuple[Group, ...] | None:
        """The last list of this source; None if there is none that can be read."""
        path = self._path(source)
        try:
            return _groups(json.loads(read_file(path)))  # pydantic's reader refuses file names that are not UTF-8
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.error("the list of %s cannot be restored from %s: %s", source, path, error)
            return None

    def save(self, source: str, groups: Sequence[Group]) -> None:
        """Replace the list of this source.

        Raises:
            OSError: it could not be written, or is too large to be read again; the one before is still there.
        """
        document = {
            "form": _FORM,
            "groups": [[one.source, [*map(dict, one.targets)], dict(one.labels)] for one in groups],
        }
        content = json.dumps(document, separators=(",", ":")).encode()
        if len(content) > MAX_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {MAX_BYTES // 2**20} MiB")
        # mkstemp: for its owner only, since labels may say what others need not know
        descriptor, name = tempfile.mkstemp(suffix=".tmp", prefix=f"{source}-", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(self._path(source))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def keep_only(self, sources: Collection[str]) -> None:
        """Delete the lists of all other sources, and what a write that was interrupted has left.

        Raises:
            OSError: the folder cannot be read, or a file cannot be deleted.
        """
        used = {self._path(source) for source in sources}
        for path in [*self._folder.glob(f"*{_SUFFIX}"), *self._folder.glob("*_sd_configs.*.tmp")]:
            if path not in used:
                path.unlink(missing_ok=True)

    def _path(self, source: str) -> Path:
        return self._folder / f"{source}{_SUFFIX}"


def _groups(document: Any) -> tuple[Group, ...]:  # noqa: ANN401 - JSON
    if document["form"] != _FORM:
        raise ValueError("it has the form of another version")
    return tuple(
        Group(str(source), tuple(_labels(one) for one in targets), _labels(labels))
        for source, targets, labels in document["groups"]
    )


def _labels(document: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    return {str(name): str(value) for name, value in document.items()}
