"""Reading and writing for all dialogues: limited in bytes, and never a byte past the reply."""

import socket

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.connection import Connection
from exporter.net.starttls.own_name import own_name

MAX_REPLY_BYTES = 16384
"""Most bytes of one dialogue: a greeting and a list of capabilities together are much shorter."""

_MAX_DETAIL = 120
_MAX_GREETING = 512
"""Characters; RFC 5321, 4.5.3.1.5 allows a line of 512 octets."""


def refused(detail: str) -> ProbeError:
    """The server understood and declines. Its words may be part of the detail: they are cut and made printable."""
    return ProbeError(Reason.STARTTLS_REFUSED, _printable(detail))


def broken(detail: str) -> ProbeError:
    """It is unknown what the server wants; the detail is treated as in `refused`."""
    return ProbeError(Reason.STARTTLS_ERROR, _printable(detail))


def silent(awaited: str) -> ProbeError:
    """The expected message did not come in time, which does not say whether the server has TLS."""
    return ProbeError(Reason.STARTTLS_TIMEOUT, f"the server did not send {awaited} in time")


def _printable(text: str, most: int = _MAX_DETAIL) -> str:
    cut = text[:most]
    if cut.isprintable():
        return cut
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut)


class Wire:
    """One dialogue over one connection; keeps what was received after the last reply.

    Attributes:
        name: the host that is asked for, if the dialogue names one.
        heard: what the server sent before it was asked anything; in a binary dialogue, the text in it.
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
        """The server's greeting in one line, cut and made printable; None if it sent none."""
        text = " ".join(self.heard.decode("utf-8", "replace").split())
        return _printable(text, _MAX_GREETING) or None

    @property
    def ehlo_name(self) -> str:
        """Our own name in EHLO and LHLO."""
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
        """All bytes up to and including the first that is one of these single bytes."""
        while not (places := [at for end in ends if (at := self._buffer.find(end)) >= 0]):
            await self._more()
        return self._take(min(places) + 1)

    async def exactly(self, count: int) -> bytes:
        """Exactly `count` bytes, which may be none.

        Raises:
            ProbeError: `starttls_error`, before anything is read, if a dialogue may not have as many bytes.
        """
        if count > MAX_REPLY_BYTES:
            raise broken(f"the server announces a reply of {count} bytes")
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._asked = True
        await self._connection.write(data)

    def finish(self) -> None:
        """End the dialogue: no received byte may be left.

        Raises:
            ProbeError: `starttls_error` if plaintext follows the consent.
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
