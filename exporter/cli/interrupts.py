"""SIGINT and SIGTERM during scans: the first one ends them in order, the second one ends the process."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def first_signal() -> Iterator[asyncio.Future[int]]:
    """A future with the number of the first signal; a second one ends the process at once, as in a shell.

    Needs a running loop. In a thread other than the main one, signals are not handled, because Python cannot.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Future[int] = loop.create_future()
    first = True

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if not first:
            os._exit(128 + number)
        first = False
        loop.call_soon_threadsafe(came.set_result, number)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
