"""Hostile below TLS: what a port does with connections and bytes."""

import asyncio
import os

from tests.hostile.behaviour import NOTHING_KNOWN, Behaviour, Peer, reached, unreached
from tests.support.scripted import alert


async def accepts_and_never_speaks(peer: Peer) -> None:
    """Accepts, reads everything and says nothing."""
    await peer.silence()


async def never_reads(peer: Peer) -> None:
    """Accepts and never reads: the client's window closes."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket
    await asyncio.sleep(120)


async def accepts_and_closes(peer: Peer) -> None:
    """Closes each connection at once."""


async def reset_at_accept(peer: Peer) -> None:
    """Resets each connection at once."""
    peer.reset()


async def reset_after_hello(peer: Peer) -> None:
    """Resets after the ClientHello."""
    await peer.hello()
    peer.reset()


async def reset_within_record(peer: Peer) -> None:
    """Resets in the middle of a record."""
    await peer.hello()
    await peer.send(b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03")
    await asyncio.sleep(0.05)
    peer.reset()


async def close_within_record(peer: Peer) -> None:
    """Closes in the middle of a record."""
    await peer.hello()
    await peer.send(b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c\x03\x03")


async def one_byte_a_second(peer: Peer) -> None:
    """Sends a record of TLS, one byte a second."""
    await peer.hello()
    await peer.drip(b"\x16\x03\x03\x40\x00" + bytes(16384))


async def one_byte_a_second_before_hello(peer: Peer) -> None:
    """Sends zeros before it has read anything, one byte a second."""
    await peer.drip(bytes(16384))


async def half_closes(peer: Peer) -> None:
    """Ends its direction at once, and keeps the other open."""
    peer.writer.write_eof()
    await peer.silence()


async def endless_garbage(peer: Peer) -> None:
    """Sends random bytes for ever."""
    await peer.flood(os.urandom(16384))


async def endless_zeros(peer: Peer) -> None:
    """Sends zeros for ever."""
    await peer.flood(bytes(16384))


async def echo(peer: Peer) -> None:
    """Sends back what it receives."""
    while data := await peer.reader.read(65536):
        await peer.send(data)


async def closes_every_third(peer: Peer) -> None:
    """Is an ordinary server that closes every third connection at once."""
    if peer.number % 3:
        await peer.secure()
        await peer.silence()


async def ordinary_for_ten(peer: Peer) -> None:
    """Is an ordinary server for ten connections, and silent afterwards."""
    if peer.number <= 10:
        await peer.secure()
    await peer.silence()


async def silent_for_ten(peer: Peer) -> None:
    """Is silent for ten connections, and an ordinary server afterwards."""
    if peer.number > 10:
        await peer.secure()
    await peer.silence()


async def another_manner_each_time(peer: Peer) -> None:
    """Closes, resets, sends an alert, is silent, or is ordinary: another one on each connection."""
    match peer.number % 5:
        case 0:
            return
        case 1:
            peer.reset()
        case 2:
            await peer.hello()
            await peer.send(alert(40))
        case 3:
            await peer.silence()
        case _:
            await peer.secure()
            await peer.silence()


_LATE = ("handshake_timeout", "deadline_exceeded")
_MIXED = ("success", "handshake_timeout", "handshake_error", "deadline_exceeded", "connect_error")
_NO_REFUSAL = ("protocol_accepted{TLSv1.3} 0", "protocol_accepted{TLSv1.2} 0", "compliant 1")
"""The server has both protocols, on the connections on which it does anything."""

TCP: tuple[Behaviour, ...] = (
    Behaviour(
        "full-backlog",
        "Never accepts a connection",
        None,
        "https",
        {"handshake": frozenset({"connect_timeout"})},
        NOTHING_KNOWN,
    ),
    unreached(accepts_and_never_speaks, *_LATE),
    unreached(never_reads, *_LATE),
    unreached(accepts_and_closes, "handshake_error", "connect_error"),
    unreached(reset_at_accept, "handshake_error", "connect_error"),
    unreached(reset_after_hello, "handshake_error"),
    unreached(reset_within_record, "handshake_error"),
    unreached(close_within_record, "handshake_error"),
    unreached(one_byte_a_second, *_LATE),
    unreached(one_byte_a_second_before_hello, *_LATE, "not_tls"),
    unreached(half_closes, "handshake_error"),
    unreached(endless_garbage, "not_tls", "handshake_error"),
    unreached(endless_zeros, "not_tls"),
    unreached(echo, "handshake_error", "not_tls"),
    reached(closes_every_third, *_MIXED, never=_NO_REFUSAL),
    reached(ordinary_for_ten, *_MIXED, never=_NO_REFUSAL),
    reached(silent_for_ten, *_MIXED, never=_NO_REFUSAL),
    reached(another_manner_each_time, *_MIXED),
)
