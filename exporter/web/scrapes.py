"""The page of metrics for many scrapers at once: one rendering and one compression for all who ask together.

Compression runs in threads of its own, so that scans, which use other threads, cannot delay it.
"""

import asyncio
import gzip
from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from exporter.metrics.negotiation import OPENMETRICS, prefers_gzip, prefers_openmetrics
from exporter.threads import COMPRESSION

_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 1
"""Level 1 costs a sixth of the time of level 9, for a tenth more bytes (measured on 59 MB of series)."""
FRESH_SECONDS = 1.0
"""A page is given to everybody who asks within this time. Prometheus scrapes every 15 s or slower as a rule."""
MOST_PAGES = 6
"""If clients are still reading so many pages, which may have 60 MB each, a page is given out for `STALE_SECONDS`."""
STALE_SECONDS = 15.0


VARY = {"Vary": "Accept, Accept-Encoding"}
"""What pages of metrics depend on."""


def is_gzipped(body: bytes, accept_encoding: str) -> bool:
    """Whether this page goes out compressed, to a client with this `Accept-Encoding` header."""
    return len(body) >= _GZIP_FROM_BYTES and prefers_gzip(accept_encoding)


async def gzipped(body: bytes, owner: object) -> bytes:
    """The body compressed by gzip, in a thread; one owner has at most one."""
    return await COMPRESSION.run(partial(gzip.compress, body, _GZIP_LEVEL), owner)


class Page:
    """One rendering of the metrics.

    Attributes:
        body: not compressed.
        at: time of the loop.
        version: of the configuration.
    """

    def __init__(self, body: bytes, content_type: str, at: float, version: int) -> None:
        self.body, self.content_type, self.at, self.version = body, content_type, at, version
        self._packed: asyncio.Future[bytes] | None = None

    async def packed(self) -> bytes:
        """The body compressed by gzip, once."""
        if self._packed is None:
            self._packed = asyncio.ensure_future(gzipped(self.body, self))
        return await asyncio.shield(self._packed)  # a client that leaves does not end it for the others


class Scrapes:
    """Pages by format."""

    def __init__(self, render: Callable[[str], tuple[bytes, str]], version: Callable[[], int]) -> None:
        """Create it; pages of another version than the present one are not given out."""
        self._render, self._version = render, version
        self._newest: dict[str, Page] = {}
        self._alive: WeakSet[Page] = WeakSet()

    def page(self, accept: str) -> Page:
        """A page in the format that this `Accept` header asks for."""
        form, now = OPENMETRICS if prefers_openmetrics(accept) else "", asyncio.get_running_loop().time()
        newest = self._newest.get(form)
        seconds = FRESH_SECONDS if len(self._alive) < MOST_PAGES else STALE_SECONDS
        version = self._version()
        if newest is not None and newest.version == version and now - newest.at < seconds:
            return newest
        page = Page(*self._render(form), at=now, version=version)
        self._newest[form] = page
        self._alive.add(page)
        return page
