"""Clients that hold connections: each attack over real sockets, and what must go on meanwhile."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from exporter.metrics import text_page
from exporter.web import Cut, Sources, Watch, WebLimits, make_app, serving
from tests.web.client import ask_on, read_answer, request

LARGE = b"metric 1\n" * 2_000_000
"""More than the buffers of both systems."""
SHORT = WebLimits(request_seconds=0.3, stall_seconds=0.3, response_seconds=600)
WAIT_SECONDS = 60


class Seen:
    """What the server said of its connections."""

    def __init__(self) -> None:
        self.port = 0
        self.open = 0
        self.cut: Counter[Cut] = Counter()


@asynccontextmanager
async def server(limits: WebLimits, body: bytes = b"metric 1\n") -> AsyncIterator[Seen]:
    seen = Seen()

    def opened(count: int) -> None:
        seen.open = count

    sources = Sources(metrics=lambda _: partial(text_page, body, "text/plain"), ready=lambda: True)
    watch = Watch(opened, lambda reason: seen.cut.update([reason]))
    async with serving(make_app(sources), [("127.0.0.1", 0)], limits=limits, watch=watch) as [(_, port)]:
        seen.port = port
        yield seen


Send = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def until_cut(seen: Seen, send: Send) -> bytes:
    """Connect, send, and read until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", seen.port)
    sending = asyncio.create_task(send(writer))
    data = b""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while more := await reader.read(65536):
                data += more
    except ConnectionError:
        return data
    finally:
        sending.cancel()
        await asyncio.wait({sending})
        writer.close()
    return data


async def nothing(_writer: asyncio.StreamWriter) -> None:
    return


async def dripping_head(writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 10_000)


async def dripping_body(writer: asyncio.StreamWriter) -> None:
    writer.write(request("/-/healthy", "Content-Length: 10000"))
    await drip(writer, bytes(10_000))


async def half_a_body_after_which_there_is_a_response(writer: asyncio.StreamWriter) -> None:
    writer.write(request("/-/healthy", "Content-Length: 10000") + bytes(5000))


async def half_a_second_head(writer: asyncio.StreamWriter) -> None:
    writer.write(request("/-/healthy") + b"GET / HTT")


async def dripping_second_head(writer: asyncio.StreamWriter) -> None:
    writer.write(request("/-/healthy"))
    await drip(writer, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 10_000)


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


UNFINISHED = (
    nothing,
    dripping_head,
    dripping_body,
    dripping_second_head,
    half_a_body_after_which_there_is_a_response,
    half_a_second_head,
)


@pytest.mark.parametrize("send", UNFINISHED)
def test_a_request_that_does_not_end_is_cut_off(send: Send) -> None:
    async def run() -> None:
        async with server(SHORT) as seen:
            await until_cut(seen, send)
            assert seen.cut == {Cut.REQUEST_TIMEOUT: 1}
            assert seen.open == 0

    asyncio.run(run())


def slow_reader(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    client.sendall(request("/metrics"))
    return client


@pytest.mark.parametrize("close", [True, False])
def test_a_client_that_reads_nothing_is_cut_off(close: bool) -> None:
    async def run() -> None:
        async with server(SHORT, LARGE) as seen:
            with slow_reader(seen.port) if not close else socket.create_connection(("127.0.0.1", seen.port)) as client:
                if close:
                    client.sendall(request("/metrics", "Connection: close"))
                async with asyncio.timeout(WAIT_SECONDS):
                    while not seen.cut:
                        await asyncio.sleep(0.05)
            assert seen.cut == {Cut.RESPONSE_TIMEOUT: 1}
            assert seen.open == 0

    asyncio.run(run())


def test_a_client_that_reads_a_little_at_a_time_is_cut_off_too() -> None:
    async def run() -> None:
        async with server(replace(SHORT, stall_seconds=600, response_seconds=0.5), LARGE) as seen:
            loop = asyncio.get_running_loop()
            with slow_reader(seen.port) as client:
                async with asyncio.timeout(WAIT_SECONDS):
                    while not seen.cut:
                        await loop.sock_recv(client, 1)
                        await asyncio.sleep(0.02)
            assert seen.cut == {Cut.RESPONSE_TIMEOUT: 1}

    asyncio.run(run())


def test_a_client_that_reads_gets_all_of_a_large_page() -> None:
    async def run() -> None:
        async with server(WebLimits(), LARGE) as seen:
            plain, packed = await asyncio.gather(
                ask_on(seen.port, "/metrics"), ask_on(seen.port, "/metrics", "Accept-Encoding: gzip")
            )
            assert plain.body == LARGE
            assert packed.all("content-encoding") == ["gzip"]
            assert not seen.cut

    asyncio.run(run())


def test_a_body_that_is_too_long_is_refused() -> None:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(request("/-/healthy", "Content-Length: 100000000", method="POST"))
        for _ in range(1000):
            writer.write(bytes(10_000))
            await writer.drain()

    async def run() -> None:
        async with server(WebLimits()) as seen:
            await until_cut(seen, send)
            assert seen.cut == {Cut.REQUEST_TOO_LARGE: 1}

    asyncio.run(run())


def test_a_head_that_is_too_long_is_refused() -> None:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(request("/", "X-Long: " + "x" * 100_000))

    async def run() -> None:
        async with server(WebLimits()) as seen:
            answer = await until_cut(seen, send)
            assert answer.startswith(b"HTTP/1.1 400 ")

    asyncio.run(run())


def test_a_connection_is_kept_between_requests_and_closed_when_it_is_idle() -> None:
    async def run() -> None:
        async with server(WebLimits(request_seconds=0.1, idle_seconds=2.0)) as seen:
            reader, writer = await asyncio.open_connection("127.0.0.1", seen.port)
            for _ in range(3):
                writer.write(request("/-/healthy"))
                assert (await read_answer(reader)).status == 200
                await asyncio.sleep(0.3)  # longer than a request may take
            async with asyncio.timeout(WAIT_SECONDS):
                assert await reader.read() == b""
            writer.close()
            assert not seen.cut, "an idle connection is no trouble"

    asyncio.run(run())


def test_requests_in_a_row_are_answered_in_order() -> None:
    async def run() -> None:
        async with server(WebLimits()) as seen:
            reader, writer = await asyncio.open_connection("127.0.0.1", seen.port)
            writer.write(request("/-/healthy") * 20 + request("/nothing"))
            assert [(await read_answer(reader)).status for _ in range(21)] == [200] * 20 + [404]
            writer.close()

    asyncio.run(run())


def test_many_connections_of_one_address_do_not_keep_another_one_out() -> None:
    async def run() -> None:
        limits = WebLimits(connections=40, per_address=30)
        async with server(limits) as seen:
            hogs = [
                await asyncio.open_connection("127.0.0.1", seen.port, local_addr=(f"127.0.3.{number % 2 + 1}", 0))
                for number in range(200)
            ]
            async with asyncio.timeout(WAIT_SECONDS):
                assert (await ask_on(seen.port, "/metrics", source="127.0.4.1")).status == 200
            assert seen.open <= limits.connections
            assert seen.cut.keys() == {Cut.EVICTED}
            for _, writer in hogs:
                writer.close()

    asyncio.run(run())


def test_listening_sockets_that_exist_already_are_served() -> None:
    async def run() -> None:
        sources = Sources(metrics=lambda _: partial(text_page, b"", "text/plain"), ready=lambda: True)
        ready = socket.create_server(("127.0.0.1", 0))
        async with serving(make_app(sources), [("127.0.0.1", 0)], sockets=[ready]) as bound:
            assert len(bound) == 2
            assert [(await ask_on(port, "/-/healthy")).status for _, port in bound] == [200, 200]

    asyncio.run(run())
