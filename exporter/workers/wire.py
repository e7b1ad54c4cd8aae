"""What this process and a worker say to each other: frames of a length, a kind and bytes, all of them bounded.

Nothing here is a pickle: by what it says, a worker that was taken over can lie about its server, and no more.
"""

import struct
from enum import IntEnum

HEAD = struct.Struct(">IB")
MAX_PAYLOAD_BYTES = 65536


class Kind(IntEnum):
    """What a frame is; the first five are said to a worker, the others by it."""

    JOB = 1
    """JSON: what to do."""
    OPENED = 2
    """The connection is there."""
    DATA = 3
    """Bytes of the server."""
    CLOSED = 4
    """The connection is over, or there is none; as one byte, how: see `Ending`."""
    SENT = 5
    """The bytes were taken."""

    READY = 16
    """The worker takes jobs."""
    CONNECT = 17
    """It wants a connection to the server; the one before is closed then."""
    SEND = 18
    """Bytes to the server."""
    RECEIVE = 19
    """It wants bytes of the server."""
    CLOSE = 20
    """It is done with the connection; it does not wait for an answer."""
    DONE = 21
    """JSON: what the job gives."""


class Ending(IntEnum):
    """How a connection ended: the payload of `Kind.CLOSED`."""

    ORDERLY = 0
    RESET = 1
    SILENT = 2
    UNREACHABLE = 3
    CUT_OFF = 4
    """By us: all reads together took too long, or brought too much. It tells nothing of what the server wanted."""


class BrokenFrameError(Exception):
    """These bytes are no frame."""


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """One frame.

    Raises:
        BrokenFrameError: the payload is too long for one.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise BrokenFrameError(f"{len(payload)} bytes are too many for one frame")
    return HEAD.pack(len(payload), kind) + payload


def read_head(head: bytes) -> tuple[int, Kind]:
    """Length of the payload that follows, and the kind.

    Raises:
        BrokenFrameError: it is none.
    """
    length, kind = HEAD.unpack(head)
    if length > MAX_PAYLOAD_BYTES or kind not in set(Kind):
        raise BrokenFrameError(f"{head.hex()} begins no frame")
    return length, Kind(kind)
