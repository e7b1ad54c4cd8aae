"""What every test shares: no traffic outside loopback, and a place for what real servers need."""

import os
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import settings

from tests.support.demonstration import demo_address, prometheus

__all__ = ["demo_address", "prometheus"]  # fixtures that several modules share

# `make fuzz` runs the property tests long, `make test` short.
settings.register_profile("short", max_examples=80, deadline=None)
settings.register_profile("long", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def _loopback(address: Any) -> bool:  # noqa: ANN401 - whatever socket.connect takes
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ip_address(str(address[0]).split("%", 1)[0]).is_loopback
    except ValueError:
        return address[0] in {"localhost", ""}


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would leave the machine fails."""

    def guarded(name: str) -> Any:  # noqa: ANN401 - wraps the socket module's own methods
        original = getattr(socket.socket, name)

        def call(self: socket.socket, *args: Any) -> Any:  # noqa: ANN401 - as above
            address = args[-1]
            assert _loopback(address), f"a test reaches for {address}"
            return original(self, *args)

        return call

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
