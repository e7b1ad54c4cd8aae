"""Hosts with several addresses: names that resolve as a test sets them, and one port on several loopback addresses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason


class Names:
    """A resolver with the same answer for every name, which the test can change.

    Attributes:
        answer: addresses, or why there are none.
        asked: names and protocols of all lookups.
    """

    def __init__(self, *addresses: str) -> None:
        self.answer: tuple[str, ...] | Reason = addresses
        self.asked: list[tuple[str, IpProtocol]] = []

    async def __call__(self, host: str, _port: int, protocol: IpProtocol) -> tuple[str, ...]:
        self.asked.append((host, protocol))
        if isinstance(self.answer, Reason):
            raise ProbeError(self.answer, f"{host}: as the test says")
        return self.answer


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def shared_port(upstreams: Mapping[str, int]) -> AsyncIterator[int]:
    """One port that forwards to ports of 127.0.0.1, chosen by the address of the connection; yields the port."""
    passing: set[asyncio.Task[None]] = set()
    clients: set[asyncio.StreamWriter] = set()

    async def lead(upstream: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", upstream)
        try:
            await asyncio.gather(_pass_on(reader, there_writer), _pass_on(there_reader, writer))
        finally:
            for one in (writer, there_writer):
                one.transport.abort()
                with suppress(OSError):
                    await one.wait_closed()

    def leading(upstream: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            clients.add(writer)
            passing.add(asyncio.create_task(lead(upstream, reader, writer)))

        return serve

    async with AsyncExitStack() as servers:
        port = 0
        for address, upstream in upstreams.items():
            server = await asyncio.start_server(leading(upstream), address, port)
            servers.callback(server.close)
            port = server.sockets[0].getsockname()[1]
        yield port
    for writer in clients:
        writer.transport.abort()
    if passing:
        await asyncio.wait(passing)
