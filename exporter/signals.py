"""Signals from the first moment of the program: SIGHUP asks for a reload and never ends the daemon; SIGTERM ends it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the program must let SIGHUP wait before it imports anything that takes time
    from asyncio import AbstractEventLoop

_HANGUP = {signal.SIGHUP}


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the process while the block runs, until somebody else handles it; the exit code is 0.

    The kernel ignores the default action for the first process of a container. A daemon that is starting has nothing to
    end in an orderly way.
    """
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def hangup_waits() -> Iterator[None]:
    """Let SIGHUP wait while the block runs, except in `on_hangup`. Several that wait are one.

    Without a handler SIGHUP ends a program, and the daemon has a handler only when its event loop runs.
    """
    before, handler = signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP), signal.getsignal(signal.SIGHUP)
    try:
        yield
    finally:
        signal.sigtimedwait(_HANGUP, 0)  # one that waits would end the program now
        signal.signal(signal.SIGHUP, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def on_hangup(loop: "AbstractEventLoop", call: Callable[[], object]) -> Iterator[None]:
    """Call this on the event loop for SIGHUP, while the block runs; for one that waits at once.

    Afterwards SIGHUP is ignored, because threads that were started meanwhile do not let it wait.
    """
    loop.add_signal_handler(signal.SIGHUP, call)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANGUP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
