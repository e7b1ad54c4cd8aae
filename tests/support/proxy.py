"""A TCP proxy on loopback that counts: connections, connections at once, bytes each way."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.support.established import count_established


@dataclass
class Counts:
    """Counts of the traffic; read them after its end."""

    port: int = 0
    connections: int = 0
    most_at_once: int = 0
    to_server: int = 0
    to_client: int = 0


class _Proxy:
    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.counts = Counts()
        self.clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts = self.counts
        counts.connections += 1
        self.clients.add(writer)
        counts.most_at_once = max(counts.most_at_once, count_established(self.clients))
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.close()
            self.clients.discard(writer)
            return
        await asyncio.gather(self._pump(reader, back, up=True), self._pump(there, writer, up=False))
        self.clients.discard(writer)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if up:
                    self.counts.to_server += len(data)
                else:
                    self.counts.to_client += len(data)
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.close()


@contextmanager
def counting_proxy(upstream: int) -> Iterator[Counts]:
    """A proxy to this port of 127.0.0.1, in its own thread."""
    proxy = _Proxy(upstream)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.counts.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def work() -> None:
        loop.run_until_complete(run())
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield proxy.counts
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
