"""The log of one scan for whoever asked for it, in addition to the log of the program."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from exporter.logs.about import Field, current, fields
from exporter.logs.formats import LogfmtFormatter

MOST_CHARACTERS = 65536


class Trace:
    """Lines of one scan, up to a limit."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._lines: list[str] = []
        self._left = most_characters
        self._dropped = 0

    def add(self, record: logging.LogRecord) -> None:
        """Add the record as a line, if there is room."""
        record.fields = {**current(), **getattr(record, "fields", {})}
        self._put(_FORM.format(record))

    def _put(self, line: str) -> None:
        if self._dropped or len(line) >= self._left:
            self._dropped += 1
            return
        self._left -= len(line) + 1
        self._lines.append(line)

    def extend(self, lines: str) -> None:
        """Add lines that another process has made."""
        for line in lines.splitlines():
            self._put(line)

    def text(self) -> str:
        """The lines, and how many had no room."""
        rest = [f"{self._dropped} more lines"] if self._dropped else []
        return "".join(f"{line}\n" for line in (*self._lines, *rest))


class _TraceHandler(logging.Handler):
    """Adds records to the trace of the task that logs them."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        trace = _traced.get()
        if trace is None:
            return
        try:
            trace.add(record)
        except Exception:  # noqa: BLE001 - a named border: the program's own handler reports such a record
            return


_FORM = LogfmtFormatter()
_HANDLER = _TraceHandler()
_traced: ContextVar[Trace | None] = ContextVar("traced", default=None)


def traced() -> Trace | None:
    """The trace of this task; None if nobody asked for its log."""
    return _traced.get()


@contextmanager
def tracing(trace: Trace | None) -> Iterator[None]:
    """The trace gets all that this task, and tasks that it starts, log in the block; None gets nothing."""
    logging.getLogger("exporter").addHandler(_HANDLER)  # which does nothing the second time
    token = _traced.set(trace)
    try:
        yield
    finally:
        _traced.reset(token)


def detail(log: logging.Logger, message: str, **about: Field | None) -> None:
    """Log at level debug; a trace gets the line in any case."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(message, extra=fields(**about))
    elif trace := _traced.get():
        trace.add(log.makeRecord(log.name, logging.DEBUG, "", 0, message, (), None, extra=fields(**about)))
