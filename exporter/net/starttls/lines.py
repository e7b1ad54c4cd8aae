"""Dialogues of lines that start with a word: IMAP, POP3, ManageSieve, IRC."""

import re

from exporter.net.starttls.wire import Wire, broken, refused


async def imap(wire: Wire) -> None:
    """IMAP (RFC 9051, 6.2.1). STARTTLS is sent without asking for capabilities first, which saves a round trip."""
    greeting = await wire.line()
    match greeting.upper().split(" ")[:2]:
        case ["*", "OK" | "PREAUTH"]:
            pass
        case ["*", "BYE"]:
            raise refused(f"greeted with {greeting}")
        case _:
            raise broken(f"not an IMAP greeting: {greeting[:60]!r}")
    await wire.send(b"a1 STARTTLS\r\n")
    while True:
        line = await wire.line()
        match line.upper().split(" ")[:2]:
            case ["A1", "OK"]:
                return
            case ["A1", "NO" | "BAD"] | ["*", "BYE"]:
                raise refused(f"STARTTLS was answered with {line}")
            case ["*", _]:
                pass
            case _:
                raise broken(f"not an IMAP reply: {line[:60]!r}")


async def pop3(wire: Wire) -> None:
    """POP3 (RFC 2595, 4). STLS is sent without asking for capabilities first, which saves a round trip."""
    await _pop3_reply(wire, "greeted")
    await wire.send(b"STLS\r\n")
    await _pop3_reply(wire, "STLS was answered")


async def _pop3_reply(wire: Wire, what: str) -> None:
    """Read one status line (RFC 1939, 3); `what` names its cause in the failure detail."""
    line = await wire.line()
    match line.split(" ")[0]:
        case "+OK":
            return
        case "-ERR":
            raise refused(f"{what} with {line}")
        case _:
            raise broken(f"not a POP3 reply: {line[:60]!r}")


_LITERAL = re.compile(r"\{([0-9]{1,9})\}\Z")
_STARTTLS = re.compile(r'"STARTTLS"(?: |\Z)|\{8\}\r\nSTARTTLS(?: |\Z)', re.IGNORECASE)


async def _sieve_response(wire: Wire, what: str) -> list[str]:
    """The lines of one response before its final OK. A literal is part of its line, after its length.

    `what` names the cause of the response in the detail of a refusal.

    Raises:
        ProbeError: `starttls_refused` for NO and BYE (RFC 5804, 1.3).
    """
    before: list[str] = []
    while True:
        parts = [await wire.line()]
        while literal := _LITERAL.search(parts[-1]):
            text = await wire.exactly(int(literal[1]))
            parts += ["\r\n", text.decode("utf-8", "replace"), await wire.line()]
        line = "".join(parts)
        match re.split(r"[ (]", line, maxsplit=1)[0].upper():
            case "OK":
                return before
            case "NO" | "BYE":
                raise refused(f"{what} with {line}")
        if not line.startswith(('"', "{")):
            raise broken(f"not a ManageSieve response: {line[:60]!r}")
        before.append(line)


async def sieve(wire: Wire) -> None:
    """ManageSieve (RFC 5804, 2.2); its greeting lists the capabilities (1.7)."""
    capabilities = await _sieve_response(wire, "greeted")
    if not any(_STARTTLS.match(line) for line in capabilities):
        raise refused("STARTTLS is not among the capabilities")
    await wire.send(b"STARTTLS\r\n")
    await _sieve_response(wire, "STARTTLS was answered")


_IRC_MESSAGE = re.compile(r"(?:@[^ ]+ +)?(?::[^ ]+ +)?([A-Za-z]+|[0-9]{3})(?: .*)?", re.DOTALL)


async def irc(wire: Wire) -> None:
    """IRC (IRCv3, tls extension: 670 is consent, 691 refusal). Servers need not greet, so no greeting is awaited.

    Servers without the extension answer with an error of RFC 2812, 5.2: 421 (unknown), 451 (not registered).
    """
    await wire.send(b"STARTTLS\r\n")
    while True:
        line = await wire.line()
        message = _IRC_MESSAGE.fullmatch(line)
        if message is None:
            raise broken(f"not an IRC message: {line[:60]!r}")
        command = message[1].upper()
        if command == "670":
            return
        if command in {"691", "ERROR"} or command.startswith("4"):
            raise refused(f"answered with {line}")
