"""Connections: different endings are distinguished, and limits apply."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from exporter.errors import ProbeError
from exporter.model import Reason, ScanResult
from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError, Traffic
from exporter.net.dial import Dialer, not_connected
from exporter.net.gate import HostGate
from exporter.net.resolve import resolve
from exporter.scan import scan
from tests.support.plain import Handler, drip, plain_server
from tests.support.processes import free_port
from tests.support.proxy import Counts, counting_proxy
from tests.support.scripted import Stack, scripted_server
from tests.support.targets import make_environment, make_target
from tests.support.wires import full_queue


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


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (
            OSError(errno.EHOSTUNREACH, "Connect call failed ('192.0.2.1', 443)"),
            Reason.CONNECT_ERROR,
            "No route to host",
        ),
        (OSError(errno.ETIMEDOUT, "Connect call failed ('192.0.2.1', 443)"), Reason.CONNECT_TIMEOUT, "timed out"),
        (OSError("no number"), Reason.CONNECT_ERROR, "no number"),
    ],
)
def test_connections_that_are_not_opened_fail_in_the_words_of_the_system(
    error: OSError, reason: Reason, words: str
) -> None:
    """The first two as asyncio raises them."""
    failure = not_connected("192.0.2.1 port 443", error)
    assert (failure.reason, failure.detail.startswith("192.0.2.1 port 443: ")) == (reason, True)
    assert words in failure.detail


def test_a_closed_port_refuses() -> None:
    assert connect_failure(port=free_port()) is Reason.CONNECT_REFUSED


def test_a_port_whose_queue_is_full_times_out() -> None:
    with full_queue() as port:
        assert connect_failure(port=port) is Reason.CONNECT_TIMEOUT


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


def test_counts_every_byte_both_ways_also_those_that_nobody_reads() -> None:
    """What a server sends on and on costs the same whether we listen or not."""
    told = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(3000))
        await reader.readexactly(7000)
        writer.write(bytes(500))
        await writer.drain()
        told.set()
        await reader.read()

    async def run() -> Traffic:
        async with plain_server(handler) as port:
            dialer = Dialer(make_target(port), HostGate())
            for _ in range(2):
                told.clear()
                async with dialer.connect(max_bytes=10_000) as connection:
                    assert len(await connection.read()) == 3000
                    await connection.write(bytes(7000))
                    await told.wait()
            return dialer.traffic

    assert asyncio.run(run()) == Traffic(sent=14_000, received=7_000)


def test_what_the_system_never_took_was_not_sent() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a transport that reads as well
        await asyncio.Event().wait()

    async def run() -> Traffic:
        async with plain_server(handler) as port:
            dialer = Dialer(make_target(port, timeout_seconds=0.2), HostGate())
            async with dialer.connect(max_bytes=10) as connection:
                with pytest.raises(PeerSilentError):
                    await connection.write(bytes(50_000_000))
            return dialer.traffic

    traffic = asyncio.run(run())
    assert 0 < traffic.sent < 50_000_000


def test_what_is_written_to_a_connection_that_is_gone_was_not_sent() -> None:
    async def run() -> Traffic:
        async with plain_server(resetting) as port:
            dialer = Dialer(make_target(port), HostGate())
            async with dialer.connect(max_bytes=10) as connection:
                with pytest.raises(PeerResetError):
                    await connection.read()
                with contextlib.suppress(PeerResetError):
                    await connection.write(b"anybody?")
            return dialer.traffic

    assert asyncio.run(run()) == Traffic(sent=0, received=0)


def test_a_scan_counts_what_a_counter_between_us_and_the_server_counts() -> None:
    async def run() -> tuple[ScanResult, Counts]:
        async with scripted_server(Stack({0x0303: (0xC030, 0xC02F), 0x0304: (0x1301,)})) as seen:
            with counting_proxy(seen.port) as counts:
                target = make_target(counts.port, timeout_seconds=0.3)
                return await scan(target, make_environment()), counts

    result, counts = asyncio.run(run())
    assert result.connections == counts.connections > 5
    assert (result.bytes_sent, result.bytes_received) == (counts.to_server, counts.to_client)
