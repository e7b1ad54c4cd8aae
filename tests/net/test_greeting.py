"""The greeting of a server before TLS is kept, without an extra connection."""

import asyncio

import pytest

from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.service import ready_for_tls
from exporter.net.starttls import DIALOGUES, start_tls
from exporter.services import SERVICES
from tests.net.test_starttls import NAME, SERVER_SAYS, Script
from tests.support.plain import plain_server
from tests.support.targets import make_target

KEPT = {
    "smtp": "220-mail 220 ready",
    "lmtp": "220 mail LMTP",
    "imap": "* OK ready",
    "pop3": "+OK ready",
    "sieve": '"IMPLEMENTATION" "sieve \u00fc" "VERSION" {3} 1.0 "STARTTLS" OK (TAG {2} OK) "ready"',
    "ftp": "120 in a minute 220-ftp 220 not yet 221 nor yet 220 ready",
    "nntp": "200 ready",
    "mysql": "5.5.5-10.11.6-MariaDB",
}


def heard(dialogue: str, *said: bytes) -> str | None:
    return asyncio.run(start_tls(Script(list(said)), dialogue, NAME))


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_first_words_of_a_server_that_speaks_first_are_kept(dialogue: str) -> None:
    assert set(KEPT) == {service.name for service in SERVICES.values() if service.starttls and service.greeting}
    assert heard(dialogue, *SERVER_SAYS[dialogue]) == KEPT.get(dialogue)


def test_they_are_cut_and_made_printable() -> None:
    hostile = b"* OK \x1b[31m\xff<b>\x00" + b"x" * 10_000 + b"\r\n"
    kept = heard("imap", hostile, b"a1 OK\r\n")
    assert kept is not None
    assert kept.isprintable()
    assert kept.startswith("* OK \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}<b>")
    assert len(kept) == 512


def test_a_dialer_keeps_the_first_that_it_hears() -> None:
    greetings = iter([b"+OK one\r\n", b"+OK two\r\n"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(next(greetings))
        await reader.readline()
        writer.write(b"+OK begin\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async def run() -> tuple[str | None, str | None, int]:
        async with plain_server(serve) as port:
            target = make_target(port, starttls="pop3", protocol="pop3", connect_address="127.0.0.1")
            dialer = Dialer(target, HostGate())
            before = dialer.greeting
            for _ in range(2):
                async with ready_for_tls(dialer, max_bytes=1000):
                    pass
            return before, dialer.greeting, dialer.connections

    assert asyncio.run(run()) == (None, "+OK one", 2)
