"""SOCKS version 5 (RFC 1928), with or without user and password (RFC 1929)."""

import struct
from collections.abc import Generator
from ipaddress import ip_address

from exporter.model import Proxy, Reason, is_ip
from exporter.net.proxy.base import Dialogue, ProxyError, failed

_NO_AUTHENTICATION, _USER_PASSWORD = 0, 2
_IP4, _NAME, _IP6 = 1, 3, 4

_REPLIES = {
    1: (Reason.CONNECT_ERROR, "has a general failure"),
    2: (Reason.CONNECT_ERROR, "does not allow the connection"),
    3: (Reason.CONNECT_ERROR, "cannot reach the network"),
    4: (Reason.CONNECT_ERROR, "cannot reach the host, or does not know it"),
    5: (Reason.CONNECT_REFUSED, "was refused"),
    6: (Reason.CONNECT_TIMEOUT, "got no answer"),  # "TTL expired"; Dante and microsocks use it for ETIMEDOUT
    7: (Reason.CONNECT_ERROR, "does not know the command"),
    8: (Reason.CONNECT_ERROR, "does not know this type of address"),
}
"""RFC 1928, 6. There is no code for a name that does not resolve: most proxies answer 1 or 4."""


class _Stream:
    """Bytes of the proxy that are not read yet. They are few, since no more is awaited than is missing."""

    def __init__(self) -> None:
        self.left = b""

    def exactly(self, count: int, request: bytes = b"") -> Generator[bytes, bytes, bytes]:
        """Send the request and return exactly `count` bytes.

        Raises:
            ProxyError: the proxy closed the connection before.
        """
        while request or len(self.left) < count:
            data = yield request
            if not data:
                raise failed("closed the connection during the dialogue")
            request, self.left = b"", self.left + data
        taken, self.left = self.left[:count], self.left[count:]
        return taken


def socks5(proxy: Proxy, host: str, port: int) -> Dialogue:
    """Agree on a method of authentication, authenticate, and ask for the connection."""
    stream = _Stream()
    methods = [_NO_AUTHENTICATION] if proxy.user is None else [_NO_AUTHENTICATION, _USER_PASSWORD]
    version, method = yield from stream.exactly(2, bytes([5, len(methods), *methods]))
    if version != 5:
        raise failed("does not speak SOCKS 5")
    if method not in methods:
        raise failed("does not accept a user and a password" if proxy.user else "asks for a user and a password")
    if method == _USER_PASSWORD:
        yield from _log_in(stream, proxy)
    version, code = yield from stream.exactly(2, b"\x05\x01\x00" + _place(host) + struct.pack(">H", port))
    if version != 5:
        raise failed("does not speak SOCKS 5")
    if code:
        reason, detail = _REPLIES.get(code, (Reason.CONNECT_ERROR, f"answered with the unknown code {code}"))
        raise ProxyError(reason, detail)
    _, kind = yield from stream.exactly(2)
    if kind not in {_IP4, _NAME, _IP6}:
        raise failed("answered with an unknown type of address")
    length = (yield from stream.exactly(1))[0] if kind == _NAME else 4 if kind == _IP4 else 16
    yield from stream.exactly(length + 2)  # the proxy's own address, not needed
    return stream.left


def _log_in(stream: _Stream, proxy: Proxy) -> Generator[bytes, bytes, None]:
    user, password = (proxy.user or "").encode(), proxy.password.encode()
    request = bytes([1, len(user)]) + user + bytes([len(password)]) + password
    _, status = yield from stream.exactly(2, request)  # servers differ in the first byte, and curl ignores it too
    if status:
        raise failed("does not accept the user and the password")


def _place(host: str) -> bytes:
    """The host as an address or a name (RFC 1928, 5); a name has at most 253 bytes."""
    if not is_ip(host):
        return bytes([_NAME, len(host)]) + host.encode("ascii")
    address = ip_address(host)
    return bytes([_IP4 if address.version == 4 else _IP6]) + address.packed
