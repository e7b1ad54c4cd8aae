"""The metrics page: the exporter's own metrics, then the lines of each target.

`put` and `remove` are called on the event loop and only note what is new. What is new is compressed in a thread: before
each page, and when much is waiting.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_CONTENT_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.metrics.groups import Groups, Lines
from exporter.metrics.negotiation import prefers_openmetrics
from exporter.metrics.own import OwnMetrics
from exporter.metrics.pieces import Page, Piece, Total, pieces_of
from exporter.metrics.rendering import FAMILIES
from exporter.model import Family

_END = b"# EOF\n"
_WAITING_LEAST = 256
_WAITING_SHARE = 8
"""Targets that wait to be compressed: so many, or one of so many if that is more. Their text is not compressed, some
6 kB a target. Fewer at once cost more, because pieces of the same group are then made more often."""


def _header(family: Family) -> bytes:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} gauge\n".encode()


_HEADERS = {family: _header(family) for family in FAMILIES}
_HEADER_PIECES = {family: Piece(header) for family, header in _HEADERS.items()}
_END_PIECE = Piece(_END)


@dataclass(slots=True)
class _News:
    """What happened to targets: first some are removed, then others get lines."""

    gone: set[str] = field(default_factory=set)
    lines: dict[str, Lines] = field(default_factory=dict)


class Exposition:
    """The lines of all targets.

    Attributes:
        own: the exporter's metrics.
    """

    def __init__(self, own: OwnMetrics) -> None:
        self.own = own
        self._names: set[str] = set()
        self._news = _News()
        self._much = asyncio.Event()
        self._taken: deque[_News] = deque()  # from the event loop, not yet in the groups
        self._lock = threading.Lock()  # of the groups
        self._groups = Groups()

    def put(self, name: str, lines: Lines) -> None:
        """Replace the lines of the target with these."""
        self._names.add(name)
        self._news.lines[name] = lines
        self._note_much(len(self._news.lines))

    def remove(self, name: str) -> None:
        """Remove the lines of the target."""
        self._names.discard(name)
        self._news.lines.pop(name, None)
        self._news.gone.add(name)
        self._note_much(len(self._news.gone))

    def _note_much(self, waiting: int) -> None:
        if waiting >= max(_WAITING_LEAST, len(self._names) // _WAITING_SHARE):
            self._much.set()

    async def keep_packed(self, in_thread: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        """Compress what is new whenever there is much of it, for ever. Without this, it waits for the next page."""
        while True:
            await self._much.wait()
            self._much.clear()
            self._take()
            with suppress(MemoryError, RuntimeError):  # no memory or no thread: it is done with what is new next
                await in_thread(self._pack)

    def begin(self, accept: str) -> Callable[[], Page]:
        """Take everything as it is now; the result makes the page of it, which takes time: call it in a thread.

        The page is in OpenMetrics if the `Accept` header asks for it, else in the text format 0.0.4. No later `put`
        changes it, except that the page of a later `begin` may be made first: then both show the same targets.
        """
        openmetrics = prefers_openmetrics(accept)
        own = generate_openmetrics(self.own.registry) if openmetrics else generate_latest(self.own.registry)
        self._take()
        return lambda: self._page(own.removesuffix(_END), openmetrics=openmetrics)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Text and content type of the page."""
        page = self.begin(accept)()
        return page.text(), page.content_type

    def _take(self) -> None:
        self._taken.append(self._news)
        self._news = _News()

    def _pack(self) -> None:
        with self._lock:
            self._use_taken()

    def _use_taken(self) -> None:
        while self._taken:
            news = self._taken[0]
            self._groups.use(news.gone, news.lines)  # after an error, such as lack of memory, it is done again
            self._taken.popleft()

    def _page(self, own: bytes, *, openmetrics: bool) -> Page:
        pieces = [*pieces_of(own)]
        total = Total(pieces)
        with self._lock:
            self._use_taken()
            for family in FAMILIES:
                of_family = self._groups.pieces(family)
                if of_family:
                    header = _HEADER_PIECES[family]
                    pieces += (header, *of_family)
                    total.add(Total([header]))
                    total.add(self._groups.total(family, of_family))
        if openmetrics:
            pieces.append(_END_PIECE)
            total.add(Total([_END_PIECE]))
        return Page(OPENMETRICS_CONTENT_TYPE if openmetrics else CONTENT_TYPE_PLAIN_0_0_4, pieces, total)


def target_page(lines: Lines, accept: str) -> tuple[bytes, str]:
    """Body and content type of a page with the lines of one target only."""
    text = target_text([lines])
    if prefers_openmetrics(accept):
        return f"{text}# EOF\n".encode(), OPENMETRICS_CONTENT_TYPE
    return text.encode(), CONTENT_TYPE_PLAIN_0_0_4


def target_text(targets: Iterable[Lines]) -> str:
    """The lines of all targets, joined by family under one header each.

    Gauges have the same text in both formats.
    """
    everything: list[Mapping[Family, str]] = list(targets)
    parts: list[str] = []
    for family in FAMILIES:
        lines = [lines[family] for lines in everything if family in lines]
        if any(lines):
            parts.append(_HEADERS[family].decode())
            parts.extend(lines)
    return "".join(parts)
