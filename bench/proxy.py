"""A TCP proxy on loopback that adds a given delay to every round trip."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 65536
CHUNKS_ON_THE_WAY = 64
"""Most delayed chunks in one direction of a connection. The sender waits if there are more."""
STOP_SECONDS = 5

Line = asyncio.Queue[tuple[float, bytes]]
"""One direction: the time when each chunk is due, and its bytes. Empty bytes end it."""


@dataclass
class _Distance:
    """The state of the proxy; `seconds` is the delay of a round trip, `place` where it listens."""

    upstream: int
    seconds: float
    place: tuple[str, int]
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection.

        The client is connected at once. So its first bytes are also delayed by the round trip of the connect.
        """
        self.open.add(writer)
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
            self.open.add(back)
            half = self.seconds / 2
            await asyncio.gather(self._carry(reader, back, half, self.seconds), self._carry(there, writer, half, 0))
            await self._let_go(back)
        await self._let_go(writer)

    async def _let_go(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open.discard(writer)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, late: float, first: float) -> None:
        line: Line = asyncio.Queue(CHUNKS_ON_THE_WAY)
        await asyncio.gather(self._take(source, line, late, first), self._give(line, sink))

    @staticmethod
    async def _take(source: asyncio.StreamReader, line: Line, late: float, first: float) -> None:
        now = asyncio.get_running_loop().time
        data = b"."
        while data:
            try:
                data = await source.read(CHUNK)
            except OSError:
                data = b""
            await line.put((now() + late + first, data))
            first = 0

    @staticmethod
    async def _give(line: Line, sink: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, data = await line.get()
            await asyncio.sleep(due - now())
            if not data:
                break
            with suppress(OSError):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def run(self, stop: asyncio.Event, ready: "asyncio.Future[int]") -> None:
        """Serve until `stop` is set."""
        server = await asyncio.start_server(self.serve, *self.place)
        ready.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        for writer in self.open:
            writer.transport.abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=STOP_SECONDS)


@contextmanager
def delaying_proxy(upstream: int, seconds: float, place: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[int]:
    """A proxy to this port of 127.0.0.1, in its own thread; yields its port.

    Args:
        upstream: port of the server.
        seconds: delay of every round trip, including that of the TCP connect. The bandwidth is not limited.
        place: where it listens.
    """
    loop, distance = asyncio.new_event_loop(), _Distance(upstream, seconds, place)
    stop, bound = asyncio.Event(), threading.Event()
    ready: asyncio.Future[int] = loop.create_future()
    ready.add_done_callback(lambda _: bound.set())

    def work() -> None:
        loop.run_until_complete(distance.run(stop, ready))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    if not bound.wait(STOP_SECONDS):
        raise TimeoutError("the proxy does not start")
    try:
        yield ready.result()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(2 * STOP_SECONDS)
