"""The page of metrics for many scrapers at once: one page for all who ask together, sent as it is made.

Compression runs in threads of its own, so that scans, which use other threads, cannot delay it.
"""

import asyncio
import gzip
from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.metrics import Page, text_of
from exporter.metrics.negotiation import OPENMETRICS, prefers_gzip, prefers_openmetrics
from exporter.threads import COMPRESSION

_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 1
"""Level 1 costs a sixth of the time of level 9, for a tenth more bytes (measured on 59 MB of series)."""
FRESH_SECONDS = 1.0
"""A page is given to everybody who asks within this time. Prometheus scrapes every 15 s or slower as a rule."""
MOST_PAGES = 6
"""If clients are still reading so many pages, a page is given out for `STALE_SECONDS`. Pages share what has not changed
between them; if all has, each has some 6 MB for 10,000 targets."""
STALE_SECONDS = 15.0
_PIECE_BYTES = 65536
"""uvicorn waits for the client between two pieces, so a slow client holds one piece in addition to the shared page."""
_BATCH_BYTES = 2 * _PIECE_BYTES
"""Text that is unpacked at once: a call in a thread costs some 0.1 ms."""


VARY = {"Vary": "Accept, Accept-Encoding"}
"""What pages of metrics depend on."""


def is_gzipped(length: int, accept_encoding: str) -> bool:
    """Whether a page of this length goes out compressed, to a client with this `Accept-Encoding` header."""
    return length >= _GZIP_FROM_BYTES and prefers_gzip(accept_encoding)


async def gzipped(body: bytes, owner: object) -> bytes:
    """The body compressed by gzip, in a thread; one owner has at most one."""
    return await COMPRESSION.run(partial(gzip.compress, body, _GZIP_LEVEL), owner)


class _Shared:
    """A page for all who ask within some time; it is alive while somebody reads it."""

    def __init__(self, making: asyncio.Future[Page], at: float, version: int) -> None:
        self.making, self.at, self.version = making, at, version

    @property
    def failed(self) -> bool:
        return self.making.done() and (self.making.cancelled() or self.making.exception() is not None)


class Scrapes:
    """Pages by format."""

    def __init__(self, begin: Callable[[str], Callable[[], Page]], version: Callable[[], int]) -> None:
        """Create it; pages of another version than the present one are not given out.

        Args:
            begin: called on the event loop; what it returns makes the page, in a thread.
            version: see `exporter.web.Sources`.
        """
        self._begin, self._version = begin, version
        self._newest: dict[str, _Shared] = {}
        self._alive: WeakSet[_Shared] = WeakSet()

    async def answer(self, accept: str, accept_encoding: str) -> "PageResponse":
        """The response to a client with these headers."""
        shared = self._shared(accept)
        page = await asyncio.shield(shared.making)  # a client that leaves does not end it for the others
        return PageResponse(page, shared, zipped=is_gzipped(page.total.length, accept_encoding))

    def _shared(self, accept: str) -> _Shared:
        form, now = OPENMETRICS if prefers_openmetrics(accept) else "", asyncio.get_running_loop().time()
        newest = self._newest.get(form)
        seconds = FRESH_SECONDS if len(self._alive) < MOST_PAGES else STALE_SECONDS
        version = self._version()
        if newest is not None and not newest.failed and newest.version == version and now - newest.at < seconds:
            return newest
        making = asyncio.ensure_future(COMPRESSION.run(self._begin(form), self))
        shared = self._newest[form] = _Shared(making, now, version)
        self._alive.add(shared)
        return shared


class PageResponse(Response):
    """A page of metrics, sent in pieces; it keeps the page alive while a client reads it.

    Attributes:
        page: shared with others.
    """

    def __init__(self, page: Page, shared: _Shared, *, zipped: bool) -> None:
        length = page.gzip_length if zipped else page.total.length
        coding = {"Content-Encoding": "gzip"} if zipped else {}
        headers = {"Content-Type": page.content_type, "Content-Length": str(length), **VARY, **coding}
        super().__init__(headers=headers)
        self.page = page
        self._shared, self._zipped = shared, zipped

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer the request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            await (self._send_gzip(send) if self._zipped else self._send_text(send))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_gzip(self, send: Send) -> None:
        for part in self.page.gzip(_PIECE_BYTES):
            await _send(part, send)

    async def _send_text(self, send: Send) -> None:
        for batch in self.page.batches(_BATCH_BYTES):
            await _send(await COMPRESSION.run(partial(text_of, batch), self), send)


async def _send(data: bytes, send: Send) -> None:
    for start in range(0, len(data), _PIECE_BYTES):
        await send({"type": "http.response.body", "body": data[start : start + _PIECE_BYTES], "more_body": True})
        await asyncio.sleep(0)  # a client that reads fast never makes `send` wait
