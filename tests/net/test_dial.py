"""Connections: endings are told apart, limits hold."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Connection, Dialer, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.gate import HostGate
from exporter.net.resolve import resolve
from tests.support.plain import Handler, drip, plain_server
from tests.support.processes import free_port
from tests.support.targets import make_target


def read_from(handler: Handler, read: Callable[[Connection], Awaitable[bytes]]) -> bytes:
    async def run() -> bytes:
        async with plain_server(handler) as port:
            dialer = Dialer(make_target(port, timeout_seconds=0.3), HostGate())
            async with dialer.connect(max_bytes=1000) as connection:
                return await read(connection)

    return asyncio.run(run())


async def everything(connection: Connection) -> bytes:
    data = b""
    while more := await connection.read():
        data += more
    return data


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def resetting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def flooding(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(100_000))
    await writer.drain()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await drip(writer, bytes(500), 0.05)


def test_an_orderly_close_is_the_end_of_the_data() -> None:
    assert read_from(closing, everything) == b""


@pytest.mark.parametrize(
    ("handler", "error"), [(silent, PeerSilentError), (resetting, PeerResetError), (flooding, PeerFloodError)]
)
def test_other_endings_are_told_apart(handler: Handler, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_from(handler, everything)


def test_a_peer_that_drips_is_cut_off_by_the_limit_of_all_reads_together() -> None:
    async def read(connection: Connection) -> bytes:
        connection.limit(0.5)
        return await everything(connection)

    with pytest.raises(PeerSilentError):
        read_from(dripping, read)


def connect_failure(**changes: object) -> Reason:
    async def run() -> None:
        dialer = Dialer(make_target(**{"timeout_seconds": 0.3, **changes}), HostGate())  # type: ignore[arg-type]
        async with dialer.connect(max_bytes=10):
            pass

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    return caught.value.reason


def test_a_closed_port_refuses() -> None:
    assert connect_failure(port=free_port()) is Reason.CONNECT_REFUSED


def test_a_port_whose_queue_is_full_times_out() -> None:
    """The nearest thing on loopback to a host that drops packets."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        try:
            for waiting in queued:
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            assert connect_failure(port=port) is Reason.CONNECT_TIMEOUT
        finally:
            for waiting in queued:
                waiting.close()


def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    assert connect_failure(host="nothing.invalid", connect_address=None) is Reason.DNS_NXDOMAIN


def test_localhost_resolves_to_loopback() -> None:
    assert asyncio.run(resolve("localhost", 443)) in {"127.0.0.1", "::1"}


def test_counts_every_connection_it_opens() -> None:
    async def run() -> int:
        async with plain_server(silent) as port:
            dialer = Dialer(make_target(port), HostGate())
            for _ in range(3):
                async with dialer.connect(max_bytes=10):
                    pass
            return dialer.connections

    assert asyncio.run(run()) == 3
