"""Decides early whether a server that was silent to the first hello answers any.

Some servers are silent to hellos that they do not tolerate: to a version, to long lists, to extensions, to a server
name. So a server counts as silent only if it answers none of the hellos below. They are sent side by side, each once
and with the usual time limit, and the first answer ends them. What it says is found out by the hellos that follow.
"""

import asyncio
from collections.abc import Callable, Iterator

from exporter.errors import ProbeError
from exporter.model import Protocol
from exporter.net.dial import Dialer
from exporter.probes.handshake.exchange import SILENCE, Unanswered, exchange
from exporter.probes.handshake.hello import KEY_SHARE_GROUPS, Offer, client_hello, ssl2_client_hello
from exporter.tls.suites import CLASSIC_SUITES, TLS13_SUITES, VERSION_CODES

SHORT_LIST = 63
"""Suites of one short list. Some servers do not read past the 64th, and the renegotiation signal takes one place."""


async def shows_life(dialer: Dialer, server_name: str | None, count: Callable[[], None]) -> bool:
    """Whether the server answers one of the hellos, in any way; `count` is called for each that was sent."""

    async def is_answered(hello: bytes) -> bool:
        try:
            answer = await exchange(dialer, hello, read_rest=False)
        except ProbeError:
            return False
        finally:
            count()
        return not isinstance(answer, Unanswered) or answer.cause not in SILENCE

    tasks = [asyncio.create_task(is_answered(hello)) for hello in _hellos(server_name)]
    try:
        for answered in asyncio.as_completed(tasks):
            if await answered:
                return True
        return False
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hellos(server_name: str | None) -> Iterator[bytes]:
    """Hellos like those by which the engine reads a server that does not tolerate the usual ones."""
    tls12 = VERSION_CODES[Protocol.TLS1_2]
    short = CLASSIC_SUITES[:SHORT_LIST]
    yield client_hello(Offer(tls12, short, server_name))
    yield client_hello(Offer(tls12, short, server_name, alpn=()))
    yield client_hello(Offer(tls12, short, server_name, optional_extensions=False))
    if server_name:
        yield client_hello(Offer(tls12, short, optional_extensions=False))
    yield client_hello(Offer(VERSION_CODES[Protocol.TLS1_3], TLS13_SUITES, server_name))
    for protocol in (Protocol.TLS1_0, Protocol.TLS1_1, Protocol.SSL3):
        yield client_hello(Offer(VERSION_CODES[protocol], CLASSIC_SUITES, server_name))
    yield ssl2_client_hello()
    yield client_hello(Offer(VERSION_CODES[Protocol.TLS1_0], short, server_name))
    yield client_hello(Offer(VERSION_CODES[Protocol.TLS1_3], TLS13_SUITES, server_name, key_shares=KEY_SHARE_GROUPS))
