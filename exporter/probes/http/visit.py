"""Asks questions over TLS on as few connections as the server allows."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.http import Asked, HttpResponse
from exporter.model import Facts, Reason
from exporter.net.dial import Dialer
from exporter.net.openssl import ClientOffer
from exporter.net.primes import offers_finite_fields
from exporter.net.tls import tls_session
from exporter.probes.http.http1 import Http1
from exporter.probes.http.http2 import Http2
from exporter.probes.http.line import Line
from exporter.probes.http.question import Question

_HTTP1, _HTTP2 = b"http/1.1", b"h2"
"""RFC 7301, 6; RFC 9113, 3.2."""
_NOT_THAT = "no application protocol"
"""OpenSSL's name of the alert of a server that wants another protocol (RFC 7301, 3.2)."""


class Visit:
    """One visit to a server, with a connection that is kept while the server keeps it.

    HTTP/2 is offered only to a server that has nothing else. HTTP/1.1 shows more, because its malformed request is
    answered.
    """

    def __init__(self, dialer: Dialer, known: Facts) -> None:
        self._dialer = dialer
        self._held = AsyncExitStack()
        self._line: Line | None = None
        self._finite_fields = offers_finite_fields(known)
        handshake = known.get(HandshakeFacts)
        offered = handshake.alpn if handshake else None
        only_2 = offered is not None and "h2" in offered.names and "http/1.1" not in offered.names
        self._protocol = _HTTP2 if only_2 and offered is not None and offered.complete else _HTTP1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._held.aclose()

    async def ask(self, question: Question) -> HttpResponse:
        """Ask, on a new connection if necessary.

        Raises:
            ProbeError: the connection or the handshake failed, or as for `Line.ask`.
        """
        if self._line is None or not await self._line.ready():
            return await (await self._connect()).ask(question)
        try:
            return await self._line.ask(question)
        except ProbeError as error:
            # A server may close between two requests without notice (RFC 9112, 9.3.1). If it closes after a malformed
            # request, that is its answer.
            if error.reason is not Reason.HTTP_ERROR or question.asked is Asked.MALFORMED:
                raise
        return await (await self._connect()).ask(question)

    async def _connect(self) -> Line:
        self._line = None
        await self._held.aclose()
        offer = ClientOffer(alpn=(self._protocol,), finite_fields=self._finite_fields)
        tls = await self._held.enter_async_context(tls_session(self._dialer, offer))
        try:
            await tls.handshake()
        except ProbeError as error:
            if self._protocol == _HTTP2 or _NOT_THAT not in error.detail:
                raise
            self._protocol = _HTTP2
            return await self._connect()
        self._line = Http2(tls) if tls.application == _HTTP2 else Http1(tls)
        return self._line
