"""A server in memory. All its bytes are available at once, so no event loop is needed.

Everything else that varies depends on the checksum of the bytes, so the same input always has the same result.
"""

import itertools
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from zlib import crc32

from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError

T = TypeVar("T")

NAME = "www.test.example"
"""The host name of the server."""
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""The time of the scan."""

_MOST_CUTS = 6
_ENDS = (None, None, PeerSilentError, PeerResetError, PeerFloodError)


def pieces(data: bytes) -> list[bytes]:
    """The bytes in a few pieces, none of them empty."""
    number = crc32(data)
    marks = {(number >> 4 * nth) % (len(data) + 1) for nth in range(number % _MOST_CUTS)}
    return [data[start:end] for start, end in itertools.pairwise(sorted(marks | {0, len(data)}))]


def end_of(data: bytes) -> type[Exception] | None:
    """How the connection ends after the bytes; None is an orderly close."""
    return _ENDS[crc32(data) % len(_ENDS)]


def run(awaitable: Awaitable[T]) -> T:
    """The result of the awaitable, which must not wait."""
    try:
        next(awaitable.__await__())
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits although all bytes are available")


class Peer(Connection):
    """The peer of a connection. Reads return these pieces in turn, and then raise `end`. Writes are discarded."""

    local_address = "192.0.2.1"

    def __init__(self, said: Sequence[bytes], end: type[Exception] | None = None) -> None:
        self.timeout_seconds = 1.0
        self._said, self._end = iter(said), end

    async def read(self) -> bytes:
        """See `Connection.read`."""
        data = next(self._said, b"")
        if not data and self._end is not None:
            raise self._end
        return data

    async def write(self, data: bytes) -> None:
        """See `Connection.write`."""
