"""Parsers of the dialogues before TLS: with the server (STARTTLS), and with a proxy."""

from collections.abc import Callable, Sequence

from exporter.errors import ProbeError
from exporter.model import Proxy, Reason
from exporter.net.proxy import ProxyError, dialogue
from exporter.net.proxy.connect import MAX_HEAD_BYTES
from exporter.net.starttls import start_tls
from exporter.net.starttls.wire import MAX_REPLY_BYTES
from fuzz.memory import NAME, Peer, end_of, pieces, run

Outcome = tuple[Reason, str] | None
"""Reason and detail of the failure; None if TLS can start."""

_REASONS = {Reason.STARTTLS_REFUSED, Reason.STARTTLS_ERROR, Reason.STARTTLS_TIMEOUT}
_MOST_DETAIL = 120
_PLAINTEXT_BEHIND = (Reason.STARTTLS_ERROR, "plaintext follows the server's consent to TLS")


def starttls(name: str) -> Callable[[bytes], None]:
    """The parser of one dialogue; `name` is a value of `starttls:`."""

    def parse(data: bytes) -> None:
        end = end_of(data)
        cut = pieces(data)
        outcomes = {_led(name, [data], end)}
        if len(cut) > 1:
            outcomes.add(_led(name, cut, end))
        for outcome in outcomes - {None}:
            assert outcome is not None
            assert outcome[0] in _REASONS
            assert outcome[1].isprintable()
            assert len(outcome[1]) <= _MOST_DETAIL
        # Bytes after the consent are seen only if they arrive with it. Too many bytes are noticed only if they arrive.
        if len(data) <= MAX_REPLY_BYTES:
            assert len(outcomes) == 1 or outcomes == {None, _PLAINTEXT_BEHIND}, (
                "the result depends on how the bytes are split"
            )

    return parse


def _led(name: str, said: Sequence[bytes], end: type[Exception] | None) -> Outcome:
    try:
        run(start_tls(Peer(said, end), name, NAME))
    except ProbeError as error:
        return error.reason, error.detail
    return None


_USER, _PASSWORD = "scanner", "pass%word"
_CONNECT_REASONS = {Reason.CONNECT_ERROR, Reason.CONNECT_REFUSED, Reason.CONNECT_TIMEOUT}


_SOCKS_BYTES = 600
"""More than all replies of a SOCKS dialogue together."""


def _singly(data: bytes) -> list[bytes]:
    """Single bytes, so that each reply arrives after its request. A reply that arrives before is not an answer."""
    return [*(bytes([byte]) for byte in data[:_SOCKS_BYTES]), *([data[_SOCKS_BYTES:]] if data[_SOCKS_BYTES:] else [])]


def _whole(data: bytes) -> list[bytes]:
    return [data]


_FED = {"http": _whole, "socks5": _singly}
_TOO_EARLY = (Reason.CONNECT_ERROR, "closed the connection during the dialogue")


def proxy(scheme: str) -> Callable[[bytes], None]:
    """The parser of the replies of a proxy, by `Proxy.scheme`, with and without user and password."""
    proxies = (Proxy(scheme, "192.0.2.1", 1080), Proxy(scheme, "192.0.2.1", 1080, _USER, _PASSWORD))

    def parse(data: bytes) -> None:
        for one in proxies:
            outcome = _tunnelled(one, _FED[scheme](data))
            if isinstance(outcome, bytes):
                assert data.endswith(outcome)
            else:
                assert outcome[0] in _CONNECT_REASONS
                assert outcome[1].isprintable()
                assert _PASSWORD not in outcome[1]
            if len(data) <= MAX_HEAD_BYTES:
                assert _tunnelled(one, pieces(data)) in {outcome, _TOO_EARLY}, (
                    "the result depends on how the bytes are split"
                )

    return parse


def _tunnelled(one: Proxy, said: Sequence[bytes]) -> bytes | tuple[Reason, str]:
    """The bytes that are from the target, or why the target is not reached."""
    steps = dialogue(one, NAME, 443)
    left = iter(said)
    try:
        next(steps)
        while True:
            steps.send(next(left, b""))
    except StopIteration as end:
        return bytes(end.value) + b"".join(left)
    except ProxyError as error:
        return error.reason, error.detail
