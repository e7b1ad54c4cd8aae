"""Text in compressed pieces: what is put together of them is what was put in."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.checksums import joined, shift_of
from exporter.metrics.pieces import Page, Piece, Total, text_of, text_page
from tests.support.facts import steady


@steady
@given(st.lists(st.binary(max_size=300)))
def test_the_checksum_of_parts_is_that_of_the_complete_text(parts: list[bytes]) -> None:
    crc = 0
    for part in parts:
        crc = joined(crc, zlib.crc32(part), shift_of(len(part)))
    assert crc == zlib.crc32(b"".join(parts))


@pytest.mark.parametrize("length", [1, 255, 256, 65535, 65536, 3 << 16, (1 << 24) + 12345])
def test_the_checksum_of_long_parts(length: int) -> None:
    before, after = b"some text", bytes(length)
    assert joined(zlib.crc32(before), zlib.crc32(after), shift_of(length)) == zlib.crc32(before + after)


@steady
@given(st.lists(st.binary(max_size=300)), st.integers(1, 400))
def test_both_forms_of_a_page_have_the_same_text(texts: list[bytes], least: int) -> None:
    pieces = [Piece(text) for text in texts]
    page, text = Page("text/plain", pieces, Total(pieces)), b"".join(texts)
    parts = list(page.gzip(least))
    packed = b"".join(parts)
    assert gzip.decompress(packed) == page.text() == text
    assert len(packed) == page.gzip_length
    assert page.total.length == len(text)
    assert all(len(part) >= least for part in parts[:-1])
    batches = list(page.batches(least))
    assert b"".join(map(text_of, batches)) == text
    assert all(sum(piece.length for piece in batch) >= least for batch in batches[:-1])


def test_a_gzip_answer_is_one_member() -> None:
    """Curl and others read only the first member."""
    page = text_page(b"metric 1\n" * 100_000, "text/plain")
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert stream.decompress(b"".join(page.gzip(65536))) == page.text()
    assert stream.eof
    assert stream.unused_data == b""


def test_totals_follow_each_other() -> None:
    texts = [b"one\n", b"", b"a second one\n" * 9000]
    first, rest = Total([Piece(texts[0])]), Total(map(Piece, texts[1:]))
    first.add(rest)
    complete = Total(map(Piece, texts))
    assert (first.length, first.crc, first.packed) == (complete.length, complete.crc, complete.packed)
