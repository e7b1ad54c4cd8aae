"""From records to lines: a bounded queue, and a thread that writes.

Whoever logs never waits. A full pipe that nobody reads stops the thread only.
"""

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from exporter.logs.about import current
from exporter.logs.repeats import Repeats

MOST_BYTES = 1 << 20
"""Most bytes that wait to be written. Lines beyond that are dropped; half of it is for warnings and errors only."""


class LineHandler(logging.Handler):
    """Formats records where they are logged, and has a thread write them.

    Attributes:
        dropped: number of lines that could not be written.
    """

    def __init__(self, write: Callable[[bytes], None], formatter: logging.Formatter, now: Callable[[], float]) -> None:
        """Start the thread.

        Args:
            write: writes these bytes; may wait; raises OSError or ValueError if it cannot.
            formatter: makes lines of records.
            now: a monotonic clock in seconds, for the limit of repeated messages.
        """
        super().__init__()
        self.setFormatter(formatter)
        self._write = write
        self._repeats = Repeats(now)
        # SimpleQueue, because its `put` may be called while another `put` of the same thread runs: a finalizer that
        # logs runs at any moment.
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        # Each number is written by one side only: by those who log, under the handler's lock, or by the thread.
        self._put_bytes = self._refused = 0
        self._taken_bytes = self._failed = self._reported = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """See the class."""
        return self._refused + self._failed

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record; called under the handler's lock."""
        try:
            record.fields = {**current(), **getattr(record, "fields", {})}
            if self._repeats.admits(record):
                self._put(record)
            self._put_summaries()
        except Exception:  # noqa: BLE001 - a named border: a mistake in a log call must not stop its caller
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Log that this record cannot be formatted; logging itself would write to standard error, and wait."""
        text = f"the log record of {record.pathname}, line {record.lineno} cannot be formatted"
        self._put(logging.LogRecord(record.name, logging.ERROR, "", 0, text, None, None))

    def _put_summaries(self, *, of_all: bool = False) -> None:
        for summary in self._repeats.summaries(of_all=of_all):
            self._put(summary)

    def _put(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n".encode()
        most = MOST_BYTES if record.levelno >= logging.WARNING else MOST_BYTES // 2
        if self._put_bytes - self._taken_bytes + len(line) > most:
            self._refused += 1
            return
        self._put_bytes += len(line)
        self._queue.put(line)

    def _run(self) -> None:
        while True:
            try:
                line = self._queue.get(timeout=self._repeats.seconds_left())
            except Empty:
                with self.lock:  # type: ignore[union-attr]  # it has one
                    self._put_summaries()
                continue
            if line is None:
                self._report_dropped()
                return
            try:
                self._write(line)
            except (OSError, ValueError):
                self._failed += 1
            self._taken_bytes += len(line)
            if self._queue.empty():
                self._report_dropped()

    def _report_dropped(self) -> None:
        """Write how many lines were dropped; again after the next line if that fails."""
        new = self.dropped - self._reported
        if not new:
            return
        text = f"{new} log line{'' if new == 1 else 's'} dropped"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, text, None, None)
        try:
            self._write(f"{self.format(record)}\n".encode())
        except (OSError, ValueError):
            return
        self._reported += new

    def finish(self, within: float) -> None:
        """Write what waits, for at most this many seconds; lines that come later are dropped."""
        with self.lock:  # type: ignore[union-attr]  # it has one
            self._put_summaries(of_all=True)
        self._queue.put(None)
        self._thread.join(within)

    def close(self) -> None:
        """End the thread without waiting for it."""
        self._queue.put(None)
        super().close()
