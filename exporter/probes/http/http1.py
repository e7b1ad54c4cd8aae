"""HTTP/1.1 by h11, and by `odd` where h11 refuses a response that clients read."""

import h11

from exporter.errors import ProbeError
from exporter.facts.http import HttpResponse, make_response
from exporter.model import Reason
from exporter.probes.http.line import MAX_BODY_BYTES, MAX_HEAD_BYTES, Stream, told_apart, unanswered
from exporter.probes.http.odd import Head, OddHeadError, read_head
from exporter.probes.http.question import Question

_FINAL = 200
"""RFC 9110, 15.2: lower statuses are interim responses."""
_SWITCHING = 101
"""After this status the server speaks another protocol."""
_MAX_ODD_INTERIM = 10
"""Maximum number of interim responses that h11 refuses. Servers send one or two; more are not accepted as a response.
"""
_VERSIONS = {b"1.0", b"1.1", b"2.0"}
"""Versions that h11 and curl accept. curl refuses HTTP/1.2; see `odd`."""
_UNFRAMED = {204, 304}
"""Statuses without a body (RFC 9112, 6.3)."""


def _written(client: h11.Connection, question: Question) -> bytes:
    """The bytes of the request. h11 writes no request with two Host fields, so the second is inserted afterwards."""
    first, *others = [("Host", question.host), *question.fields]
    second = b"".join(f"{name}: {value}\r\n".encode() for name, value in others if name == "host")
    headers = [first, *((name.title(), value) for name, value in others if name != "host")]
    if question.last:
        headers.append(("Connection", "close"))
    data = client.send(h11.Request(method="GET", target=question.path, headers=headers)) or b""
    data += client.send(h11.EndOfMessage()) or b""
    head, end = data[:-2], data[-2:]
    return head + second + end


class Http1:
    """One HTTP/1.1 connection."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._rest_is_short = True
        self._said = bytearray()

    async def ask(self, question: Question) -> HttpResponse:
        """As `Line.ask`; interim responses (1xx) are skipped."""
        with told_apart():
            await self._stream.write(_written(self._client, question))
            self._said = bytearray()
            for _ in range(_MAX_ODD_INTERIM + 1):
                try:
                    response = await self._response()
                except h11.RemoteProtocolError as error:
                    head = self._odd(error)
                    if head.status >= _FINAL:
                        return make_response(question.asked, head.status, head.fields)
                    self._pass_over(head, question)
                    continue
                self._rest_is_short = _rest_is_short(response)
                return make_response(question.asked, response.status_code, list(response.headers))
            raise ProbeError(Reason.HTTP_ERROR, "not an HTTP response: too many interim ones before it")

    async def _response(self) -> h11.Response:
        while True:
            event = await self._event()
            if not isinstance(event, h11.Response | h11.InformationalResponse):
                raise unanswered()
            if event.http_version not in _VERSIONS:
                raise ProbeError(Reason.HTTP_ERROR, "not an HTTP response: not all clients read its version")
            if isinstance(event, h11.Response):
                return event
            self._said = bytearray(self._client.trailing_data[0])

    def _pass_over(self, interim: Head, question: Question) -> None:
        """Skip an interim response that h11 refuses. The old h11 connection is in an error state, so use a new one."""
        del self._said[: interim.size]
        self._client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        _written(self._client, question)
        if self._said:  # no bytes would mean the end
            self._client.receive_data(bytes(self._said))

    def _odd(self, error: h11.RemoteProtocolError) -> Head:
        """The head of a response that h11 refuses. If it is the final response, this connection is not used again.

        Raises:
            RemoteProtocolError: the error of h11, where there is no head of a response.
            ProbeError: it is not known how clients read it.
        """
        self._rest_is_short = False
        try:
            head = read_head(bytes(self._said))
        except OddHeadError as odd:
            raise ProbeError(Reason.HTTP_ERROR, f"not an HTTP response: {odd}") from error
        if head is None or head.status == _SWITCHING:
            raise error
        return head

    async def ready(self) -> bool:
        """As `Line.ready`: reads the body if it is short and its end is known.

        Bytes after the body answer no request. It would not be known which request later responses answer.
        """
        if self._client.our_state is h11.IDLE:
            return True
        if not self._rest_is_short:
            return False
        try:
            with told_apart():
                if not await self._skip_body() or self._client.trailing_data[0]:
                    return False
                self._client.start_next_cycle()
        except (ProbeError, h11.LocalProtocolError):  # the latter: one of the two closes
            return False
        return True

    async def _skip_body(self) -> bool:
        size = 0
        while size <= MAX_BODY_BYTES:
            event = await self._event()
            if not isinstance(event, h11.Data):
                return isinstance(event, h11.EndOfMessage)
            size += len(event.data)
        return False

    async def _event(self) -> h11.Event | None:
        """The next event; None after the end of a message."""
        while True:
            event = self._client.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            data = await self._stream.read()
            if self._client.their_state is h11.SEND_RESPONSE:
                self._said += data
                if not self._said:
                    raise unanswered()
            self._client.receive_data(data)


def _rest_is_short(response: h11.Response) -> bool:
    lengths = [int(value) for name, value in response.headers if name == b"content-length"]
    framed = bool(lengths) or response.status_code in _UNFRAMED
    chunked = any(name == b"transfer-encoding" for name, _ in response.headers)
    return chunked or (framed and sum(lengths) <= MAX_BODY_BYTES)
