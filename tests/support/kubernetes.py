"""A scripted API server of Kubernetes, and what a source is tested with."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from exporter.config.kubernetes import KubernetesSource
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import TargetSource

RECORDED = Path(__file__).parent.parent / "targets" / "kubernetes"
LONG = 60.0
"""Seconds after which a test gives up."""


@dataclass(frozen=True)
class Answer:
    """What a server answers."""

    status: int
    body: bytes


def answer(status: int, content: object) -> Answer:
    """An answer with JSON."""
    return Answer(status, json.dumps(content).encode())


def recorded(name: str) -> Answer:
    """An answer of a real API server (`make kubernetes` records it)."""
    document = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return Answer(document["status"], document["body"].encode())


def recorded_lines(name: str) -> list[bytes]:
    """The lines of a recorded watch."""
    return [line + b"\n" for line in recorded(name).body.splitlines()]


@dataclass
class Request:
    """A request, and the connection that waits for its answer."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    writer: asyncio.StreamWriter
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def token(self) -> str:
        """Of its header Authorization."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    async def reply(self, answer: Answer) -> None:
        """Answer completely."""
        head = f"HTTP/1.1 {answer.status} Word\r\nContent-Type: application/json\r\nContent-Length: {len(answer.body)}"
        self.writer.write(head.encode() + b"\r\n\r\n" + answer.body)
        await self.writer.drain()
        self.done.set()

    async def accept(self) -> None:
        """Begin the answer to a watch."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        """A part of the answer to a watch."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def event(self, kind: str, thing: object) -> None:
        """An event of a watch."""
        await self.send(json.dumps({"type": kind, "object": thing}).encode() + b"\n")

    async def end(self) -> None:
        """End the answer to a watch."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        self.done.set()

    def cut(self) -> None:
        """Close the connection."""
        self.writer.close()
        self.done.set()


class ScriptedApiServer:
    """Gives each request to the test, which answers it.

    Attributes:
        url: of its root.
        requests: all so far.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self._waiting: asyncio.Queue[Request] = asyncio.Queue()

    async def next(self, *, watch: bool | None = None, plural: str = "") -> Request:
        """The next request; its kind is asserted."""
        request = await asyncio.wait_for(self._waiting.get(), LONG)
        if watch is not None:
            assert ("watch" in request.query) is watch, request
        assert request.path.endswith(plural), request.path
        return request

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                target = urlsplit(head[0].split()[1])
                lines = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): value for name, value in lines}
                request = Request(target.path, dict(parse_qsl(target.query)), headers, writer)
                self.requests.append(request)
                self._waiting.put_nowait(request)
                await request.done.wait()
        writer.close()


@asynccontextmanager
async def scripted(context: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedApiServer]:
    """The server, while the block runs."""
    api = ScriptedApiServer()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    api.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    try:
        yield api
    finally:
        server.close()
        for request in api.requests:
            request.cut()


class ListSink:
    """Keeps what a source finds.

    Attributes:
        lists: each list of groups.
        errors: each failure.
    """

    def __init__(self) -> None:
        self.lists: list[list[Group]] = []
        self.errors: list[DiscoveryError] = []
        self._changed = asyncio.Event()

    def found(self, groups: Sequence[Group]) -> None:
        """Keep the list."""
        self.lists.append(list(groups))
        self._changed.set()

    def failed(self, error: DiscoveryError) -> None:
        """Keep the error."""
        self.errors.append(error)
        self._changed.set()

    async def until(self, check: Callable[["ListSink"], object]) -> None:
        """Return when the condition is met."""
        async with asyncio.timeout(LONG):
            while not check(self):
                self._changed.clear()
                await self._changed.wait()

    @property
    def names(self) -> list[str]:
        """The sources of the newest groups."""
        return [group.source for group in self.lists[-1]]

    @property
    def targets(self) -> list[dict[str, str]]:
        """The newest targets."""
        return [labels for group in self.lists[-1] for labels in group.label_sets()]


@asynccontextmanager
async def running_source(source: TargetSource) -> AsyncIterator[ListSink]:
    """The sink of the source, which runs while the block runs. If the source ends, the block fails."""
    sink = ListSink()
    task = asyncio.create_task(source.run(sink))
    try:
        yield sink
        assert not task.done() or task.exception() is None
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def source_settings(role: str, **keys: Any) -> KubernetesSource:  # noqa: ANN401 - any key
    """An entry of `kubernetes_sd_configs`."""
    return KubernetesSource.model_validate({"role": role, **keys})


def ingress(name: str, *hosts: str, namespace: str = "shop", version: str = "1", **metadata: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An Ingress with TLS for these hosts."""
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": version, **metadata},
        "spec": {"tls": [{"hosts": list(hosts)}], "rules": [{"host": host} for host in hosts]},
    }


def listed(*things: dict[str, Any], version: str = "10", more: str = "") -> Answer:
    """A list of objects."""
    return answer(200, {"metadata": {"resourceVersion": version, "continue": more}, "items": list(things)})
