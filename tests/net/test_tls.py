"""OpenSSL's object of a session is used by one thread at a time, and in a thread where a server can make it slow."""

import asyncio
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net import tls as module
from exporter.net.openssl import ClientOffer
from exporter.net.tls import tls_session
from exporter.threads import Pool
from tests.support.certificates import issue, pem_file, server_context
from tests.support.plain import plain_server
from tests.support.targets import make_session, make_target

SECONDS = 30.0
LENGTH = 40_000
LEAF = issue("www.test.example")


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


class Counted(Pool):
    """A pool that counts its calls."""

    def __init__(self) -> None:
        super().__init__("counted", 4)
        self.calls = 0

    async def run(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the pool
        self.calls += 1
        return await super().run(*arguments, **options)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_a_server_can_make_slow_is_done_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: ssl.TLSVersion
) -> None:
    """The handshake is. The first hello, requests and what is read are not."""
    pool = Counted()
    monkeypatch.setattr(module, "OPENSSL", pool)
    context = server_context(pem_file(tmp_path / "served.pem", LEAF, key=LEAF), newest)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(bytes(LENGTH))
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        session = make_session(make_target(server.sockets[0].getsockname()[1]))
        try:
            async with tls_session(session.dialer, ClientOffer()) as tls:
                await tls.handshake()
                in_handshake = pool.calls
                assert in_handshake >= 1
                await tls.write(b"ask")
                assert pool.calls == in_handshake
                received = 0
                while received < LENGTH:
                    received += len(await tls.read())
                assert pool.calls == in_handshake
        finally:
            server.close()

    asyncio.run(run())
