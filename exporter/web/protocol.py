"""One web connection: uvicorn's HTTP/1.1 with limits of time and bytes that uvicorn does not have."""

import http
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporter.web.access import AUTHENTICATED, Tls
from exporter.web.connections import Connections, Cut

_TLS_BUFFER_BYTES = 65536
"""As for connections without TLS. asyncio's own limit is 512 KiB for each client that reads slowly."""


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 whose clients cannot hold it for ever.

    uvicorn's own timer applies between two requests. The limits here apply to the rest. They are compared with the time
    by `overdue`, which is called regularly, since a timer for each read would cost more.

    Attributes:
        network, quiet_since: see `WebConnection`.
        tls: how the connection is opened; None without TLS.
        give_up: ends a TLS handshake; it is called instead of `abort` while there is no connection yet.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        connections: Connections,
        network: str,
    ) -> None:
        super().__init__(config, server_state, app_state)
        now = self.loop.time()
        self.network = network
        self.quiet_since = now
        self._counted, self._limits = connections, connections.limits
        self._between = False  # two requests, where uvicorn's timer applies
        self._request_by = now + self._limits.request_seconds
        self._response_by = now
        self._unsent = 0
        self._body_bytes = 0
        self._current: object = None
        self._is_open = self._is_cut = False
        self.tls: Tls | None = None
        self.give_up: Callable[[], object] = lambda: None

    @property
    def responding(self) -> bool:
        """See `WebConnection`. What the system has not accepted yet belongs to the response."""
        return self._in_app or (self._is_open and self.transport.get_write_buffer_size() > 0)

    @property
    def _in_app(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def overdue(self, now: float) -> Cut | None:
        """See `WebConnection`."""
        if self.responding:
            return Cut.RESPONSE_TIMEOUT if self._is_stalled(now) or now > self._response_by else self._late(now)
        return None if self._between else self._late(now, waits=True)

    def _late(self, now: float, *, waits: bool = False) -> Cut | None:
        """Whether the rest of the request takes too long; a response may begin before the end of a body."""
        missing = waits or self.conn.their_state is h11.SEND_BODY
        return Cut.REQUEST_TIMEOUT if missing and now > self._request_by else None

    def _is_stalled(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent or not unsent:
            self._unsent, self.quiet_since = unsent, now
        return now - self.quiet_since > self._limits.stall_seconds

    def cut(self) -> None:
        """See `WebConnection`."""
        self._is_cut = True
        if self._is_open:
            self.transport.abort()
        else:
            self.give_up()

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as asyncio.Protocol has it
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._is_open = True
        if self.tls is not None:
            self._check_client(self.tls, transport)
        if self._is_cut:
            transport.abort()

    def _check_client(self, tls: Tls, transport: Any) -> None:  # noqa: ANN401 - as `connection_made`
        """Cut off a client whose certificate has another name; Python's ssl cannot refuse it in the handshake."""
        transport.set_write_buffer_limits(_TLS_BUFFER_BYTES)
        self._is_cut = self._is_cut or not tls.admits(transport.get_extra_info("ssl_object").getpeercert(True))
        self.app_state[AUTHENTICATED] = tls.requires_client

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._counted.remove(self)
        self._unset_keepalive_if_required()  # uvicorn keeps its timer, and this object, after a reset
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`: the client has read most of what was written."""
        self.quiet_since = self.loop.time()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._is_cut:
            return
        if self._between:
            self._between = False
            self._request_by = self.loop.time() + self._limits.request_seconds
        for start in range(0, len(data), self._limits.head_bytes):
            # h11 compares the length of a head with its limit only while the end of the head has not arrived.
            self._take(data[start : start + self._limits.head_bytes])
            if self.transport.is_closing():
                return

    def _take(self, data: bytes) -> None:
        in_body = self.conn.their_state is h11.SEND_BODY
        super().data_received(data)
        self._note_request()
        if in_body or self.conn.their_state is h11.SEND_BODY:
            self._body_bytes += len(data)
            if self._body_bytes > self._limits.body_bytes:
                self._refuse_body()

    def _note_request(self) -> None:
        """Start the limits of a response if a request has begun."""
        if self.cycle is not self._current:
            self._current, self._body_bytes = self.cycle, 0
            now = self.loop.time()
            self.quiet_since, self._response_by = now, now + self._limits.response_seconds

    def _refuse_body(self) -> None:
        self._counted.note(Cut.REQUEST_TOO_LARGE)
        if self._in_app and not self.cycle.response_started:
            self.cycle.disconnected = True  # what the application still sends is dropped
            self._is_cut = True
            self._answer(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.\n")
        else:
            self.cut()

    def on_response_complete(self) -> None:
        """Wait for the next request, or begin with one that has arrived."""
        now = self.loop.time()
        self.quiet_since = now
        self._between = self.conn.their_state is not h11.SEND_BODY  # the rest of a body has the limit of its request
        if self._between:
            self._request_by = now + self._limits.request_seconds
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # the next request has begun
            self._between = False
        self._note_request()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, with the same fields as every response."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._answer(http.HTTPStatus.BAD_REQUEST, f"{msg}\n")
        else:
            self.cut()  # in the middle of a response

    def _answer(self, status: http.HTTPStatus, text: str) -> None:
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
        ]
        events = (
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=text.encode()),
            h11.EndOfMessage(),
        )
        self.transport.write(b"".join(self.conn.send(event) for event in events))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: clients decide how often they ask for another protocol."""
