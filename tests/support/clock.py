"""Loops whose time tests move: hours of waiting in no time, the same on every machine."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits for nothing, and says how long it was meant to."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and for no time: this would hang"
        self.passed += max(timeout, 0)
        return super().select(0)


class MovedLoop(asyncio.SelectorEventLoop):
    """Real time, and whatever is added to it: for what has input and output.

    Attributes:
        ahead_seconds: by how much its time is ahead of the real one.
    """

    ahead_seconds = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_seconds

    def now(self) -> datetime:
        """The system's clock, had it gone along."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_seconds)


class FeignedLoop(asyncio.SelectorEventLoop):
    """Its time passes at once when everybody waits: `selector.passed`, in seconds. To add to it is a standstill."""

    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.passed


def run_in_feigned_time(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, for what needs no input or output: it would not be waited for."""
    with asyncio.Runner(loop_factory=FeignedLoop) as runner:
        return runner.run(main)
