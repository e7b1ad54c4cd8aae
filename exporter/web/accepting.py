"""Accepts web connections on one socket, instead of asyncio's loop, which logs each failure to accept.

That loop logs up to `backlog` lines a second without a free descriptor, and opens connections before anybody can refuse
them.
"""

import asyncio
import socket
from collections.abc import Callable

from exporter.shortage import SHORTAGES, shortage_of

AT_ONCE = 32
"""Most connections that are accepted in one step of the loop, so that many of them do not delay everything else."""
PAUSE_SECONDS = 1.0
"""asyncio's own pause (`constants.ACCEPT_RETRY_DELAY`)."""


class Acceptor:
    """Gives each new connection to `welcome`; it has what uvicorn needs of `asyncio.Server`."""

    def __init__(self, listener: socket.socket, welcome: Callable[[socket.socket, object], None]) -> None:
        self._listener, self._welcome = listener, welcome
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._closed = False
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # accept(2): errors of a connection that has ended already
                continue
            except OSError as error:
                self._pause(error)
                return
            connection.setblocking(False)
            self._welcome(connection, peer)

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment. The socket stays readable, so the loop would do nothing else."""
        shortage = shortage_of(error)
        if shortage is not None:
            SHORTAGES.note(shortage, f"cannot accept a web connection: {error.strerror}")
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept nothing more."""
        if self._closed:
            return
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Return at once: connections are closed by those who have them."""
