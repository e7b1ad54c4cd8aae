"""What the dialogues with proxies share."""

from collections.abc import Generator

from exporter.model import Reason

Dialogue = Generator[bytes, bytes, bytes]
"""A generator. It yields what to send to the proxy, maybe nothing. It is sent the next bytes of the proxy, which are
empty at its close. It returns the bytes after the proxy's consent, which come from the target. It raises only
`ProxyError`."""


class ProxyError(Exception):
    """The proxy did not connect to the target.

    Attributes:
        reason: what that says about the target; `connect_error` if it says nothing.
        detail: completes the sentence "the proxy ..."; only in our own words.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def failed(detail: str) -> ProxyError:
    """The error of a proxy that does not work."""
    return ProxyError(Reason.CONNECT_ERROR, detail)
