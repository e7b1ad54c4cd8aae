"""Log lines to standard error, as logfmt or JSON. Writing them never makes the program wait.

docs/decisions/logs.md has the reasons.
"""

import io
import logging
import os
import select
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from exporter.logs.about import about, fields
from exporter.logs.formats import JsonFormatter, LogfmtFormatter
from exporter.logs.handler import LineHandler

__all__ = [
    "JsonFormatter",
    "LineHandler",
    "LogfmtFormatter",
    "about",
    "dropped_lines",
    "fields",
    "finish",
    "logging_to_stderr",
]

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""At the end, lines that wait are written for this long."""


@contextmanager
def logging_to_stderr(level: str, form: str) -> Iterator[None]:
    """Send records from this level on to standard error; from libraries only warnings and above.

    Python's warnings become records too: a warning of cryptography about a certificate must not break the form of the
    log. The same goes for exceptions that Python itself would write to standard error.
    """
    formatter = JsonFormatter() if form == "json" else LogfmtFormatter()
    handler = LineHandler(_writer(sys.stderr), formatter, time.monotonic)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # Python shows a warning once for each line of code, but the first one of each target is wanted; `repeats` limits
    # them. It is appended, so that Python's own option -W comes first.
    warnings.filterwarnings("always", category=UserWarning, append=True)
    own = logging.getLogger("exporter")
    level_before = own.level
    own.setLevel(level.upper())
    for chatty in ("apscheduler", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, getattr(logging, level.upper())))
    hooks = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = _log_unraisable, _log_of_thread
    try:
        yield
    finally:
        finish()
        own.setLevel(level_before)
        sys.unraisablehook, threading.excepthook = hooks


def finish() -> None:
    """Write what waits, for a short time."""
    for handler in _handlers():
        handler.finish(FLUSH_SECONDS)


def dropped_lines() -> int:
    """How many log lines could not be written so far."""
    return sum(handler.dropped for handler in _handlers())


def _handlers() -> list[LineHandler]:
    return [one for one in logging.getLogger().handlers if isinstance(one, LineHandler)]


def _log_unraisable(of: "sys.UnraisableHookArgs") -> None:
    trace = (type(of.exc_value), of.exc_value, of.exc_traceback) if of.exc_value else None
    log.error("%s", of.err_msg or "exception ignored", exc_info=trace)


def _log_of_thread(of: threading.ExceptHookArgs) -> None:
    if of.exc_value is not None and not isinstance(of.exc_value, SystemExit):
        log.error("exception in a thread", exc_info=(type(of.exc_value), of.exc_value, of.exc_traceback))


def _writer(stream: TextIO) -> Callable[[bytes], None]:
    """What writes all of these bytes to the stream.

    A file descriptor is written to without Python's buffer: the thread may be waiting there when the program ends, and
    Python wants the buffer's lock then.
    """
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # a test's text in memory
        return lambda data: _write_text(stream, data)
    return lambda data: _write_all(descriptor, data)


def _write_text(stream: TextIO, data: bytes) -> None:
    stream.write(data.decode())
    stream.flush()


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # another process made the pipe or terminal non-blocking
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()
