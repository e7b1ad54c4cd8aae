"""HTTP CONNECT (RFC 9110, 9.3.6)."""

from base64 import b64encode
from http import HTTPStatus

import h11

from exporter import __version__
from exporter.model import Proxy, Reason
from exporter.net.proxy.base import Dialogue, ProxyError, failed
from exporter.services import default_name

MAX_HEAD_BYTES = 16384
"""Most bytes before the consent, including interim responses."""

_NO_HTTP = "did not answer CONNECT with an HTTP response"


def http_connect(proxy: Proxy, host: str, port: int) -> Dialogue:
    """Ask for a tunnel. Any 2xx response is consent; the tunnel starts directly after its head."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    data = yield client.send(_request(proxy, default_name(host, port))) + client.send(h11.EndOfMessage())
    came, start = 0, b""
    while True:
        if not data:
            raise failed("closed the connection without an answer to CONNECT")
        came, start = came + len(data), (start + data)[:5]
        if not b"HTTP/".startswith(start):  # h11 would wait for the end of a head that never comes
            raise failed(_NO_HTTP)
        response = _final_response(client, data)
        if response is not None:
            break
        if came > MAX_HEAD_BYTES:
            raise failed("answered CONNECT with too long a head")
        data = yield b""
    if not 200 <= response.status_code < 300:
        raise _refusal(response.status_code)
    return client.trailing_data[0]


def basic_credentials(user: str, password: str) -> str:
    """The value of Authorization or Proxy-Authorization (RFC 7617, 2), in UTF-8 (2.1)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def _request(proxy: Proxy, authority: str) -> h11.Request:
    headers = [("Host", authority), ("User-Agent", f"tls-posture-exporter/{__version__}")]
    if proxy.user is not None:
        headers.append(("Proxy-Authorization", basic_credentials(proxy.user, proxy.password)))
    return h11.Request(method="CONNECT", target=authority, headers=headers)


def _final_response(client: h11.Connection, data: bytes) -> h11.Response | None:
    """The head of the final response, or None while it is incomplete; interim responses (1xx) are skipped.

    Raises:
        ProxyError: what came is not a response.
    """
    try:
        client.receive_data(data)
        while True:
            event = client.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise failed("closed the connection without an answer to CONNECT")
    except h11.RemoteProtocolError:
        raise failed(_NO_HTTP) from None  # h11's message quotes the response


def _refusal(status: int) -> ProxyError:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "(unknown)"
    detail = f"answered CONNECT with {status} {phrase}"
    # RFC 9110, 15.6.5: the proxy got no response from the target in time. 502, 503 and 500 have many causes, so they
    # say nothing about the target.
    return ProxyError(Reason.CONNECT_TIMEOUT, detail) if status == HTTPStatus.GATEWAY_TIMEOUT else failed(detail)
