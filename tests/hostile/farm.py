"""Run as a program: the hostile servers, each on an address of its own. Arguments: a folder, `names` or `servers`.

When all of them listen, it writes where into a file in that folder, and serves until it is ended.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.behaviour import Behaviour, Handler, Peer
from tests.hostile.material import Material
from tests.hostile.names import serve_names
from tests.hostile.registry import BEHAVIOURS

BACKLOG = 256
SESSION_THREADS = 64
NAME_SERVER = "127.9.255.1"


def address(number: int) -> str:
    """An address of loopback that no other server has."""
    return f"127.9.{number // 250}.{number % 250 + 1}"


def _listen(host: str, backlog: int = BACKLOG) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, 0))
    server.listen(backlog)
    return server


class Farm:
    """The servers of some behaviours; `ports` has the port of each."""

    def __init__(self, material: Material) -> None:
        self.ports: dict[str, int] = {}
        self._material = material
        self._kept: list[object] = []

    async def open(self, behaviour: Behaviour, host: str) -> None:
        """Start one server."""
        if behaviour.serve is None:
            self.ports[behaviour.name] = await self._fill_backlog(host)
            return
        listening = _listen(host)
        self.ports[behaviour.name] = listening.getsockname()[1]
        self._kept.append(await asyncio.start_server(self._accepting(behaviour.serve), sock=listening))

    def _accepting(self, serve: Handler) -> "_Accept":
        return _Accept(serve, self._material)

    async def _fill_backlog(self, host: str) -> int:
        """A port whose queue of connections is full, so that the system drops what comes."""
        listening = _listen(host, 0)
        port: int = listening.getsockname()[1]
        self._kept.append(listening)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((host, port))
            self._kept.append(waiting)
        return port


class _Accept:
    """Runs a behaviour on each connection, and ends the connection after it."""

    def __init__(self, serve: Handler, material: Material) -> None:
        self._serve, self._material, self._number = serve, material, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._number += 1
        try:
            await self._serve(Peer(reader, writer, self._number, self._material))
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # the client is gone, or sent something else
        finally:
            writer.close()


async def _run(folder: Path, behaviours: Sequence[Behaviour] | None) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(SESSION_THREADS))
    asyncio.get_running_loop().set_exception_handler(_ignore)
    if behaviours is None:
        _write(folder / "names.json", {"port": await serve_names(NAME_SERVER)})
    else:
        farm = Farm(Material.of(folder))
        for number, behaviour in enumerate(behaviours):
            await farm.open(behaviour, address(number))
        _write(folder / "servers.json", farm.ports)
    await asyncio.Event().wait()


def _ignore(_loop: asyncio.AbstractEventLoop, _context: object) -> None:
    """Clients break off all the time."""


def _write(file: Path, ports: dict[str, int]) -> None:
    """Write in one step, so that no one reads a part."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(ports))
    part.rename(file)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(_run(Path(sys.argv[1]), None if sys.argv[2] == "names" else BEHAVIOURS))
