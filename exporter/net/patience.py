"""Notices that a server takes long, by the time that a scan spends on the server."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import Self

FIRST_ANSWER_SECONDS = 2.0
"""A server that is not down answers its first hello sooner: also where each round trip takes half a second, and where
the first packet is lost, which TCP sends again after one second (RFC 6298, 2.1)."""
SCAN_SECONDS = 60.0
"""Half the default `scan_timeout`. A scan of a server that is 0.3 s away takes about 40 s."""
_EXACT_SECONDS = 0.001
"""A timer of an event loop may end so much too early."""

_CURRENT: ContextVar["Patience | None"] = ContextVar("patience", default=None)


def waiting_for_us() -> AbstractContextManager[None]:
    """Enter it where a scan waits for this exporter and has no `Patience` at hand; see `Patience.waiting`."""
    patience = _CURRENT.get()
    return nullcontext() if patience is None else patience.waiting()


class Patience:
    """Calls a function once: when the first answer takes long, or when all of the scan takes long.

    Time in which the scan waits only for this exporter (a place in the gate, a worker, or a thread for a lookup) does
    not count.
    """

    _token: "Token[Patience | None]"

    def __init__(self, late: Callable[[], None] = lambda: None) -> None:
        self._late = late
        self._limit = FIRST_ANSWER_SECONDS
        self._spent = 0.0
        self._since: float | None = None
        self._waiting = self._active = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        self._update()
        return self

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)
        self._ended = True
        self._update()

    def answered(self) -> None:
        """The server has answered for the first time."""
        if self._limit != SCAN_SECONDS:
            self._limit = SCAN_SECONDS
            self._update()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The caller waits for this exporter. The time counts only if another part of the scan is busy."""
        self._waiting += 1
        self._update()
        try:
            yield
        finally:
            self._waiting -= 1
            self._update()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The caller asks the server, so the time counts although others may wait."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def begin(self) -> None:
        """As the start of `busy`."""
        self._active += 1
        if self._since is None:
            self._update()

    def end(self) -> None:
        """As the end of `busy`."""
        self._active -= 1
        if not self._active and self._waiting:
            self._update()

    def _update(self) -> None:
        """Add up the time until now, and see that there is a timer if time counts.

        A timer is not moved when the limit grows or time stops counting: it looks at the time when it ends.
        """
        now = asyncio.get_running_loop().time()
        if self._since is not None:
            self._spent += now - self._since
        counts = not self._ended and (self._active > 0 or self._waiting == 0)
        self._since = now if counts else None
        if self._ended and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif counts and self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        left = max(0.0, self._limit - self._spent)
        self._timer = asyncio.get_running_loop().call_later(left, self._expire)

    def _expire(self) -> None:
        """The limit is reached, unless it has grown, or time did not count meanwhile."""
        self._timer = None
        if self._since is None:
            return
        now = asyncio.get_running_loop().time()
        self._spent, self._since = self._spent + now - self._since, now
        if self._limit - self._spent > _EXACT_SECONDS:
            self._set_timer()
        else:
            self._ended = True
            self._late()
