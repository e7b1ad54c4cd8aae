"""The messages between the main process and a worker: frames of a length, a kind and bytes, all bounded.

They contain no pickles. By its messages, a compromised worker can lie about its server and send that server a limited
number of bytes. Where `lockdown` is in force, a worker can do nothing else.
"""

import struct
from enum import IntEnum

HEAD = struct.Struct(">IB")
MAX_PAYLOAD_BYTES = 65536


class FrameKind(IntEnum):
    """The kind of a frame; the first five are sent to a worker, the others by it."""

    JOB = 1
    """JSON: what to do."""
    OPENED = 2
    """The connection is open."""
    DATA = 3
    """Bytes from the server."""
    CLOSED = 4
    """The connection ended, or could not be opened; the payload is one byte, see `Ending`."""
    SENT = 5
    """The bytes were sent."""

    READY = 16
    """The worker accepts jobs; the payload is JSON, see `protection`."""
    CONNECT = 17
    """It wants a connection to the server; the previous one is closed."""
    SEND = 18
    """Bytes to the server."""
    RECEIVE = 19
    """It wants bytes from the server."""
    CLOSE = 20
    """It has finished with the connection; there is no answer."""
    DONE = 21
    """JSON: the result of the job."""
    UNAVAILABLE = 22
    """It cannot load what its jobs need, and ends; the payload is the reason as text."""


class Ending(IntEnum):
    """How a connection ended: the payload of `FrameKind.CLOSED`."""

    ORDERLY = 0
    RESET = 1
    SILENT = 2
    UNREACHABLE = 3
    CUT_OFF = 4
    """Ended by us: all reads together took too long, or there were too many bytes. This does not say what the server
    would have done."""


class BrokenFrameError(Exception):
    """These bytes are not a frame."""


def frame(kind: FrameKind, payload: bytes = b"") -> bytes:
    """Encode one frame.

    Raises:
        BrokenFrameError: the payload is too long.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise BrokenFrameError(f"{len(payload)} bytes are too many for one frame")
    return HEAD.pack(len(payload), kind) + payload


def read_head(head: bytes) -> tuple[int, FrameKind]:
    """Parse the head of a frame: the length of its payload, and the kind.

    Raises:
        BrokenFrameError: these bytes are not a valid head.
    """
    length, kind = HEAD.unpack(head)
    if length > MAX_PAYLOAD_BYTES or kind not in set(FrameKind):
        raise BrokenFrameError(f"{head.hex()} is not the head of a frame")
    return length, FrameKind(kind)
