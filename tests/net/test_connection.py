"""One connection: what arrives is passed on in the event loop, and nothing is left behind when nobody waits."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from exporter.net import connection as module
from exporter.net.connection import (
    Connection,
    PeerFloodError,
    PeerResetError,
    PeerSilentError,
    PeerSlowError,
    Traffic,
)
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.service import open_for_tls
from tests.support.clock import MovedLoop
from tests.support.plain import Handler, drip, plain_server
from tests.support.targets import make_target
from tests.support.wires import full_queue

SECONDS = 30.0


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, bytes(500), 0.05)


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    await reader.read()


async def in_three(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Three pieces. The next one comes when the peer has answered the previous one."""
    for piece in (b"one", b"two", b"three"):
        writer.write(piece)
        await writer.drain()
        await reader.readexactly(1)
    await reader.read()


def connected(
    handler: Handler, use: Callable[[Connection], Awaitable[None]], *, timeout_seconds: float = SECONDS
) -> Traffic:
    """Use one connection to a server; returns what it counted."""

    async def run() -> Traffic:
        async with plain_server(handler) as port:
            traffic = Traffic()
            connection = await Connection.open(
                "127.0.0.1", port, traffic, timeout_seconds=timeout_seconds, max_bytes=1000
            )
            try:
                await use(connection)
            finally:
                connection.close()
            return traffic

    with asyncio.Runner(loop_factory=MovedLoop) as runner:
        return runner.run(run())


def is_watched(descriptor: int) -> bool:
    """Whether the running loop calls something for the descriptor. Afterwards it does not."""
    loop = asyncio.get_running_loop()
    return any((loop.remove_reader(descriptor), loop.remove_writer(descriptor)))


def test_pieces_are_passed_on_until_the_reader_has_enough() -> None:
    async def use(connection: Connection) -> None:
        seen: list[bytes] = []

        def read(data: bytes) -> bool:
            seen.append(data)
            connection._socket.send(b".")  # noqa: SLF001 - the server waits for it before the next piece
            return len(seen) == 3

        await connection.feed(read)
        assert seen == [b"one", b"two", b"three"]
        assert not is_watched(connection._descriptor)  # noqa: SLF001

    assert connected(in_three, use).received == len("onetwothree")


def test_a_close_ends_the_pieces() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    async def use(connection: Connection) -> None:
        seen = bytearray()

        def read(data: bytes) -> bool:
            seen.extend(data)
            return False

        await connection.feed(read)
        assert seen == b"bye"

    connected(handler, use)


def test_an_error_of_the_reader_is_the_callers() -> None:
    async def use(connection: Connection) -> None:
        def read(data: bytes) -> bool:
            raise ArithmeticError(data)

        with pytest.raises(ArithmeticError, match="220"):
            await connection.feed(read)
        assert not is_watched(connection._descriptor)  # noqa: SLF001

    connected(greeting, use)


def test_a_peer_that_drips_ends_by_the_limit_of_all_pieces_together() -> None:
    async def use(connection: Connection) -> None:
        connection.limit(0.3)
        with pytest.raises(PeerSlowError):
            await connection.feed(lambda _: False)

    connected(slow, use)


def test_each_piece_has_the_time_of_one_read() -> None:
    """The pieces come two thirds of the limit apart."""

    async def use(connection: Connection) -> None:
        seen: list[bytes] = []

        def read(data: bytes) -> bool:
            seen.append(data)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, MovedLoop)
            loop.ahead_seconds += SECONDS * 2 / 3
            connection._socket.send(b".")  # noqa: SLF001 - the server waits for it before the next piece
            return len(seen) == 3

        await connection.feed(read)

    connected(in_three, use)


def test_silence_after_a_piece_is_silence() -> None:
    async def use(connection: Connection) -> None:
        with pytest.raises(PeerSilentError) as caught:
            await connection.feed(lambda _: False)
        assert not isinstance(caught.value, PeerSlowError)

    connected(greeting, use, timeout_seconds=0.3)


def test_a_shorter_limit_moves_the_timer() -> None:
    """The timer of the connection was set for the longer one."""

    async def use(connection: Connection) -> None:
        connection.limit(0.2)
        async with asyncio.timeout(SECONDS / 2):
            with pytest.raises(PeerSlowError):
                await connection.feed(lambda _: False)

    connected(silent, use, timeout_seconds=10 * SECONDS)


def test_more_bytes_than_allowed_are_a_flood() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(2000))
        await reader.read()

    async def use(connection: Connection) -> None:
        with pytest.raises(PeerFloodError):
            await connection.feed(lambda _: False)

    connected(handler, use)


def test_bytes_that_came_with_a_proxys_answer_are_passed_on_first() -> None:
    async def use(connection: Connection) -> None:
        seen: list[bytes] = []
        connection.begin(b"early", 1000)

        def read(data: bytes) -> bool:
            seen.append(data)
            return len(seen) == 2

        await connection.feed(read)
        assert seen == [b"early", b"220 ready\r\n"]

    connected(greeting, use)


@pytest.mark.parametrize("what", ["connecting", "reading", "writing"])
def test_whoever_stops_waiting_leaves_no_watch_and_no_place(what: str) -> None:
    async def wait(dialer: Dialer, opened: list[int]) -> None:
        connection = await open_for_tls(dialer, max_bytes=1000)
        try:
            opened.append(connection._descriptor)  # noqa: SLF001
            await (connection.read() if what == "reading" else connection.write(bytes(50_000_000)))
        finally:
            connection.close()

    async def run(port: int) -> None:
        gate, opened = HostGate(), list[int]()
        dialer = Dialer(make_target(port, timeout_seconds=SECONDS, connections_per_host=1), gate)
        task = asyncio.create_task(wait(dialer, opened))
        async with asyncio.timeout(SECONDS):
            while not (opened if what != "connecting" else dialer.connections):
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(map(is_watched, opened))
        assert gate.enter_now("127.0.0.1", 1, port=port) is not None

    async def serve() -> None:
        async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a transport that reads as well
            await asyncio.Event().wait()

        async with plain_server(handler) as port:
            await run(port)

    if what == "connecting":
        with full_queue() as port:
            asyncio.run(run(port))
    else:
        asyncio.run(serve())


def test_a_reset_is_no_close() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async def use(connection: Connection) -> None:
        with pytest.raises(PeerResetError):
            await connection.feed(lambda _: False)

    connected(handler, use)


def test_the_zone_of_an_address_becomes_the_number_of_its_interface() -> None:
    place = module._place(socket.AF_INET6, "fe80::1%lo", 443)  # noqa: SLF001
    assert place == ("fe80::1", 443, 0, socket.if_nametoindex("lo"))
