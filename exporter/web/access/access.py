"""The web configuration in use, which follows its files."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from exporter.errors import ConfigError, Problem
from exporter.reading import Reader
from exporter.reloading import Reloader, Steps
from exporter.web.access.file import FirstRead, Rate, WebConfig, read_web_config
from exporter.web.access.passwords import Passwords

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
"""Files are looked at when somebody connects or asks, but not more often than this. The toolkit looks each time."""
PATIENCE_SECONDS = 0.5
"""How long a request waits for its look. Storage that does not answer must not keep scrapes waiting."""
READ_WITHIN = timedelta(seconds=2)
MOST_READS = 2
"""Threads that read, those included that storage keeps waiting."""

SWITCHED = "TLS is switched on or off by a restart only"
WEAKER = "requests would need less authentication; that comes into use if the next look, in a second, sees it too"


class Denial(StrEnum):
    """Why a request was denied: label values of `tls_posture_exporter_web_requests_denied_total`."""

    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_PASSWORDS = "too_many_passwords"


@dataclass(frozen=True, slots=True)
class AccessWatch:
    """Who is told about access.

    Attributes:
        looked: is given whether the files could be used, after each look at them.
        denied: is given the reason when a request is denied.
    """

    looked: Callable[[bool], None] = lambda _usable: None
    denied: Callable[[Denial], None] = lambda _reason: None


class Bucket:
    """A token bucket, full at first."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens, self._at = float(rate.burst), now

    def take(self, now: float) -> bool:
        """Whether there is a token for one more request."""
        self._tokens = min(self.rate.burst, self._tokens + (now - self._at) / self.rate.seconds)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Access:
    """Who may ask, by the web configuration in use.

    Attributes:
        config: in use. If the files become wrong, the last one that was right stays.
        passwords: checks those of its users.
        watch: who is told.
        look_every_seconds: the least time between two looks at the files.
    """

    def __init__(self, config: WebConfig, passwords: Passwords, watch: AccessWatch, path: Path) -> None:
        """Use this configuration, which was read from the path."""
        self.config, self.passwords, self.watch = config, passwords, watch
        self.look: Callable[[], Awaitable[object]] | None = None
        self._path = path
        self._problem: str | None = None
        self._weaker_seen = False
        self.look_every_seconds = LOOK_EVERY_SECONDS
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._bucket: Bucket | None = None
        watch.looked(True)

    @property
    def authenticates(self) -> bool:
        """Whether every request that is let through has proved who sends it."""
        return bool(self.config.means)

    async def renew(self) -> None:
        """Use the files as they are now, if the last look at them is a second old."""
        loop = asyncio.get_running_loop()
        due = loop.time() >= self._looked_at + self.look_every_seconds
        if self.look is not None and self._looking is None and due:
            self._looked_at = loop.time()
            self._looking = asyncio.create_task(self._look(self.look), name="web-config")
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=PATIENCE_SECONDS)

    async def _look(self, look: Callable[[], Awaitable[object]]) -> None:
        try:
            await look()
        finally:
            self._looking = None

    def use(self, config: WebConfig, _changed: Collection[str] = ()) -> None:
        """Use another configuration.

        Raises:
            ConfigError: TLS would begin or end, or less authentication was seen for the first time. That may be a file
                of which a part is not written yet.
        """
        if (config.tls is None) != (self.config.tls is None):
            raise self._refused("tls_server_config", SWITCHED)
        lost = sorted(self.config.means - config.means)
        if lost and not self._weaker_seen:
            self._weaker_seen = True
            raise self._refused(lost[0], WEAKER)
        self.config = config
        log.info("the web configuration has changed and is in use")
        if lost:
            log.warning("requests need less authentication than before: %s is gone", ", ".join(lost))

    def _refused(self, key: str, message: str) -> ConfigError:
        return ConfigError([Problem(str(self._path), 1, 1, key, message)])

    def note(self, problem: str | None) -> None:
        """Record why the files cannot be used, None if they can; each reason is logged once."""
        self._weaker_seen = self._weaker_seen and problem is not None and problem.endswith(WEAKER)
        if problem is not None and problem != self._problem:
            log.error("the web configuration cannot be used, the one before stays: %s", problem)
        self._problem = problem
        self.watch.looked(problem is None)

    def within_rate(self) -> bool:
        """Whether the rate limit has room for one more request, which is counted."""
        rate, now = self.config.rate, asyncio.get_running_loop().time()
        if rate is None:
            return True
        if self._bucket is None or self._bucket.rate != rate:
            self._bucket = Bucket(rate, now)
        return self._bucket.take(now)


def make_access(first: FirstRead, passwords: Passwords, watch: AccessWatch) -> Access:
    """Access by this file, which follows it from now on."""
    access = Access(first.config, passwords, watch, first.path)
    steps = Steps(partial(read_web_config, first.path), access.use, access.note)
    reader = Reader(READ_WITHIN, MOST_READS)
    access.look = Reloader(steps, first.files, reader, reader).once
    return access
