"""Text that is kept compressed, and answers that are put together of it. Pure; the work of each call is bounded.

A gzip answer has one member: some clients, curl among them, read only the first. The compressed form of a piece ends at
a byte and refers to no other piece (RFC 1951, 2.3), so that pieces can follow each other in any order.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence

from exporter.metrics.checksums import joined, shift_of

_LEVEL = 1
"""Level 6 needs twice the time of level 1 and saves a tenth (measured on lines of 64 targets)."""
_RAW = -zlib.MAX_WBITS
_LAST_BLOCK = b"\x03\x00"
"""An empty block that is the last one: pieces have none."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952, 2.3: deflate, no name, no time, unknown system."""
_LONGEST = 65536
"""Longest piece that is made of a text of any length."""


class Piece:
    """A text that is kept compressed. It does not change.

    Attributes:
        packed: compressed.
        length: of the text in bytes.
        crc: CRC-32 of the text.
        shift: that of the length; see `exporter.metrics.checksums`.
    """

    __slots__ = ("crc", "length", "packed", "shift")

    def __init__(self, text: bytes) -> None:
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        self.packed = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        self.length, self.crc, self.shift = len(text), zlib.crc32(text), shift_of(len(text))

    def text(self) -> bytes:
        """The text."""
        return zlib.decompress(self.packed + _LAST_BLOCK, _RAW, self.length)


def pieces_of(text: bytes) -> tuple[Piece, ...]:
    """The text in pieces of limited length."""
    return tuple(Piece(text[start : start + _LONGEST]) for start in range(0, len(text), _LONGEST))


class Total:
    """Length and CRC-32 of several pieces, one after the other.

    Attributes:
        length: of the text in bytes.
        crc: CRC-32 of the text.
        packed: length of the compressed form in bytes.
    """

    __slots__ = ("crc", "length", "packed")

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self.length = self.crc = self.packed = 0
        for piece in pieces:
            self.crc = joined(self.crc, piece.crc, piece.shift)
            self.length += piece.length
            self.packed += len(piece.packed)

    def add(self, other: "Total") -> None:
        """The other pieces follow."""
        self.crc = joined(self.crc, other.crc, shift_of(other.length))
        self.length += other.length
        self.packed += other.packed


class Page:
    """The metrics of one moment in one format. It shares its pieces with other pages.

    Attributes:
        content_type: with the version of the format.
        total: of all pieces.
    """

    def __init__(self, content_type: str, pieces: Sequence[Piece], total: Total) -> None:
        self.content_type, self.total = content_type, total
        self._pieces = pieces

    @property
    def gzip_length(self) -> int:
        """Number of bytes of the gzip form."""
        return len(_HEADER) + self.total.packed + len(_LAST_BLOCK) + 8

    def gzip(self, least: int) -> Iterator[bytes]:
        """The gzip form in parts, of which all but the last have at least so many bytes."""
        parts, size = [_HEADER], len(_HEADER)
        for piece in self._pieces:
            parts.append(piece.packed)
            size += len(piece.packed)
            if size >= least:
                yield b"".join(parts)
                parts, size = [], 0
        end = struct.pack("<LL", self.total.crc, self.total.length & 0xFFFFFFFF)  # RFC 1952, 2.3.1
        yield b"".join((*parts, _LAST_BLOCK, end))

    def batches(self, least: int) -> Iterator[Sequence[Piece]]:
        """The pieces in batches, of which all but the last have at least so many bytes of text."""
        batch: list[Piece] = []
        size = 0
        for piece in self._pieces:
            batch.append(piece)
            size += piece.length
            if size >= least:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def text(self) -> bytes:
        """All text at once."""
        return text_of(self._pieces)


def text_of(pieces: Iterable[Piece]) -> bytes:
    """The text of these pieces."""
    return b"".join(piece.text() for piece in pieces)


def text_page(text: bytes, content_type: str) -> Page:
    """A page of this text."""
    pieces = pieces_of(text)
    return Page(content_type, pieces, Total(pieces))
