"""The greeting that a server sends first inside TLS, read in the session that was made for its certificates."""

import re
from contextlib import suppress

from exporter.errors import ProbeError
from exporter.net.connection import PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.tls import TLSSession
from exporter.software.shown import plain_text

GREETING_SECONDS = 3.0
"""Servers speak at once, or after they have looked up the client's name. The greeting of a slower server is not read.
"""
MAX_GREETING_BYTES = 4096

_FIRST = re.compile(rb"([0-9]{3})-")


async def hear(tls: TLSSession) -> str | None:
    """The greeting in one line, cut and made printable; None when nothing was received. Sends and raises nothing.

    It must be the last read of the session.
    """
    tls.limit(GREETING_SECONDS)
    heard = b""
    with suppress(ProbeError, PeerSilentError, PeerResetError, PeerFloodError):
        while _end(heard) is None and len(heard) < MAX_GREETING_BYTES:
            data = await tls.read()
            if not data:
                break
            heard += data
    heard = heard[:MAX_GREETING_BYTES]
    end = _end(heard)
    # Without an end only complete lines count: in a line that was cut off, the version could be another.
    whole = heard[: heard.rfind(b"\n") + 1 if end is None else end]
    return plain_text(whole.decode("utf-8", "replace")) or None


def _end(heard: bytes) -> int | None:
    """Where the first line ends, or the last line if its code says that more follow (RFC 5321, 4.2.1; RFC 959, 4.2)."""
    many = _FIRST.match(heard)
    found = re.search(rb"\n" if many is None else rb"\n" + many[1] + rb"(?: [^\n]*)?\r?\n", heard)
    return None if found is None else found.end()
