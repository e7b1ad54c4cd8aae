"""Hostile answers to a ClientHello. Up to the ServerHello all of TLS is in plain text."""

import asyncio
import os
import random
import struct

from tests.hostile.behaviour import Behaviour, Peer, answer, reached, records, scripted, unreached
from tests.support.scripted import (
    End,
    Hello,
    Reply,
    Stack,
    alert,
    certificate_message,
    extension,
    message,
    record,
    server_hello,
    server_hello_message,
)

ECDHE = (0xC02B, 0xC02F)
"""By ECDSA and by RSA, with AES-128-GCM."""
PLAIN = Stack({0x0303: ECDHE})
"""A server of TLS 1.2 whose ServerKeyExchange has no valid point."""


def _hello(hello: Hello, suite: int | None = None, **changes: object) -> bytes:
    """A ServerHello of TLS 1.2 and the end of its flight."""
    chosen = suite if suite is not None else next((code for code in hello.suites if code in ECDHE), 0xC02F)
    first = server_hello_message(0x0303, chosen, **changes)  # type: ignore[arg-type]  # as the callers write them
    return records(first + message(14))


async def silence_after_hello(peer: Peer) -> None:
    """Reads the ClientHello and says nothing."""
    await peer.hello()
    await peer.silence()


async def drips_its_flight(peer: Peer) -> None:
    """Sends a valid flight, half a second a byte."""
    reply = PLAIN(await peer.hello())
    await peer.drip(reply if isinstance(reply, bytes) else alert(40), 0.5)


async def endless_warnings(peer: Peer) -> None:
    """Sends warning alerts for ever."""
    await peer.hello()
    await peer.flood(alert(112, 1) * 500)


async def endless_empty_records(peer: Peer) -> None:
    """Sends records of the handshake without contents for ever."""
    await peer.hello()
    await peer.flood(record(22, b"") * 500)


async def slow_empty_records(peer: Peer) -> None:
    """Sends a record without contents each tenth of a second for ever."""
    await peer.hello()
    await peer.flood(record(22, b""), 0.1)


async def endless_fragments(peer: Peer) -> None:
    """Sends one message of 16 MiB, a byte a record."""
    await peer.hello()
    await peer.send(record(22, b"\x02\xff\xff\xff"))
    await peer.flood(record(22, b"x") * 500)


async def endless_certificates(peer: Peer) -> None:
    """Sends Certificate messages for ever after its ServerHello."""
    hello = await peer.hello()
    await peer.send(record(22, server_hello_message(0x0303, ECDHE[hello.suites.count(0xC02F)])))
    await peer.flood(record(22, certificate_message([b"\x30\x03\x02\x01\x05"])) * 100)


async def endless_server_hellos(peer: Peer) -> None:
    """Sends ServerHellos for ever."""
    hello = await peer.hello()
    await peer.flood(_hello(hello))


async def endless_heartbeats(peer: Peer) -> None:
    """Sends heartbeat responses for ever."""
    await peer.hello()
    await peer.flood(record(24, b"\x02\x00\x10" + bytes(32)) * 200)


async def random_bytes_each_time(peer: Peer) -> None:
    """Answers with random bytes of a random length."""
    await peer.hello()
    await peer.send(os.urandom(random.randrange(1, 2000)))  # noqa: S311 - noise
    await peer.silence()


async def random_handshake_each_time(peer: Peer) -> None:
    """Answers with a record of the handshake full of random bytes."""
    await peer.hello()
    await peer.send(record(22, message(2, os.urandom(80))))
    await peer.silence()


async def speaks_http(peer: Peer) -> None:
    """Is a web server without TLS."""
    await peer.reader.read(4096)
    await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


async def another_answer_each_time(peer: Peer) -> None:
    """Gives another valid answer on each connection: alert, TLS 1.2, TLS 1.3, a close."""
    hello = await peer.hello()
    answers: tuple[Reply, ...] = (alert(70), _hello(hello), server_hello(0x0304, 0x1301), alert(40), End.CLOSE)
    await answer(peer, answers[peer.number % len(answers)])


async def wait_and_refuse(peer: Peer) -> None:
    """Refuses each hello, nearly at the time limit of one read."""
    await peer.hello()
    await asyncio.sleep(0.8)
    await peer.send(alert(40))


def _extensions(hello: Hello, extensions: bytes) -> bytes:
    return _hello(hello, extensions=extensions)


def _huge_extensions(hello: Hello) -> Reply:
    return _extensions(hello, b"".join(extension(0xABC0 + number, bytes(15_000)) for number in range(4)))


def _retries(hello: Hello) -> Reply:
    return server_hello(0x0304, 0x1301, retry=True) if hello.version == 0x0304 else alert(70)


def _group(hello: Hello, group: int, *, retry: bool) -> Reply:
    if hello.version != 0x0304:
        return alert(70)
    return record(22, server_hello_message(0x0304, 0x1301, group=group, retry=retry))


def _not_offered(hello: Hello) -> Reply:
    return _hello(hello, next(code for code in (0x0005, 0x000A, 0xC02F, 0x009C) if code not in hello.suites))


def _long_session(hello: Hello) -> Reply:
    return record(22, message(2, b"\x03\x03" + bytes(32) + b"\xff" + bytes(255) + b"\xc0\x2f\x00"))


def _of_ssl3(hello: Hello) -> Reply:
    return server_hello(0x0300, 0x0035)


_LIES = struct.pack(">HH", 16, 0xFFFF) + b"ab"
_BROKEN = ("handshake_error", "not_tls")
_ANY = ("success", *_BROKEN, "handshake_timeout", "deadline_exceeded")
_LATE = ("handshake_timeout", "deadline_exceeded")
NO_VERDICT = ("compliant 1", "certificate_trusted 1")


def _by(name: str, about: str, script: object, *outcomes: str, never: tuple[str, ...] = NO_VERDICT) -> Behaviour:
    serve = scripted(script, name, about)  # type: ignore[arg-type]  # lambdas
    return reached(serve, *outcomes, never=never)


HELLOS: tuple[Behaviour, ...] = (
    unreached(silence_after_hello, *_LATE),
    unreached(endless_warnings, *_BROKEN),
    unreached(endless_empty_records, *_BROKEN),
    unreached(slow_empty_records, *_BROKEN, *_LATE),
    unreached(endless_fragments, *_BROKEN),
    unreached(endless_heartbeats, *_BROKEN),
    unreached(random_bytes_each_time, *_BROKEN, *_LATE),
    unreached(random_handshake_each_time, *_BROKEN, *_LATE),
    unreached(speaks_http, "not_tls"),
    reached(drips_its_flight, *_ANY, never=NO_VERDICT),
    reached(endless_certificates, *_ANY, never=NO_VERDICT),
    reached(endless_server_hellos, *_ANY, never=NO_VERDICT),
    reached(another_answer_each_time, *_ANY, never=NO_VERDICT),
    reached(wait_and_refuse, *_BROKEN, *_LATE, never=("protocol_accepted 1", *NO_VERDICT)),
    _by("huge_record", "Announces a record of 65,535 bytes", lambda _: b"\x16\x03\x03\xff\xff", *_BROKEN),
    _by("ssl2_garbage", "Answers with a record of SSL 2 and garbage", lambda _: b"\x80\xff\x04" + bytes(255), *_ANY),
    _by("application_data_first", "Answers with application data", lambda _: record(23, bytes(64)), *_BROKEN),
    _by("unknown_alert", "Refuses by an alert without a name", lambda _: alert(255), *_BROKEN),
    _by("close_notify", "Ends each session by close_notify", lambda _: alert(0, 1), *_BROKEN),
    _by("unknown_version", "Answers in a version without a name", lambda h: _hello_in(0x0399), *_ANY),
    _by("unknown_suite", "Chooses a suite without a name", lambda h: _hello(h, 0xFAFA), *_ANY),
    _by("suite_not_offered", "Chooses a suite that is not offered", _not_offered, *_ANY),
    _by("unknown_compression", "Chooses a compression without a name", lambda h: _hello(h, compression=77), *_ANY),
    _by("retry_loop", "Answers each hello with HelloRetryRequest", _retries, *_ANY),
    _by("retry_unknown_group", "Asks for a group without a name", lambda h: _group(h, 0xFEFE, retry=True), *_ANY),
    _by("wrong_group", "Has a key share of another group", lambda h: _group(h, 0x0019, retry=False), *_ANY),
    _by(
        "alpn_nonsense",
        "Chooses an ALPN name that is not offered",
        lambda h: _extensions(h, _alpn(b"\xff\x00x")),
        *_ANY,
    ),
    _by("alpn_empty", "Chooses an empty ALPN name", lambda h: _extensions(h, _alpn(b"")), *_ANY),
    _by("extension_twice", "Has an extension twice", lambda h: _extensions(h, extension(23) * 2), *_ANY),
    _by("extension_too_long", "Has an extension longer than the message", lambda h: _extensions(h, _LIES), *_ANY),
    _by("huge_extensions", "Has 60,000 bytes of extensions", _huge_extensions, *_ANY),
    _by("long_session", "Has a session ID of 255 bytes", _long_session, *_ANY),
    _by("ssl3_always", "Answers each hello in SSL 3", _of_ssl3, *_ANY),
)


def _hello_in(version: int) -> bytes:
    body = struct.pack(">H", version) + bytes(32) + b"\x00\xc0\x2f\x00"
    return record(22, message(2, body) + message(14))


def _alpn(name: bytes) -> bytes:
    return extension(16, struct.pack(">HB", len(name) + 1, len(name)) + name)
