"""OpenSSL's object of a session is used by one thread at a time."""

import asyncio
import threading

import pytest
from OpenSSL import SSL

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net import tls as module
from exporter.net.openssl import ClientOffer
from exporter.net.tls import tls_session
from exporter.threads import Pool
from tests.support.plain import plain_server
from tests.support.targets import make_session, make_target

SECONDS = 30.0


async def beginning(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The start of an answer, and no more."""
    writer.write(b"\x16\x03\x03")
    await reader.read()


def test_no_step_follows_one_that_nobody_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of the first may still use the object."""
    pool, started, go_on, steps = Pool("test", 4), threading.Event(), threading.Event(), list[str]()
    monkeypatch.setattr(module, "OPENSSL", pool)

    def hang() -> None:
        if not steps:
            steps.append("the server has said nothing")
            raise SSL.WantReadError
        steps.append("first")
        started.set()
        go_on.wait(SECONDS)

    async def run() -> None:
        async with plain_server(beginning) as port:
            session = make_session(make_target(port))
            async with tls_session(session.dialer, ClientOffer()) as tls:
                monkeypatch.setattr(SSL.Connection, "do_handshake", lambda _tls: hang())
                task = asyncio.create_task(tls.handshake())
                async with asyncio.timeout(SECONDS):
                    while not started.is_set():
                        await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                monkeypatch.setattr(SSL.Connection, "do_handshake", lambda _tls: steps.append("second"))
                with pytest.raises(ProbeError, match="abandoned") as caught:
                    await tls.handshake()
                assert caught.value.reason is Reason.INTERNAL
        assert (pool.busy, steps) == (1, ["the server has said nothing", "first"])

    try:
        asyncio.run(run())
    finally:
        go_on.set()
