"""The plaintext dialogues that lead to TLS. Each either returns with the next byte being TLS, or says why not.

A reply is read to its last line and not a byte further: what a peer (or somebody between) adds after its consent would
otherwise be taken for part of the TLS session (CVE-2011-0411), so it is refused.
"""

import re
from collections.abc import Awaitable, Callable

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.net.dial import Connection, PeerFloodError, PeerResetError, PeerSilentError

MAX_REPLY_BYTES = 16384
"""A greeting and a list of capabilities together stay far below this."""


class _Lines:
    """Lines of one dialogue; keeps what was read past the last one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = b""
        self._seen = 0

    async def next(self) -> str:
        """The next line without its end; bytes outside UTF-8 are replaced."""
        while b"\n" not in self._buffer:
            data = await self._connection.read()
            if not data:
                raise ProbeError(Reason.STARTTLS_ERROR, "the server closed the connection before TLS")
            self._seen += len(data)
            if self._seen > MAX_REPLY_BYTES:
                raise ProbeError(Reason.STARTTLS_ERROR, "the server's reply is too long")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    async def send(self, command: str) -> None:
        """One command line."""
        await self._connection.write(command.encode("ascii") + b"\r\n")

    def finish(self) -> None:
        """The dialogue is over: nothing may be left.

        Raises:
            ProbeError: `starttls_error` when plaintext follows the consent.
        """
        if self._buffer:
            raise ProbeError(Reason.STARTTLS_ERROR, "plaintext follows the server's consent to TLS")


async def _smtp_reply(lines: _Lines) -> tuple[str, list[str]]:
    """Code and texts of one, maybe multi-line, reply (RFC 5321, 4.2.1)."""
    texts: list[str] = []
    while True:
        line = await lines.next()
        match = re.fullmatch(r"([2-5][0-9][0-9])(?:([ -])(.*))?", line, re.DOTALL)
        if match is None:
            raise ProbeError(Reason.STARTTLS_ERROR, f"not a reply of this protocol: {line[:60]!r}")
        texts.append(match[3] or "")
        if match[2] != "-":
            return match[1], texts


async def _smtp(lines: _Lines, hello: str = "EHLO") -> None:
    """SMTP (RFC 3207) and, with its own greeting, LMTP (RFC 2033)."""
    code, _ = await _smtp_reply(lines)
    if code != "220":
        raise ProbeError(Reason.STARTTLS_REFUSED, f"greeted with {code}")
    await lines.send(f"{hello} tls-posture-exporter.invalid")
    code, capabilities = await _smtp_reply(lines)
    if code != "250" or "STARTTLS" not in {text.split(" ")[0].upper() for text in capabilities[1:]}:
        raise ProbeError(Reason.STARTTLS_REFUSED, "STARTTLS is not among the capabilities")
    await lines.send("STARTTLS")
    code, texts = await _smtp_reply(lines)
    if code != "220":
        raise ProbeError(Reason.STARTTLS_REFUSED, f"{code} {texts[0]}"[:120])


async def _lmtp(lines: _Lines) -> None:
    await _smtp(lines, "LHLO")


async def _imap(lines: _Lines) -> None:
    """IMAP (RFC 9051, 6.2.1). Whether STARTTLS is a capability shows in its answer: one round trip less."""
    greeting = await lines.next()
    if not greeting.upper().startswith(("* OK", "* PREAUTH")):
        raise ProbeError(Reason.STARTTLS_ERROR, f"not an IMAP greeting: {greeting[:60]!r}")
    await lines.send("a1 STARTTLS")
    while not (line := await lines.next()).lower().startswith("a1 "):
        if not line.startswith("* "):
            raise ProbeError(Reason.STARTTLS_ERROR, f"not an IMAP reply: {line[:60]!r}")
    if not line[3:].upper().startswith("OK"):
        raise ProbeError(Reason.STARTTLS_REFUSED, line[3:123])


async def _pop3(lines: _Lines) -> None:
    """POP3 (RFC 2595, 4)."""
    greeting = await lines.next()
    if not greeting.startswith("+OK"):
        raise ProbeError(Reason.STARTTLS_ERROR, f"not a POP3 greeting: {greeting[:60]!r}")
    await lines.send("STLS")
    answer = await lines.next()
    if answer.startswith("-ERR"):
        raise ProbeError(Reason.STARTTLS_REFUSED, answer[:120])
    if not answer.startswith("+OK"):
        raise ProbeError(Reason.STARTTLS_ERROR, f"not a POP3 reply: {answer[:60]!r}")


_LINE_DIALOGUES: dict[str, Callable[[_Lines], Awaitable[None]]] = {
    "smtp": _smtp,
    "lmtp": _lmtp,
    "imap": _imap,
    "pop3": _pop3,
}

_POSTGRES_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""Length 8, request code 80877103 (PostgreSQL documentation, Message Formats: SSLRequest)."""


async def _postgres(connection: Connection) -> None:
    await connection.write(_POSTGRES_SSL_REQUEST)
    answer = await connection.read()
    match answer:
        case b"S":
            return
        case b"N":
            raise ProbeError(Reason.STARTTLS_REFUSED, "the server does not offer TLS")
        case b"":
            raise ProbeError(Reason.STARTTLS_ERROR, "the server closed the connection before TLS")
        case _:
            raise ProbeError(Reason.STARTTLS_ERROR, f"not an answer to SSLRequest: {answer[:20]!r}")


DIALOGUES = (*_LINE_DIALOGUES, "postgres")
"""The values that `starttls:` takes."""


async def start_tls(connection: Connection, dialogue: str) -> None:
    """Bring the connection to where TLS begins.

    Raises:
        ProbeError: `starttls_refused` when the server declines, `starttls_error` for everything else.
    """
    try:
        if dialogue == "postgres":
            await _postgres(connection)
            return
        lines = _Lines(connection)
        await _LINE_DIALOGUES[dialogue](lines)
        lines.finish()
    except PeerSilentError as error:
        raise ProbeError(Reason.STARTTLS_ERROR, "the server stopped answering before TLS") from error
    except PeerResetError as error:
        raise ProbeError(Reason.STARTTLS_ERROR, "the connection was reset before TLS") from error
    except PeerFloodError as error:
        raise ProbeError(Reason.STARTTLS_ERROR, "the server's reply is too long") from error
