"""A client of HTTP/1.1 for tests, on the event loop of the server."""

import asyncio
from dataclasses import dataclass

HOST = "test"
"""The field Host of requests."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the names of its fields are in lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for one, value in self.fields if one == name]


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer:
    """The next response of a connection."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = next((int(value) for name, value in fields if name == "content-length"), 0)
    return Answer(int(first.split(" ")[1]), fields, await reader.readexactly(length) if has_body else b"")


def request(path: str, *fields: str, method: str = "GET") -> bytes:
    """A request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]).encode()


async def ask_on(port: int, path: str, *fields: str, method: str = "GET", source: str = "127.0.0.1") -> Answer:
    """The response on a connection of its own, from this loopback address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        writer.write(request(path, *fields, method=method))
        return await read_answer(reader, has_body=method != "HEAD")
    finally:
        writer.close()
