"""The exporter's side of scans by workers, through all configurations: one connection as long as its settings stay."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from secrets import token_hex

from exporter.backends.celery_app import Broker, broker_of, make_app
from exporter.backends.celery_backend import Around, CeleryBackend, Times
from exporter.backends.celery_link import CeleryLink, LinkHooks
from exporter.backends.messages import RefusalCause
from exporter.config.celery import CelerySettings, read_key
from exporter.errors import ExporterError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remote:
    """A connection, and what it was made of."""

    settings: CelerySettings
    broker: Broker
    keys: dict[str, bytes] = field(repr=False)
    link: CeleryLink
    backend: CeleryBackend


class RemoteScans:
    """Makes the backend of each configuration. All methods are called on the event loop."""

    def __init__(
        self,
        now: Callable[[], datetime],
        refused: Callable[[RefusalCause], None],
        connected: Callable[[bool | None], None],
    ) -> None:
        """Create it.

        Args:
            now: the clock.
            refused: called for each message that is not believed.
            connected: called when the connection to the broker changes; None without a broker.
        """
        self._now, self._refused, self._connected = now, refused, connected
        self._used: Remote | None = None

    def prepare(self, settings: CelerySettings | None) -> Remote | None:
        """What `use` gets; None without settings.

        Raises:
            ExporterError: Celery is not installed, or a file cannot be read.
        """
        return None if settings is None else self._make(settings)

    def use(self, made: Remote | None) -> CeleryBackend | None:
        """The backend from now on. Scans that have begun with the one before go on."""
        if made is not self._used:
            self.stop()
            self._used = made
            self._connected(None if made is None else made.link.connected)
            if made is not None:
                made.link.start()
        return None if made is None else made.backend

    def answering(self) -> Mapping[str, bool | None]:
        """See `CeleryBackend`; empty without zones."""
        return {} if self._used is None else self._used.backend.answering

    def _make(self, settings: CelerySettings) -> Remote:
        broker = broker_of(settings)
        try:
            keys = {name: read_key(zone.key_file) for name, zone in settings.zones.items()}
        except OSError as error:
            raise ExporterError(f"a key_file of celery.zones cannot be read: {error.strerror}") from error
        used = self._used
        if used is not None and (used.settings, used.broker, used.keys) == (settings, broker, keys):
            return used
        hooks = LinkHooks(received=lambda _data: None, connected=lambda _connected: None)
        link = CeleryLink(make_app(broker), broker.shown, token_hex(16), hooks, SystemRandom())
        around = Around(self._now, lambda: token_hex(16), self._refused)
        backend = CeleryBackend(link, keys, Times(settings.start_within.total_seconds()), around)

        def connected(is_connected: bool) -> None:
            if self._used is not None and self._used.link is link:
                self._connected(is_connected)

        hooks.received, hooks.connected = backend.receive, connected
        return Remote(settings, broker, keys, link, backend)

    def stop(self) -> None:
        """Disconnect, when the scans that have begun are done."""
        if self._used is not None:
            self._used.backend.when_idle(self._used.link.close)
            self._used = None
