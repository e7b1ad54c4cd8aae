"""Reads what a daemon has stored, without a daemon. Nothing in the folder is changed."""

import fcntl
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.errors import ExporterError
from exporter.store.database import FILE_NAME, LOCK_NAME
from exporter.store.saved import Saved
from exporter.store.tables import NewerVersionError, Tables

log = logging.getLogger(__name__)


def read_stored(folder: Path) -> Mapping[str, Saved]:
    """The latest of each target in the folder of a daemon that has ended, by name. Blocks.

    Raises:
        ExporterError: it cannot be read, or a daemon uses it.
    """
    path = folder / FILE_NAME
    with _nobody_writes(folder):
        if not path.is_file():
            raise ExporterError(f"{folder} has no stored results ({FILE_NAME})")
        try:
            return _latest(path)
        except (sqlite3.Error, NewerVersionError) as error:
            raise ExporterError(f"cannot read {path}: {error}") from error
        except OSError as error:
            raise ExporterError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def _nobody_writes(folder: Path) -> Iterator[None]:
    """Keep daemons from starting with this folder, as long as it is read."""
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError as error:
        raise ExporterError(f"{folder} is not the folder of a daemon that was run: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ExporterError(f"{folder} is in use by a daemon; ask it by --from=http://HOST:PORT") from error
    finally:
        os.close(lock)


def _latest(path: Path) -> Mapping[str, Saved]:
    write_ahead = Path(f"{path}-wal")
    if not write_ahead.exists() or not write_ahead.stat().st_size:
        return _read(Tables(path, immutable=True))
    with TemporaryDirectory() as scratch:  # a daemon that was killed leaves a log, which only a writer can apply
        copy = Path(scratch) / FILE_NAME
        shutil.copyfile(path, copy)
        shutil.copyfile(write_ahead, f"{copy}-wal")
        return _read(Tables(copy))


def _read(tables: Tables) -> Mapping[str, Saved]:
    try:
        return tables.latest(lambda name, error: log.error("target=%s cannot be read: %s", name, error))
    finally:
        tables.close()
