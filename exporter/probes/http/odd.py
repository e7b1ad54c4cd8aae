"""Parses heads of HTTP/1 responses that h11 refuses but clients read, as curl and Chromium do.

Pure. Where curl and Chromium read a head in different ways, or one of them refuses it, it is not known how clients read
it. That is an error. `tests/probes/http/test_odd.py` has the measurements.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

Fields = list[tuple[bytes, bytes]]

_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/(?:1\.[01]|2(?:\.0)?) +([1-9][0-9]{2})(?![0-9])", re.IGNORECASE)
"""Status lines that both accept, with any text after them. curl refuses a response with another version."""
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, 5.6.2. Chromium skips fields with other names. curl keeps them under names that nobody asks for."""
_LENGTH = re.compile(rb"\+?[0-9]")
"""Values that both accept as a length: they ignore what follows the digits."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CODINGS = frozenset({b"chunked", b"identity", b"gzip", b"x-gzip", b"deflate"})
"""Transfer codings that curl knows. curl refuses a response with another one; Chromium does not."""
_BLANKS = b" \t"

STS, LOCATION = b"strict-transport-security", b"location"
DECISIVE = frozenset({STS, LOCATION})
"""Fields that clients act on. Different readings of other fields do no harm."""


class OddHeadError(Exception):
    """Clients refuse the head, or read it in different ways. The message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response.

    Attributes:
        fields: in the order received; names as received.
        size: in bytes, including the empty line at its end.
    """

    status: int
    fields: Fields
    size: int


def read_head(data: bytes) -> Head | None:
    """The head at the start of these bytes; None where its end has not been received yet.

    Raises:
        OddHeadError: clients refuse the head, or read it in different ways.
    """
    end = _END.search(data)
    if end is None:
        return None
    first, *lines = data[: end.start()].split(b"\n")
    status = _STATUS.match(first)
    if status is None:
        raise OddHeadError("not all clients read its status line")
    if b"\0" in data[: end.start()]:
        raise OddHeadError("it has a NUL")
    fields = [field for line in _unfolded(lines) for field in _read(line)]
    _must_be_readable(fields)
    return Head(int(status[1]), fields, end.end())


def _unfolded(lines: list[bytes]) -> Iterator[bytes]:
    """The lines with continuation lines joined to them (RFC 9112, 5.2): one line per field."""
    parts: list[bytes] = []
    for line in lines:
        if line[:1] and line[:1] in _BLANKS:
            if not parts:
                raise OddHeadError("it begins with a continuation line")
            if not parts[-1].partition(b":")[2].strip(b" \t\r"):
                raise OddHeadError("a field has its value in a continuation line")
            parts.append(b":" + line)
            continue
        yield from _joined(parts)
        parts = [line]
    yield from _joined(parts)


def _joined(parts: list[bytes]) -> Iterator[bytes]:
    if parts:
        first, *others = (part.rstrip(b"\r") for part in parts)
        yield b" ".join([first, *(other[1:].strip(_BLANKS) for other in others)])


def _read(line: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The field, if it has a name that clients know.

    Only Chromium takes a CR within a line as its end, and only Chromium accepts a blank after a name.
    """
    pieces = line.split(b"\r")
    name, colon, value = pieces[0].partition(b":")
    if not colon:
        raise OddHeadError("it has a line without a colon")
    plain = name.rstrip(_BLANKS)
    open_names = {piece.partition(b":")[0].rstrip(_BLANKS).lower() for piece in pieces[1:]}
    if len(pieces) > 1 or plain != name:
        open_names.add(plain.lower())
    value = value.strip(_BLANKS)
    if plain.lower() == STS and _CONTROL.search(value):
        open_names.add(STS)
    for decisive in sorted(open_names & DECISIVE):
        raise _open(decisive)
    if _NAME.fullmatch(plain):
        yield plain, value


def _must_be_readable(fields: Fields) -> None:
    """Check that clients agree on the HSTS policy and on the fields that delimit the message.

    Raises:
        OddHeadError: they do not agree.
    """
    for name in (b"content-length", STS):
        values = {value for key, value in fields if key.lower() == name}
        if len(values) > 1:
            raise _open(name)
    for key, value in fields:
        if key.lower() == b"content-length" and not _LENGTH.match(value):
            raise OddHeadError("its Content-Length is not a number")
        if key.lower() == b"transfer-encoding" and not _codings(value) <= _CODINGS:
            raise OddHeadError("its Transfer-Encoding is one that not all clients know")


def _codings(value: bytes) -> set[bytes]:
    return {coding.strip(_BLANKS).lower() for coding in value.split(b",")}


def _open(name: bytes) -> OddHeadError:
    return OddHeadError(f"clients read its {name.decode().title()} in different ways")
