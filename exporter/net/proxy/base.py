"""What the dialogues with proxies have in common."""

from collections.abc import Generator

from exporter.model import Reason

Dialogue = Generator[bytes, bytes, bytes]
"""Yields what to send to the proxy, maybe nothing; is sent the next bytes of the proxy, empty at its close; returns
those that came behind its consent, which are the target's. Raises `ProxyError` and nothing else."""


class ProxyError(Exception):
    """The proxy did not connect us.

    Attributes:
        reason: what that says of the target; `connect_error` when it says nothing.
        detail: completes "the proxy ..."; in our own words alone.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def failed(detail: str) -> ProxyError:
    """It is the proxy that does not work."""
    return ProxyError(Reason.CONNECT_ERROR, detail)
