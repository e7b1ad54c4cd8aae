"""A clock for one process that a test sets while the process runs, by Debian's libfaketime."""

import time
from pathlib import Path

NAME = "*/faketime/libfaketimeMT.so.1"
"""Below /usr/lib; `MT` is for programs with threads."""


def library() -> Path:
    """The library. Fails the test where it is missing."""
    found = next(Path("/usr/lib").glob(NAME), None)
    assert found, "libfaketime is not installed; `make setup` installs what the tests need"
    return found


class FakedClock:
    """The system's clock as a process sees it. The monotonic clock and the times of files stay true.

    Attributes:
        environment: of a process that sees this clock.
        ahead_seconds: what the clock is ahead of the true time; negative if it is behind.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.ahead_seconds = 0
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead_seconds: int) -> None:
        """Set the clock to this much ahead of the true time. Processes see it at their next look at the clock."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_seconds:+d}\n", encoding="ascii")
        new.rename(self._file)
        self.ahead_seconds = ahead_seconds

    def now(self) -> float:
        """What the clock shows, in seconds since 1970."""
        return time.time() + self.ahead_seconds
