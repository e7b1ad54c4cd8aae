"""The exporter's connection to the broker: one thread, so that neither a slow broker nor its loss stops the event loop.

The thread publishes batches and receives replies, over one connection. It connects again, with longer and longer
pauses, for as long as the program runs.
"""

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from exporter.backends.celery_app import TASK, results_queue, to_zone
from exporter.backends.messages import Parcel
from exporter.text import escaped

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
_POLL_SECONDS = 0.1
"""How long the thread waits for replies before it looks for batches to publish."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A batch that waits for the broker.

    Attributes:
        make: the message and when it expires; called when it is published. None if nobody wants that any more.
        sent: done when the broker has it, or may have it.
    """

    zone: str
    make: Callable[[], Parcel | None]
    sent: asyncio.Future[None]


@dataclass(slots=True)
class LinkHooks:
    """What the link calls on the event loop.

    Attributes:
        received: with each message, as plain data of anybody.
        connected: when that changes.
    """

    received: Callable[[object], None]
    connected: Callable[[bool], None]


@dataclass(slots=True)
class CeleryLink:
    """The connection; `start` and all other methods are called on the event loop.

    Attributes:
        reply_to: the name of this exporter on the broker.
        losses: how often the connection was lost.
    """

    app: Any
    shown: str
    reply_to: str
    hooks: LinkHooks
    random: Random
    losses: int = 0
    connected: bool = False
    _waiting: deque[Outgoing] = field(default_factory=deque)
    _closing: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Connect, and stay connected."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="celery-broker", daemon=True)
        self._thread.start()

    async def publish(self, zone: str, make: Callable[[], Parcel | None]) -> None:
        """Publish a batch; returns when the broker has it, or may have it. Waits for as long as there is no broker."""
        one = Outgoing(zone, make, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        try:
            await one.sent
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(one)
            raise

    def close(self) -> None:
        """Disconnect soon. Does not wait."""
        self._closing.set()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            began = False
            try:
                with self.app.connection_for_write() as connection:
                    connection.connect()
                    with connection.Consumer(
                        results_queue(self.reply_to), callbacks=[self._receive], accept=["json"], on_decode_error=_drop
                    ):
                        began, pause = True, FIRST_PAUSE_SECONDS
                        self._note(connected=True)
                        self._serve(connection)
            except Exception as error:  # noqa: BLE001 - a border: a broker may fail in every way, and the thread goes on
                if not self._closing.is_set():
                    log.warning("broker %s: %s: %s", self.shown, type(error).__name__, escaped(str(error))[:200])
            if began:
                self._note(connected=False)
            self._closing.wait(pause * (0.5 + self.random.random()))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _serve(self, connection: Any) -> None:  # noqa: ANN401 - kombu has no types
        """Publish and receive, until the connection is lost."""
        producer = connection.Producer(serializer="json")
        while not self._closing.is_set():
            while self._waiting:
                self._publish(producer)
            with suppress(socket.timeout):
                connection.drain_events(timeout=_POLL_SECONDS)
            connection.heartbeat_check()

    def _publish(self, producer: Any) -> None:  # noqa: ANN401 - kombu has no types
        try:
            one = self._waiting.popleft()
        except IndexError:  # its caller stopped waiting
            return
        try:
            parcel = one.make()
            if parcel is None:
                return
            self.app.send_task(
                TASK,
                args=[parcel.message],
                **to_zone(one.zone),
                producer=producer,
                expires=parcel.expires,
                expiration=parcel.start_seconds,
                time_limit=parcel.limit_seconds,
                ignore_result=True,
                retry=False,
            )
        finally:  # also after an error, when nobody knows whether the broker has it: then it is not sent twice
            self._call(_settle, one.sent)

    def _receive(self, body: object, message: Any) -> None:  # noqa: ANN401 - kombu has no types
        message.ack()
        self._call(self.hooks.received, body)

    def _note(self, *, connected: bool) -> None:
        self.connected = connected
        self.losses += not connected
        state = "connected" if connected else "not connected"
        log.info("broker %s: %s; the queue of replies is tls-posture.results.%s", self.shown, state, self.reply_to)
        self._call(self.hooks.connected, connected)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(function, *arguments)


def _settle(sent: asyncio.Future[None]) -> None:
    if not sent.done():
        sent.set_result(None)


def _drop(message: Any, error: Exception) -> None:  # noqa: ANN401 - kombu has no types
    """A message that is not JSON: it is acknowledged, so that it does not come again."""
    log.warning("a message cannot be read: %s", type(error).__name__)
    message.ack()
