"""The HTTP server: binds addresses, accepts connections within limits, and stops."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from exporter.errors import ExporterError
from exporter.text import escaped
from exporter.threads import NAMES
from exporter.web.accepting import Acceptor
from exporter.web.access import NETWORK, Access, Guard, Tls
from exporter.web.connections import Connections, Watch, network_of
from exporter.web.limits import WebLimits
from exporter.web.opening import open_with_tls
from exporter.web.protocol import LimitedProtocol

log = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the system holds until they are accepted. After a burst that is longer, new clients have to wait a
second until they send another SYN."""
_SWEEP_TICKS = 5
"""How often connections that are overdue are looked for, in ticks of uvicorn, of which a second has ten."""


class _WebServer(uvicorn.Server):
    """uvicorn with our limits, and without its own signal handling: the program stops everything in one place."""

    def __init__(self, config: uvicorn.Config, connections: Connections, access: Access | None) -> None:
        super().__init__(config)
        self._connections, self._access = connections, access
        self._opening: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections on these sockets, which listen already."""
        await self.lifespan.startup()
        acceptors = [Acceptor(listener, self._welcome) for listener in sockets or []]
        self.servers = cast("list[asyncio.base_events.Server]", acceptors)
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """See `uvicorn.Server`; it is called ten times a second."""
        if counter % _SWEEP_TICKS == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _welcome(self, connection: socket.socket, peer: object) -> None:
        network = network_of(peer)
        if not self._connections.admit(network):
            connection.close()
            return
        state = {**self.lifespan.state, NETWORK: network}
        protocol = LimitedProtocol(self.config, self.server_state, state, self._connections, network)
        self._connections.add(protocol)
        task = asyncio.create_task(self._open(connection, protocol))
        if self._access is not None and self._access.config.tls is not None:
            protocol.give_up = task.cancel
        self._opening.add(task)
        task.add_done_callback(partial(self._opened, connection, protocol))

    async def _open(self, connection: socket.socket, protocol: LimitedProtocol) -> None:
        if self._access is None or self._access.config.tls is None:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        else:
            stall = self._connections.limits.stall_seconds
            await open_with_tls(connection, protocol, partial(_current_tls, self._access), stall)

    def _opened(self, connection: socket.socket, protocol: LimitedProtocol, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._connections.remove(protocol)
            connection.close()
        if isinstance(error, OSError):  # it has ended already, or the handshake failed
            log.debug("a web connection of %s was not opened: %s", protocol.network, escaped(str(error)))
        elif error is not None:
            log.error("a web connection was not opened", exc_info=error)


async def _current_tls(access: Access) -> Tls:
    await access.renew()
    return cast("Tls", access.config.tls)  # whether there is TLS does not change while the server runs


@asynccontextmanager
async def serving(  # noqa: PLR0913 - most have a default
    app: Starlette,
    addresses: Sequence[tuple[str, int]],
    *,
    sockets: Sequence[socket.socket] = (),
    limits: WebLimits | None = None,
    watch: Watch | None = None,
    access: Access | None = None,
) -> AsyncIterator[list[tuple[str, int]]]:
    """Serve the application on every address while the block runs; yields the bound addresses (port 0 resolved).

    `sockets` listen already; they are served too, and closed at the end. With `access`, its web configuration says who
    may ask, and whether all addresses speak TLS.

    Raises:
        ExporterError: an address cannot be bound.
    """
    listeners = [*sockets, *await _bind_all(addresses)]
    limits = limits or WebLimits()
    connections = Connections(limits, watch or Watch())
    guarded: ASGIApp = app if access is None else Guard(app, access)
    config = uvicorn.Config(
        guarded,
        http="h11",
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
        loop="none",
        server_header=False,
        proxy_headers=False,  # anybody on this machine can send them, and nothing needs the address of the client
        headers=[("X-Content-Type-Options", "nosniff")],
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_keep_alive=cast("int", limits.idle_seconds),  # which uvicorn gives to call_later
    )
    server = _WebServer(config, connections, access)
    task = asyncio.create_task(server.serve(sockets=listeners), name="web")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield [cast("tuple[str, int]", s.getsockname()[:2]) for s in listeners]
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=4)
        connections.close()
        for bound in listeners:
            bound.close()


async def _bind_all(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    for host, port in addresses:
        try:
            listeners.append(await _bind(host, port))
        except OSError as error:
            for bound in listeners:
                bound.close()
            raise ExporterError(f"cannot listen on {host or '*'}:{port}: {error.strerror or error}") from error
    return listeners


async def _bind(host: str, port: int) -> socket.socket:
    if not host:
        try:
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
        except (OSError, ValueError):
            return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - `:port` means every address
    found = await NAMES.run(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM), host)
    family, *_, address = found[0]  # that of IPv6 has the interface of a link-local address
    return socket.create_server(cast("tuple[str, int]", address), family=family, backlog=BACKLOG)
