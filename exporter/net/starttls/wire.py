"""What every dialogue reads and writes with: bounded in bytes, and never a byte past the reply it waits for."""

import socket

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Connection
from exporter.net.starttls.own_name import own_name

MAX_REPLY_BYTES = 16384
"""Of one dialogue in all: a greeting and a list of capabilities together stay far below this."""

_MAX_DETAIL = 120
_MAX_GREETING = 512
"""Characters; RFC 5321, 4.5.3.1.5 allows a line of 512 octets."""


def refused(detail: str) -> ProbeError:
    """The server understood, and declines. What it says may stand in the detail: it is cut, and made printable."""
    return ProbeError(Reason.STARTTLS_REFUSED, _printable(detail))


def broken(detail: str) -> ProbeError:
    """There is no telling what the server wants; the detail as for `refused`."""
    return ProbeError(Reason.STARTTLS_ERROR, _printable(detail))


def silent(awaited: str) -> ProbeError:
    """What we waited for did not come in time, which says nothing of whether the server has TLS."""
    return ProbeError(Reason.STARTTLS_TIMEOUT, f"the server did not send {awaited} in time")


def _printable(text: str, most: int = _MAX_DETAIL) -> str:
    cut = text[:most]
    if cut.isprintable():
        return cut
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


class Wire:
    """One dialogue over one connection; keeps what was read past the last reply.

    Attributes:
        name: the host that is asked for, where a dialogue has to say it.
        heard: what the server said before it was asked anything; of a binary dialogue, the text in it.
    """

    def __init__(self, connection: Connection, name: str, ehlo_name: str | None = None) -> None:
        self.name = name
        self._connection = connection
        self._ehlo_name = ehlo_name
        self._buffer = b""
        self._seen = 0
        self.heard = b""
        self._asked = False

    @property
    def greeting(self) -> str | None:
        """What the server said of itself, in one line, cut and made printable; None where it waits to be asked."""
        text = " ".join(self.heard.decode("utf-8", "replace").split())
        return _printable(text, _MAX_GREETING) or None

    @property
    def ehlo_name(self) -> str:
        """What we call ourselves in EHLO and LHLO."""
        return self._ehlo_name or own_name(socket.gethostname(), self._connection.local_address)

    @property
    def waits_for(self) -> str:
        """What the server has to send next, in words."""
        return "its answer before TLS" if self._asked else "its greeting"

    async def line(self) -> str:
        """The next line without its end; bytes outside UTF-8 are replaced."""
        line = await self.until(b"\n")
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")

    async def until(self, *ends: bytes) -> bytes:
        """Everything up to the first place where one of these single bytes stands, and that."""
        while not (places := [at for end in ends if (at := self._buffer.find(end)) >= 0]):
            await self._more()
        return self._take(min(places) + 1)

    async def exactly(self, count: int) -> bytes:
        """So many bytes, which may be none.

        Raises:
            ProbeError: `starttls_error` when that is more than a dialogue may bring, before any is waited for.
        """
        if count > MAX_REPLY_BYTES:
            raise broken(f"the server announces a reply of {count} bytes")
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def send(self, data: bytes) -> None:
        """Send it all."""
        self._asked = True
        await self._connection.write(data)

    def finish(self) -> None:
        """The dialogue is over: nothing may be left.

        Raises:
            ProbeError: `starttls_error` when plaintext follows the consent.
        """
        if self._buffer:
            raise broken("plaintext follows the server's consent to TLS")

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        if not self._asked:
            self.heard += taken
        return taken

    async def _more(self) -> None:
        data = await self._connection.read()
        if not data:
            raise broken("the server closed the connection before TLS")
        self._seen += len(data)
        if self._seen > MAX_REPLY_BYTES:
            raise broken("the server's reply is too long")
        self._buffer += data
