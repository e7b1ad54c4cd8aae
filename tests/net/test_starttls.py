"""STARTTLS dialogues against scripted servers: the way to TLS, and every way it can be barred."""

import asyncio

import pytest

from exporter.errors import ProbeError
from exporter.model import Protocol, Reason
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.starttls import DIALOGUES, start_tls
from exporter.services import STARTTLS
from tests.support.plain import plain_server
from tests.support.scripted import Stack, parse_hello
from tests.support.targets import make_target, read_handshake

SERVER_SAYS: dict[str, list[bytes]] = {
    "smtp": [b"220-mail\r\n220 ready\r\n", b"250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"220 go\r\n"],
    "lmtp": [b"220 mail LMTP\r\n", b"250-mail\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"220 2.0.0 go\r\n"],
    "imap": [b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n"],
    "pop3": [b"+OK ready\r\n", b"+OK begin\r\n"],
    "postgres": [b"", b"S"],
}


async def attempt(script: list[bytes], dialogue: str, *, then_close: bool = True) -> None:
    """Run the dialogue against a server that says these things in turn, one for each thing it is told."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, line in enumerate(script):
            if number:
                await reader.read(1024)
            writer.write(line)
            await writer.drain()
        if not then_close:
            await reader.read()

    async with plain_server(handler) as port:
        dialer = Dialer(make_target(port, timeout_seconds=0.3), HostGate())
        async with dialer.connect(max_bytes=65536) as connection:
            await start_tls(connection, dialogue)


def test_every_dialogue_that_can_be_configured_exists() -> None:
    assert set(DIALOGUES) == set(STARTTLS)
    assert set(SERVER_SAYS) == set(DIALOGUES)


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_leads_to_tls(dialogue: str) -> None:
    asyncio.run(attempt(SERVER_SAYS[dialogue], dialogue, then_close=False))


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_engine_reads_a_server_behind_the_dialogue(dialogue: str) -> None:
    stack = Stack({0x0303: (0xC030,)})

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, line in enumerate(SERVER_SAYS[dialogue]):
            if number:
                await reader.read(1024)
            writer.write(line)
        data = b""
        while (hello := parse_hello(data)) is None:
            more = await reader.read(65536)
            if not more:
                return
            data += more
        reply = stack(hello)
        assert isinstance(reply, bytes)
        writer.write(reply)
        await reader.read()

    async def run() -> None:
        async with plain_server(handler) as port:
            facts, _ = await read_handshake(port, starttls=dialogue, protocol=dialogue)
            assert facts.accepted == (Protocol.TLS1_2,)

    asyncio.run(run())


REFUSALS = [
    ("smtp", [b"554 no service\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250 mail\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLSX\r\n"]),
    ("smtp", [b"220 mail\r\n", b"502 what\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"454 not now\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 BAD what\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 NO not now\r\n"]),
    ("pop3", [b"+OK ready\r\n", b"-ERR what\r\n"]),
    ("postgres", [b"", b"N"]),
]
ERRORS = [
    ("smtp", [b"hello\r\n"]),
    ("smtp", [b"\xff\xfe\x80\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n"]),
    ("smtp", [b"220-" + b"x" * 20000 + b"\r\n"]),
    ("smtp", [b"220-more\r\n" * 3000]),
    ("smtp", [b""]),
    ("imap", [b"220 wrong protocol\r\n"]),
    ("imap", [b"* OK ready\r\n", b"what\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 OK begin\r\n* injected\r\n"]),
    ("pop3", [b"* OK ready\r\n"]),
    ("pop3", [b"+OK ready\r\n", b"what\r\n"]),
    ("pop3", [b"+OK ready\r\n", b"+OK begin\r\n+OK injected\r\n"]),
    ("postgres", [b"", b"SX"]),
    ("postgres", [b"", b"E\x00\x00"]),
    ("postgres", [b""]),
]


@pytest.mark.parametrize(("dialogue", "script"), REFUSALS)
def test_a_server_that_declines_is_told_as_such(dialogue: str, script: list[bytes]) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt(script, dialogue))
    assert caught.value.reason is Reason.STARTTLS_REFUSED


@pytest.mark.parametrize(("dialogue", "script"), ERRORS)
def test_everything_else_is_an_error(dialogue: str, script: list[bytes]) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt(script, dialogue))
    assert caught.value.reason is Reason.STARTTLS_ERROR


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_a_silent_server_ends_the_dialogue(dialogue: str) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt([b""], dialogue, then_close=False))
    assert caught.value.reason is Reason.STARTTLS_ERROR


def test_a_refusal_is_the_reason_of_the_whole_probe() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no service\r\n")

    async def run() -> None:
        async with plain_server(handler) as port:
            await read_handshake(port, starttls="smtp", protocol="smtp")

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.STARTTLS_REFUSED
