"""The elements of DER, and of the BER that OpenSSL accepts as DER (X.690, 8.1): parsing, and writing as DER."""

from collections.abc import Iterator
from dataclasses import dataclass


class UnreadableError(ValueError):
    """A certificate, or a part of one, is present but cannot be parsed."""


BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8_STRING = 1, 2, 3, 4, 6, 12
SEQUENCE, SET = 0x30, 0x31

_STRINGS = {18: "", 19: "", 20: "", 22: "", 26: "", 27: "", 28: "utf-32-be", 30: "utf-16-be"}
"""Tags of strings other than UTF8String -> their encoding. It is empty for ASCII types, since certificates misuse these
for supersets of ASCII."""
_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_MOST_DEPTH = 24
"""Most levels of nesting; the names of a certificate have six, those in its extensions some more."""
MOST_ELEMENTS = 5000
"""Most elements of a certificate that has to be rewritten. One with a thousand names has less than half of it.
Rewriting that many takes some 10 ms, in which nothing else runs."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier octet, its contents, and all its bytes as received."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """The elements of a sequence.

    Raises:
        ValueError: the last one is cut off, or one has a tag of several octets, which certificates do not have.
    """
    at = 0
    while at < len(data):
        one, at = _element(data, at)
        yield one


def element(data: bytes) -> Element:
    """The first element.

    Raises:
        ValueError: as `elements`.
    """
    return _element(data, 0)[0]


def encode(tag: int, *content: bytes) -> bytes:
    """Encode an element in DER."""
    body = b"".join(content)
    if len(body) < _INDEFINITE:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, _INDEFINITE + len(size))) + size + body


def text(one: Element) -> str:
    """The text of a string in a name, whatever its encoding."""
    if encoding := _STRINGS.get(one.tag):
        return one.content.decode(encoding, "replace")
    try:
        return one.content.decode("utf-8")
    except UnicodeDecodeError:
        return one.content.decode("latin-1")


class Rewriter:
    """Writes elements again as DER: shortest lengths, no FALSE written out, and all strings in UTF-8.

    FALSE is the default of every BOOLEAN in a certificate. Each octet is read once, at any depth. The number of
    elements in all calls together is limited.
    """

    def __init__(self, most: int = MOST_ELEMENTS) -> None:
        self._left = most

    def rewrite(self, data: bytes) -> bytes:
        """Rewrite the elements of a sequence.

        Raises:
            ValueError: as `elements`; or there are too many, or too many levels of nesting.
        """
        return self._several(data, 0, len(data), 0)[0]

    def _several(self, data: bytes, at: int, end: int | None, depth: int) -> tuple[bytes, int]:
        """The rewritten elements up to `end` (None: up to the end-of-contents octets), and the position after them."""
        written = []
        while data[at : at + 2] != b"\0\0" if end is None else at < end:
            one, at = self._one(data, at, depth)
            written.append(one)
        if end is not None and at != end:
            raise ValueError("the element is cut off")
        return b"".join(written), at + 2 if end is None else at

    def _one(self, data: bytes, at: int, depth: int) -> tuple[bytes, int]:
        self._left -= 1
        if self._left < 0 or depth > _MOST_DEPTH:
            raise ValueError("too many elements, or too many levels of nesting")
        tag, begin, end = _head(data, at)
        if tag & _CONSTRUCTED:
            content, after = self._several(data, begin, end, depth + 1)
            return encode(tag, content), after
        if end is None:
            raise ValueError("not an element of a certificate")
        return _rewritten(Element(tag, data[begin:end], data[at:end])), end


def boolean(one: Element) -> bytes:
    """A BOOLEAN in DER whose default is FALSE, so FALSE is left out."""
    return encode(BOOLEAN, b"\xff") if any(one.content) else b""


def _rewritten(one: Element) -> bytes:
    if one.tag == BOOLEAN:
        return boolean(one)
    if one.tag in _STRINGS:
        return encode(UTF8_STRING, text(one).encode("utf-8", "replace"))
    return encode(one.tag, one.content)


def _head(data: bytes, at: int) -> tuple[int, int, int | None]:
    """Tag of the element at `at`, start of its contents, and their end; None for an indefinite length."""
    if len(data) < at + 2 or data[at] & _LONG_TAG == _LONG_TAG:
        raise ValueError("not an element of a certificate")
    first, begin = data[at + 1], at + 2
    if first == _INDEFINITE:
        return data[at], begin, None
    extra = first & 0x7F if first > _INDEFINITE else 0
    length = int.from_bytes(data[begin : begin + extra], "big") if extra else first
    end = begin + extra + length
    if end > len(data):
        raise ValueError("the element is cut off")
    return data[at], begin + extra, end


def _element(data: bytes, at: int) -> tuple[Element, int]:
    """The element at `at`, and the position after it."""
    tag, begin, end = _head(data, at)
    if end is None:
        end = _end_of_contents(data, begin)
        return Element(tag, data[begin:end], data[at : end + 2]), end + 2
    return Element(tag, data[begin:end], data[at:end]), end


def _end_of_contents(data: bytes, at: int) -> int:
    """The end of contents with indefinite length, found in one pass."""
    depth = 0
    for _ in range(2 * MOST_ELEMENTS):  # each element may have its own end-of-contents
        if data[at : at + 2] == b"\0\0":
            if depth == 0:
                return at
            depth, at = depth - 1, at + 2
            continue
        _, begin, end = _head(data, at)
        depth, at = (depth + 1, begin) if end is None else (depth, end)
        if depth > _MOST_DEPTH:
            break
    raise ValueError("too many elements, or too many levels of nesting")
