"""HTTP/2 by the library h2, for servers that have nothing else."""

import re
from collections.abc import Sequence
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from exporter.errors import ProbeError
from exporter.facts.http import HttpResponse, make_response
from exporter.model import Reason
from exporter.probes.http.line import Stream, told_apart, unanswered
from exporter.probes.http.question import Question

_CONFIG = h2.config.H2Configuration(
    client_side=True, header_encoding=None, validate_inbound_headers=False, validate_outbound_headers=False
)
"""h2 does not validate what we send, because one request is malformed on purpose. It does not validate responses
either: it refuses blanks around a value, which clients read, and accepts names and values that they refuse; see
`_must_be_readable`."""
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_OF_CONNECTIONS = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""RFC 9113, 8.2.1 and 8.2.2."""
_BLANKS = b" \t"
_FRAME_HEAD, _GOAWAY = 9, 7
_MAX_FRAME = 16384
"""RFC 9113, 4.1, 4.2 and 6.8."""


class Http2:
    """One HTTP/2 connection. Each question is a stream of its own, which is reset once its head is there."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._client = h2.connection.H2Connection(config=_CONFIG)
        self._client.initiate_connection()
        self._open = True
        self._unread = b""
        self._last_stream: int | None = None

    async def ask(self, question: Question) -> HttpResponse:
        """As `Line.ask`; interim responses (1xx) are skipped."""
        number = self._client.get_next_available_stream_id()
        try:
            with told_apart():
                self._client.send_headers(number, _head(question), end_stream=True)
                await self._flush()
                return await self._answer(number, question)
        except ProbeError:
            self._open = False
            raise

    async def ready(self) -> bool:
        """As `Line.ready`."""
        return self._open

    async def _answer(self, number: int, question: Question) -> HttpResponse:
        while data := await self._stream.read():
            response: HttpResponse | None = None
            for event in self._client.receive_data(self._without_goodbye(data)):
                if isinstance(event, h2.events.ResponseReceived) and event.stream_id == number:
                    response = _read(question, event.headers)
                elif isinstance(event, h2.events.StreamReset) and event.stream_id == number and response is None:
                    raise ProbeError(Reason.HTTP_ERROR, "the server gave up the stream without a response")
            if response is not None:
                await self._give_up(number)
                return response
            if self._last_stream is not None and self._last_stream < number:
                raise unanswered()  # and never will be (RFC 9113, 6.8)
            await self._flush()
        raise unanswered()

    def _without_goodbye(self, data: bytes) -> bytes:
        """The complete frames among these bytes except GOAWAY, after which h2 accepts no response.

        A server may send it before it answers earlier requests (RFC 9113, 6.8), and nginx does.
        """
        self._unread += data
        kept = b""
        while len(self._unread) >= _FRAME_HEAD:
            size = int.from_bytes(self._unread[:3], "big")
            whole = _FRAME_HEAD + size
            if size <= _MAX_FRAME and len(self._unread) < whole:
                break
            frame, self._unread = self._unread[:whole], self._unread[whole:]
            if frame[3] == _GOAWAY and size <= _MAX_FRAME:
                self._open = False
                self._last_stream = int.from_bytes(frame[_FRAME_HEAD : _FRAME_HEAD + 4], "big") & 0x7FFFFFFF
            else:
                kept += frame
        return kept

    async def _give_up(self, number: int) -> None:
        """Reset the stream: the rest of the response is not needed."""
        with suppress(h2.exceptions.ProtocolError):  # the connection is over anyway
            self._client.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        await self._flush()

    async def _flush(self) -> None:
        data = self._client.data_to_send()
        if data:
            await self._stream.write(data)


def _head(question: Question) -> list[tuple[str, str]]:
    """The fields of the request (RFC 9113, 8.3.1)."""
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", question.host), (":path", question.path)]
    return [*pseudo, *question.fields]


def _read(question: Question, head: Sequence[tuple[bytes, bytes]]) -> HttpResponse:
    (name, status), fields = head[0] if head else (b"", b""), head[1:]
    if name != b":status" or not re.fullmatch(rb"[2-9][0-9]{2}", status):
        raise ProbeError(Reason.HTTP_ERROR, "not an HTTP response: its status is not a number")
    _must_be_readable(fields)
    return make_response(question.asked, int(status), [(name, value.strip(_BLANKS)) for name, value in fields])


def _must_be_readable(fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Check that all clients accept the response; `tests/probes/http/test_http2_fields.py` has the measurements.

    Raises:
        ProbeError: curl or Chromium refuses it.
    """
    for name, value in fields:
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise ProbeError(Reason.HTTP_ERROR, "not an HTTP response: a field that clients refuse")
        if name in _OF_CONNECTIONS or (name == b"te" and value != b"trailers"):
            raise ProbeError(Reason.HTTP_ERROR, f"not an HTTP response: some clients refuse {name.decode()} in HTTP/2")
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) > 1 or not all(map(bytes.isdigit, lengths)):
        raise ProbeError(Reason.HTTP_ERROR, "not an HTTP response: some clients refuse its Content-Length")
