"""The two interfaces of systemd that a service uses: notifications (sd_notify), and sockets that it passes on.

Both are variables of the environment. They are removed when they are read, so that child processes do not get them.
Without systemd, nothing is sent.

Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Self

from exporter.errors import ExporterError

log = logging.getLogger(__name__)

FIRST_DESCRIPTOR = 3
STATUS_EVERY_SECONDS = 10.0


class Notifier:
    """Tells systemd about the state of the service."""

    def __init__(self, address: str | None, watchdog_seconds: float | None) -> None:
        """Create it.

        Args:
            address: path of the socket, or `@` and its abstract name; None if nobody wants to know.
            watchdog_seconds: the service counts as failed if `run` does not get to send anything for so long.
        """
        self._address = address.replace("@", "\0", 1) if address and address[0] == "@" else address
        self._watchdog_seconds = watchdog_seconds
        self._status = ""
        self._is_up = False  # between `ready` and `stopping`
        self._reloads = 0
        # Open from the start: without a free descriptor the watchdog would get nothing, and kill the service.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def of(cls, environment: MutableMapping[str, str], process: int) -> Self:
        """Take the variables for the process of this id out of the environment."""
        address = environment.pop("NOTIFY_SOCKET", None)
        microseconds, wanted = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", str(process))
        watched = address and wanted == str(process) and microseconds.isascii() and microseconds.isdigit()
        return cls(address, int(microseconds) / 1e6 if watched and int(microseconds) else None)

    def ready(self) -> None:
        """Say that the service has started."""
        self._is_up = True
        self._send("READY=1")

    def reloading(self, monotonic_seconds: float) -> None:
        """Say that the service reads its configuration; `reloaded` must follow. The time is that of CLOCK_MONOTONIC.

        During the start this says nothing, because the READY=1 that follows would end the start too early.
        """
        self._reloads += 1
        if self._is_up:
            self._send("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_seconds * 1e6)}")

    def reloaded(self) -> None:
        """Say that the service has read its configuration, unless it is asked to do so again already."""
        self._reloads -= 1
        if self._is_up and not self._reloads:
            self._send("READY=1")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._is_up = False
        self._send("STOPPING=1", "STATUS=stopping")

    async def run(self, status: Callable[[], str]) -> None:
        """Until it is cancelled, tell the watchdog that the event loop runs, and the status when it has changed."""
        every = STATUS_EVERY_SECONDS if self._watchdog_seconds is None else self._watchdog_seconds / 2
        while self._socket is not None:
            new = status()
            lines = [f"STATUS={new}"] if new != self._status else []
            self._status = new
            self._send(*lines, *(["WATCHDOG=1"] if self._watchdog_seconds else []))
            await asyncio.sleep(every)

    def _send(self, *lines: str) -> None:
        if self._socket is None or self._address is None or not lines:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd was not notified of %s: %s", lines[0], error)

    def close(self) -> None:
        """Send nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def passed_sockets(environment: MutableMapping[str, str], process: int) -> list[socket.socket]:
    """The listening sockets that systemd has opened for the process of this id.

    Raises:
        ExporterError: there are none, or one is not a listening TCP socket.
    """
    wanted, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if wanted != str(process) or not (count.isascii() and count.isdigit()) or not int(count):
        raise ExporterError("--web.systemd-socket is given, but systemd has passed no sockets")
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count))
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(_listening(descriptor)) for descriptor in descriptors]
        opened.pop_all()
    return sockets


def _listening(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        passed = socket.socket(fileno=descriptor)
        tcp = passed.family in {socket.AF_INET, socket.AF_INET6} and passed.type == socket.SOCK_STREAM
        if tcp and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return passed
    except OSError as error:
        raise ExporterError(f"file descriptor {descriptor} of systemd cannot be used: {error.strerror}") from error
    passed.close()
    raise ExporterError(f"file descriptor {descriptor} of systemd is not a listening TCP socket")
