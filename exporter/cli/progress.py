"""How far the scans are, on standard error while it is a terminal."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exporter.model import Report
from exporter.ranking import FAILING, Condition, condition

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ScanProgress:
    """One line that is rewritten: how many of the targets are done, how many run, how many fail so far.

    It shows nothing unless standard error is a terminal that can rewrite a line, and leaves nothing there.
    """

    def __init__(self, targets: int) -> None:
        """Create it for this number of targets; `with` shows it."""
        self._targets = targets
        self._running = self._failing = self._unreachable = 0
        self._line: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "ScanProgress":
        if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._line, self._task = _line(self._targets)
            self._line.start()
            self._show(0)
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.stop()
            self._line = None

    def began(self) -> None:
        """The scan of a target has begun."""
        self._running += 1
        self._show(0)

    def ended(self, reports: Sequence[Report]) -> None:
        """The scan of a target has ended with these reports."""
        found = condition(reports)
        self._running -= 1
        self._failing += found in FAILING
        self._unreachable += found is Condition.UNREACHABLE
        self._show(1)

    def _show(self, done: int) -> None:
        if self._line is not None and self._task is not None:
            counts = f"{self._running} running, {self._failing} failing"
            if self._unreachable:
                counts += f", {self._unreachable} unreachable"
            self._line.update(self._task, advance=done, counts=counts)


def _line(targets: int) -> "tuple[Progress, TaskID]":
    # Only a terminal needs them.
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("Scanning"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    # The log writes to the descriptor itself, so there is nothing to redirect.
    line = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    return line, line.add_task("scan", total=targets, counts="")
