"""The elements of DER, and of the BER that OpenSSL takes for it (X.690, 8.1): read as they are, and written in DER."""

from collections.abc import Iterator
from dataclasses import dataclass

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, UTF8_STRING = 1, 2, 3, 4, 6, 12
SEQUENCE, SET = 0x30, 0x31

_STRINGS = {18: "", 19: "", 20: "", 22: "", 26: "", 27: "", 28: "utf-32-be", 30: "utf-16-be"}
"""Tags of strings other than UTF8String -> how they are written; empty where it is ASCII, and in truth something else
that is built upon it."""
_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_MOST_DEPTH = 24
"""Of elements in each other; the names of a certificate lie six deep, those in its extensions some more."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier octet, its contents, and the bytes of both as they came."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """The elements that follow each other here.

    Raises:
        ValueError: the last one is cut off, or one has a tag of several octets, which certificates have none of.
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
    """An element in DER."""
    body = b"".join(content)
    if len(body) < _INDEFINITE:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, _INDEFINITE + len(size))) + size + body


def rewrite(data: bytes, depth: int = 0) -> bytes:
    """The elements once more as DER has them: shortest lengths, no FALSE written out, and all strings in UTF-8.

    FALSE is the default wherever a certificate has a BOOLEAN.

    Raises:
        ValueError: as `elements`; or they lie too deep in each other.
    """
    if depth > _MOST_DEPTH:
        raise ValueError("too many elements in each other")
    return b"".join(_rewritten(one, depth) for one in elements(data))


def text(one: Element) -> str:
    """What a string of a name says, whatever it was written in."""
    if encoding := _STRINGS.get(one.tag):
        return one.content.decode(encoding, "replace")
    try:
        return one.content.decode("utf-8")
    except UnicodeDecodeError:
        return one.content.decode("latin-1")


def _rewritten(one: Element, depth: int) -> bytes:
    if one.tag & _CONSTRUCTED:
        return encode(one.tag, rewrite(one.content, depth + 1))
    if one.tag == BOOLEAN:
        return encode(BOOLEAN, b"\xff") if any(one.content) else b""
    if one.tag in _STRINGS:
        return encode(UTF8_STRING, text(one).encode("utf-8", "replace"))
    return encode(one.tag, one.content)


def _element(data: bytes, at: int, depth: int = 0) -> tuple[Element, int]:
    """The element that begins at `at`, and where the next one does."""
    if len(data) < at + 2 or data[at] & _LONG_TAG == _LONG_TAG or depth > _MOST_DEPTH:
        raise ValueError("no element of a certificate")
    first, begin = data[at + 1], at + 2
    if first == _INDEFINITE:
        end, after = _end_of_contents(data, begin, depth)
    else:
        extra = first & 0x7F if first > _INDEFINITE else 0
        length = int.from_bytes(data[begin : begin + extra], "big") if extra else first
        begin += extra
        end = after = begin + length
    if after > len(data):
        raise ValueError("the element is cut off")
    return Element(data[at], data[begin:end], data[at:after]), after


def _end_of_contents(data: bytes, at: int, depth: int) -> tuple[int, int]:
    """Where the contents of indefinite length end, and where the two octets behind them do."""
    while data[at : at + 2] != b"\0\0":
        _, at = _element(data, at, depth + 1)
    return at, at + 2
