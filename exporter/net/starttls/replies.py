"""Dialogues of replies with a three-digit code: SMTP, LMTP, FTP, NNTP."""

import re

from exporter.errors import ProbeError
from exporter.net.connection import PeerResetError, PeerSilentError
from exporter.net.starttls.wire import Wire, broken, refused

_REPLY = re.compile(r"([1-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


async def _reply(wire: Wire) -> tuple[str, str, str]:
    """Code, separator and text of one line."""
    line = await wire.line()
    match = _REPLY.fullmatch(line)
    if match is None:
        raise broken(f"not a reply of this protocol: {line[:60]!r}")
    return match[1], match[2] or "", match[3] or ""


def _declines(code: str) -> bool:
    """Whether a reply with this code is a refusal, temporary or permanent (RFC 5321, 4.2.1; RFC 959, 4.2)."""
    return code[:1] in {"4", "5"}


async def _smtp_reply(wire: Wire) -> tuple[str, list[str]]:
    """Code and texts of one reply, maybe of several lines; each line has the code (RFC 5321, 4.2.1).

    The first line of a refusal is enough, because some servers close the connection before they have sent the last
    line.
    """
    code, separator, text = await _reply(wire)
    texts = [text]
    while separator == "-":
        try:
            code, separator, text = await _reply(wire)
        except (ProbeError, PeerResetError, PeerSilentError):
            if _declines(code):
                break
            raise
        texts.append(text)
    return code, texts


async def smtp(wire: Wire, hello: str = "EHLO") -> None:
    """SMTP (RFC 3207, 4)."""
    code, texts = await _smtp_reply(wire)
    if code != "220":
        raise refused(f"greeted with {code} {' '.join(texts)}")
    await wire.send(f"{hello} {wire.ehlo_name}\r\n".encode("ascii"))
    code, texts = await _smtp_reply(wire)
    if code != "250":
        raise refused(f"{hello} was answered with {code} {' '.join(texts)}")
    if "STARTTLS" not in {text.split(" ")[0].upper() for text in texts[1:]}:
        raise refused("STARTTLS is not among the capabilities")
    await wire.send(b"STARTTLS\r\n")
    code, texts = await _smtp_reply(wire)
    if code != "220":
        raise refused(f"STARTTLS was answered with {code} {' '.join(texts)}")


async def lmtp(wire: Wire) -> None:
    """LMTP: SMTP with a greeting of its own (RFC 2033, 4.1)."""
    await smtp(wire, "LHLO")


async def _ftp_reply(wire: Wire) -> tuple[str, str]:
    """Code and first text; the lines between the first and the last are free text (RFC 959, 4.2).

    The first line of a refusal is enough, because it ends the dialogue.
    """
    code, separator, text = await _reply(wire)
    if separator == "-" and not _declines(code):
        while (await wire.line())[:4].rstrip(" ") != code:
            pass
    return code, text


async def ftp(wire: Wire) -> None:
    """FTP (RFC 4217, 4). AUTH TLS is sent without asking for features first, which saves a round trip."""
    code, text = await _ftp_reply(wire)
    if code == "120":  # ready soon; the real greeting follows (RFC 959, 5.4)
        code, text = await _ftp_reply(wire)
    if code != "220":
        raise refused(f"greeted with {code} {text}")
    await wire.send(b"AUTH TLS\r\n")
    code, text = await _ftp_reply(wire)
    if code != "234":
        raise refused(f"AUTH TLS was answered with {code} {text}")


async def nntp(wire: Wire) -> None:
    """NNTP (RFC 4642, 2.2). All its replies here have one line.

    A server that switches modes may offer STARTTLS to readers only. So a server that declines is asked again as a
    reader (RFC 3977, 5.3), unless it says that it cannot do TLS.
    """
    code, _, text = await _reply(wire)
    if code not in {"200", "201"}:
        raise refused(f"greeted with {code} {text}")
    await wire.send(b"STARTTLS\r\n")
    code, _, text = await _reply(wire)
    if code in {"500", "501", "502", "503"}:
        await wire.send(b"MODE READER\r\n")
        mode, _, _ = await _reply(wire)
        if mode in {"200", "201"}:
            await wire.send(b"STARTTLS\r\n")
            code, _, text = await _reply(wire)
    if code != "382":
        raise refused(f"STARTTLS was answered with {code} {text}")
