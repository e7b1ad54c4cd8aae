"""The signals that end the daemon."""

import asyncio
import os
import signal
from types import FrameType

LIMIT_SECONDS = 9
"""Time for an orderly end. Supervisors such as Docker kill after ten seconds."""


def stop_by_signals() -> asyncio.Event:
    """From now on the first SIGTERM or SIGINT sets the event that is returned.

    A second one ends the process at once, and so does the end of `LIMIT_SECONDS`. The exit code is then 128 and the
    number of the signal, as in a shell. Python runs these handlers also while the event loop is busy, which it does not
    do with handlers of the loop. The default action would not be enough, because the kernel ignores it for the first
    process of a container. Needs the running loop, in the main thread.
    """
    loop, stopping, first = asyncio.get_running_loop(), asyncio.Event(), 0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if first:
            os._exit(128 + (first if number == signal.SIGALRM else number))
        first = number
        signal.alarm(LIMIT_SECONDS)
        loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, stop)
    return stopping
