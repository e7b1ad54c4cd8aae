"""Hostile in HTTP/2, on servers that have no other protocol. Frames: RFC 9113, 4.1."""

import struct

from tests.hostile.behaviour import Behaviour, Peer, reached

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
OK, STATUS_200, NOTHING = 0x4, b"\x88", b""
"""END_HEADERS; `:status 200` of HPACK's static table (RFC 7541, A)."""


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


async def _start(peer: Peer) -> None:
    """A session in which the server has sent its settings and has read a request."""
    await peer.secure(peer.material.only_http2)
    await peer.send(frame(SETTINGS))
    await peer.reader.read(65536)


async def settings_flood(peer: Peer) -> None:
    """Sends SETTINGS for ever, each of which has to be acknowledged."""
    await _start(peer)
    await peer.flood(frame(SETTINGS) * 500)


async def ping_flood(peer: Peer) -> None:
    """Sends PING for ever, each of which has to be answered."""
    await _start(peer)
    await peer.flood(frame(PING, bytes(8)) * 500)


async def continuation_flood(peer: Peer) -> None:
    """Sends CONTINUATION for ever (CVE-2024-27316)."""
    await _start(peer)
    await peer.send(frame(HEADERS, STATUS_200, stream=1))
    await peer.flood(frame(CONTINUATION, b"\x00\x01a\x01b" * 100, stream=1) * 10)


async def rapid_reset(peer: Peer) -> None:
    """Resets the stream again and again (CVE-2023-44487)."""
    await _start(peer)
    await peer.flood(frame(RESET, bytes(4), stream=1) * 500)


async def window_flood(peer: Peer) -> None:
    """Opens the window for ever, until it overflows."""
    await _start(peer)
    await peer.flood(frame(WINDOW, b"\x7f\xff\xff\xff") * 500)


async def data_before_headers(peer: Peer) -> None:
    """Sends the body without a head for ever."""
    await _start(peer)
    await peer.flood(frame(DATA, bytes(8192), stream=1))


async def header_bomb(peer: Peer) -> None:
    """Sends a head whose table entry of 4 kB is repeated a thousand times."""
    await _start(peer)
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000
    await peer.send(frame(HEADERS, STATUS_200 + entry + b"\xbe" * 10_000, flags=OK, stream=1))
    await peer.silence()


async def huge_frame(peer: Peer) -> None:
    """Announces a frame of 16 MiB."""
    await _start(peer)
    await peer.send(b"\xff\xff\xff" + struct.pack(">BBI", HEADERS, OK, 1))
    await peer.flood(bytes(16384))


async def unknown_frames(peer: Peer) -> None:
    """Sends frames of an unknown type for ever, which have to be ignored."""
    await _start(peer)
    await peer.flood(frame(0xFA, bytes(100)) * 50)


async def push_promises(peer: Peer) -> None:
    """Promises streams that nobody wants for ever."""
    await _start(peer)
    await peer.flood(
        b"".join(frame(5, struct.pack(">I", n) + STATUS_200, flags=OK, stream=1) for n in range(2, 400, 2))
    )


async def goaway_flood(peer: Peer) -> None:
    """Says goodbye for ever."""
    await _start(peer)
    await peer.flood(frame(GOAWAY, struct.pack(">II", 0x7FFFFFFF, 0)) * 200)


_FAILED = "http_error http_timeout deadline_exceeded"
_UNKNOWN = ("hsts_present", "compliant 1")

HTTP2: tuple[Behaviour, ...] = tuple(
    reached(serve, http=_FAILED, never=_UNKNOWN)
    for serve in (
        settings_flood,
        ping_flood,
        continuation_flood,
        rapid_reset,
        window_flood,
        data_before_headers,
        header_bomb,
        huge_frame,
        unknown_frames,
        push_promises,
        goaway_flood,
    )
)
