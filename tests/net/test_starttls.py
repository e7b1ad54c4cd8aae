"""STARTTLS dialogues against scripted servers: successful ones, and every way in which they can fail."""

import asyncio
import socket
import struct
import time
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.model import Protocol, Reason
from exporter.net.connection import Connection, PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.starttls import DIALOGUES, start_tls
from exporter.net.starttls.own_name import own_name
from exporter.services import STARTTLS
from tests.support.plain import drip, plain_server
from tests.support.scripted import Stack, read_hello
from tests.support.targets import make_target, read_handshake

NAME = "www.test.example"
STREAM = (
    b"<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' id='>' version='1.0' "
    b'xmlns="jabber:client" from="www.test.example">'
)
STARTTLS_FEATURE = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
MECHANISMS = b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
FEATURES = b"<stream:features>" + MECHANISMS + STARTTLS_FEATURE + b"</stream:features>"
PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def ldap_response(
    code: int, *, number: int = 1, diagnostic: bytes = b"", tag: int = 0x78, oid: bytes = b"1.3.6.1.4.1.1466.20037"
) -> bytes:
    """An ExtendedResponse, with lengths in the long form that Active Directory uses."""

    def element(kind: int, content: bytes) -> bytes:
        return bytes([kind, 0x84]) + struct.pack(">I", len(content)) + content

    result = b"\x0a\x01" + bytes([code]) + element(0x04, b"") + element(0x04, diagnostic)
    return element(0x30, b"\x02\x01" + bytes([number]) + element(tag, result + element(0x8A, oid)))


def mysql_packet(payload: bytes, number: int = 0) -> bytes:
    return struct.pack("<I", len(payload) | number << 24) + payload


def mysql_greeting(capabilities: int = 0xFFFE, version: int = 10) -> bytes:
    head = bytes([version]) + b"5.5.5-10.11.6-MariaDB\0" + struct.pack("<I", 31) + b"saltsalt\0"
    return mysql_packet(head + struct.pack("<HBHH", capabilities, 45, 2, 0x81FF) + b"\x15" + bytes(10) + b"s" * 13)


def tpkt(body: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, 4 + len(body)) + body


def rdp_confirm(negotiation: bytes = struct.pack("<BBHI", 2, 0x1F, 8, 2), kind: int = 0xD0) -> bytes:
    return tpkt(bytes([6 + len(negotiation), kind]) + b"\0\0\x12\x34\0" + negotiation)


SERVER_SAYS: dict[str, list[bytes]] = {
    "smtp": [b"220-mail\r\n220 ready\r\n", b"250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"220 go\r\n"],
    "lmtp": [b"220 mail LMTP\r\n", b"250-mail\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"220 2.0.0 go\r\n"],
    "imap": [b"* OK ready\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n"],
    "pop3": [b"+OK ready\r\n", b"+OK begin\r\n"],
    "sieve": [
        b'"IMPLEMENTATION" "sieve \xc3\xbc"\r\n"VERSION" {3}\r\n1.0\r\n"STARTTLS"\r\nOK (TAG {2}\r\nOK) "ready"\r\n',
        b'ok "begin"\r\n',
    ],
    "ftp": [b"120 in a minute\r\n220-ftp\r\n 220 not yet\r\n221 nor yet\r\n220 ready\r\n", b"234 go\r\n"],
    "ldap": [b"", ldap_response(0)],
    "xmpp": [b"", STREAM + FEATURES, PROCEED],
    "xmpp-server": [b"", STREAM.replace(b"client", b"server") + FEATURES, PROCEED],
    "nntp": [b"200 ready\r\n", b"382 go\r\n"],
    "irc": [b":irc NOTICE * :*** Looking up your hostname\r\nPING :1\r\n", b":irc 670 * :go\r\n"],
    "postgres": [b"", b"S"],
    "mysql": [mysql_greeting(), b""],
    "rdp": [b"", rdp_confirm()],
}
"""What a server with STARTTLS sends: at once, and then after each message."""

STREAM_ASKED_FOR = (
    b"<?xml version='1.0'?><stream:stream to='www.test.example' version='1.0' xml:lang='en' "
    b"xmlns='jabber:%s' xmlns:stream='http://etherx.jabber.org/streams'>"
)
OWN_NAME = own_name(socket.gethostname(), "127.0.0.1").encode("ascii")
SERVER_IS_TOLD: dict[str, list[bytes]] = {
    "smtp": [b"EHLO %s\r\n" % OWN_NAME, b"STARTTLS\r\n"],
    "lmtp": [b"LHLO %s\r\n" % OWN_NAME, b"STARTTLS\r\n"],
    "imap": [b"a1 STARTTLS\r\n"],
    "pop3": [b"STLS\r\n"],
    "sieve": [b"STARTTLS\r\n"],
    "ftp": [b"AUTH TLS\r\n"],
    "ldap": [bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"],
    "xmpp": [
        STREAM_ASKED_FOR % b"client",
        b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    ],
    "xmpp-server": [
        STREAM_ASKED_FOR % b"server",
        b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    ],
    "nntp": [b"STARTTLS\r\n"],
    "irc": [b"STARTTLS\r\n"],
    "postgres": [bytes.fromhex("0000000804d2162f")],
    "mysql": [bytes.fromhex("20000001 008a0000 00000001 2d") + bytes(23)],
    "rdp": [bytes.fromhex("03000013 0ee00000000000 01000800 0b000000")],
}


class Script(Connection):
    """A connection in memory: its reads give these pieces in turn, and then what `end` says."""

    local_address = "127.0.0.1"

    def __init__(self, pieces: Sequence[bytes], end: type[Exception] | None = None) -> None:
        self.timeout_seconds = 1.0
        self.left = [piece for piece in pieces if piece]
        self.end = end
        self.written: list[bytes] = []

    async def read(self) -> bytes:
        if self.left:
            return self.left.pop(0)
        if self.end is not None:
            raise self.end
        return b""

    async def write(self, data: bytes) -> None:
        self.written.append(data)


async def attempt(
    script: list[bytes], dialogue: str, *, then_close: bool = True, pause: float | None = None, limit: float = 2
) -> None:
    """Run the dialogue against a server that sends these messages in turn, one for each message it gets."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, said in enumerate(script):
            if number:
                await reader.read(1024)
            if pause is None:
                writer.write(said)
                await writer.drain()
            else:
                await drip(writer, said, pause)
        if not then_close:
            await reader.read()

    async with plain_server(handler) as port:
        dialer = Dialer(make_target(port, timeout_seconds=0.3), HostGate())
        async with dialer.connect(max_bytes=65536) as connection:
            connection.limit(limit)
            await start_tls(connection, dialogue, NAME)


def outcome(pieces: Sequence[bytes], dialogue: str, end: type[Exception] | None = None) -> Reason | None:
    """How the dialogue ends over a connection in memory; None leads to TLS."""
    try:
        asyncio.run(start_tls(Script(pieces, end), dialogue, NAME))
    except ProbeError as error:
        failure = error
    else:
        return None
    assert failure.detail.isprintable()
    assert len(failure.detail) <= 120
    return failure.reason


def test_every_dialogue_that_can_be_configured_exists() -> None:
    assert list(DIALOGUES) == list(STARTTLS)
    assert list(SERVER_SAYS) == list(SERVER_IS_TOLD) == list(DIALOGUES)


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_leads_to_tls(dialogue: str) -> None:
    asyncio.run(attempt(SERVER_SAYS[dialogue], dialogue, then_close=False))


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_leads_to_tls_one_byte_at_a_time(dialogue: str) -> None:
    asyncio.run(attempt(SERVER_SAYS[dialogue], dialogue, then_close=False, pause=0))
    pieces = [bytes([byte]) for byte in b"".join(SERVER_SAYS[dialogue])]
    assert outcome(pieces, dialogue) is None


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_server_is_told_what_the_protocol_asks_for(dialogue: str) -> None:
    connection = Script(SERVER_SAYS[dialogue])
    asyncio.run(start_tls(connection, dialogue, NAME))
    assert connection.written == SERVER_IS_TOLD[dialogue]


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_engine_reads_a_server_behind_the_dialogue(dialogue: str) -> None:
    stack = Stack({0x0303: (0xC030,)})

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SERVER_SAYS[dialogue][0])
        for told, said in zip(SERVER_IS_TOLD[dialogue], SERVER_SAYS[dialogue][1:], strict=True):
            assert await reader.readexactly(len(told)) == told
            writer.write(said)
        hello = await read_hello(reader)
        if hello is None:
            return
        reply = stack(hello)
        assert isinstance(reply, bytes)
        writer.write(reply)
        await reader.read()

    async def run() -> None:
        async with plain_server(handler) as port:
            facts, _ = await read_handshake(port, starttls=dialogue, protocol=dialogue)
            assert facts.accepted == (Protocol.TLS1_2,)

    asyncio.run(run())


def test_other_forms_of_consent() -> None:
    for dialogue, script in [
        ("imap", [b"* PREAUTH ready\r\n", b"A1 ok\r\n"]),
        ("sieve", [b"{8}\r\nStartTLS\r\nOK\r\n", b"OK\r\n"]),
        ("ftp", [b"220\r\n", b"234-go\r\n\xff\r\n234\r\n"]),
        ("ldap", [bytes.fromhex("300c02010178070a010004000400")]),
        (
            "xmpp",
            [STREAM[21:] + FEATURES, b"\n<tls:proceed xmlns:tls='urn:ietf:params:xml:ns:xmpp-tls'></tls:proceed>"],
        ),
        ("irc", [b"@time=1 :irc 020 * :wait\n", b"670 * :go\n"]),
        ("nntp", [b"201 ready\r\n", b"502 not yet\r\n", b"200 reader\r\n", b"382 go\r\n"]),
        ("rdp", [rdp_confirm(struct.pack("<BBHI", 2, 0, 8, 8))]),
        ("smtp", [b"220\n250-\xff\xfe\n250 starttls now\n220\n"]),
    ]:
        assert outcome(script, dialogue) is None, dialogue


REFUSALS = [
    ("smtp", [b"554 no service\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250 mail\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLSX\r\n"]),
    ("smtp", [b"220 mail\r\n", b"502 what\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"454 not now\r\n"]),
    ("lmtp", [b"220 mail\r\n", b"250-mail\r\n250 8BITMIME\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 BAD what\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 NO not now\r\n"]),
    ("imap", [b"* BYE too many\r\n"]),
    ("imap", [b"* OK ready\r\n", b"* BYE\r\n"]),
    ("pop3", [b"-ERR too many\r\n"]),
    ("pop3", [b"+OK ready\r\n", b"-ERR what \x1b[2J\xff\r\n"]),
    ("sieve", [b'"VERSION" "1.0"\r\nOK\r\n']),
    ("sieve", [b'"STARTTLSX"\r\n"X" "STARTTLS"\r\nOK\r\n']),
    ("sieve", [b"BYE (REFERRAL) {4}\r\ngone\r\n"]),
    ("sieve", [b'"STARTTLS"\r\nOK\r\n', b'NO "not now"\r\n']),
    ("ftp", [b"421 too many\r\n"]),
    ("ftp", [b"220 ftp\r\n", b"500 what\r\n"]),
    ("ftp", [b"220 ftp\r\n", b"530-first\r\nlog in\r\n530 \xff\r\n"]),
    ("ftp", [b"220 ftp\r\n", b"334 more\r\n"]),
    ("ldap", [b"", ldap_response(2, diagnostic=b"unsupported extended operation\xff")]),
    ("ldap", [b"", ldap_response(52, number=0, oid=b"1.3.6.1.4.1.1466.20036")]),
    ("xmpp", [b"", STREAM + b"<stream:features/>"]),
    ("xmpp", [b"", STREAM + b"<stream:features>" + MECHANISMS + b"</stream:features>"]),
    ("xmpp", [b"", STREAM + b"<stream:features><x><starttls/></x></stream:features>"]),
    ("xmpp", [b"", STREAM + b"<stream:error><host-unknown xmlns='x'/><text>no \xff</text></stream:error>"]),
    ("xmpp", [b"", STREAM + FEATURES, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"]),
    ("xmpp-server", [b"", STREAM + b"<stream:features><dialback/></stream:features>"]),
    ("nntp", [b"502 no\r\n"]),
    ("nntp", [b"200 ready\r\n", b"580 no TLS\r\n"]),
    ("nntp", [b"200 ready\r\n", b"500 what\r\n", b"200 reader\r\n", b"500 what\r\n"]),
    ("nntp", [b"200 ready\r\n", b"502 what\r\n", b"502 what\r\n"]),
    ("irc", [b"", b":irc 421 * STARTTLS :Unknown command\r\n"]),
    ("irc", [b"", b":irc 451 * :You have not registered\r\n"]),
    ("irc", [b"", b":irc 691 * :\xff\r\n"]),
    ("irc", [b"ERROR :Closing link\r\n"]),
    ("postgres", [b"", b"N"]),
    ("mysql", [mysql_packet(b"\xff\x69\x04Host '127.0.0.1' is blocked\xff")]),
    ("mysql", [mysql_packet(b"\xff")]),
    ("mysql", [mysql_greeting(capabilities=0xF7FE)]),
    ("mysql", [mysql_greeting(version=9)]),
    ("rdp", [b"", rdp_confirm(b"")]),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 3, 0, 8, 2))]),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 2, 0, 8, 0))]),
    ("rdp", [b"", rdp_confirm(b"", kind=0x80)]),
]
GARBAGE = [b"\xff\xfe\x80\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b"\x15\x03\x01\x00\x02\x02\x28"]
ERRORS = [
    ("smtp", [b"hello\r\n"]),
    ("smtp", [b"220_mail\r\n"]),
    ("smtp", [b"220 mail\r\n", b"250-mail\r\nSTARTTLS\r\n"]),
    ("imap", [b"220 wrong protocol\r\n"]),
    ("imap", [b"* OK ready\r\n", b"what\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a1 OKAY\r\n"]),
    ("imap", [b"* OK ready\r\n", b"a2 OK begin\r\n"]),
    ("pop3", [b"* OK ready\r\n"]),
    ("pop3", [b"+OK ready\r\n", b"what\r\n"]),
    ("sieve", [b"* OK ready\r\n"]),
    ("sieve", [b'"STARTTLS" {-1}\r\nOK\r\n']),
    ("ftp", [b"* OK ready\r\n"]),
    ("ftp", [b"220-never\r\nends\r\n"]),
    ("ldap", [b"", ldap_response(0, number=2)]),
    ("ldap", [b"", ldap_response(0, tag=0x61)]),
    ("ldap", [b"", b"\x30\x80" + ldap_response(0)[2:]]),
    ("ldap", [b"", b"\x30\x03\x02\x01\x01"]),
    ("ldap", [b"", bytes.fromhex("300b02010178060a0004000400")]),
    ("ldap", [b"", bytes.fromhex("300c02010178070a010004000480")]),
    ("ldap", [b"", bytes.fromhex("300c02010178070a010004000404")]),
    ("xmpp", [b"", b"<html><body>"]),
    ("xmpp", [b"", b"<stream:stream/>"]),
    ("xmpp", [b"", STREAM + b"</stream:stream>"]),
    ("xmpp", [b"", STREAM + b"<message/>"]),
    ("xmpp", [b"", STREAM + b"<!DOCTYPE x [<!ENTITY a 'b'>]>"]),
    ("xmpp", [b"", STREAM + b"<!-- <stream:features> -->"]),
    ("xmpp", [b"", STREAM + b"</a/>"]),
    ("xmpp", [b"", STREAM + FEATURES, b"<success/>"]),
    ("nntp", [b"+OK\r\n"]),
    ("nntp", [b"200 ready\r\n", b"what\r\n"]),
    ("irc", [b"", b": 670\r\n"]),
    ("irc", [b"", b"\r\n"]),
    ("postgres", [b"", b"E\x00\x00"]),
    ("mysql", [b"\0\0\0\0"]),
    ("mysql", [mysql_packet(b"\x0a5.5.5", number=1)]),
    ("mysql", [mysql_packet(b"\x0a5.5.5")]),
    ("mysql", [mysql_packet(b"\x0a5.5.5\0short")]),
    ("rdp", [b"", b"\x03\x00\x00\x05\x01"]),
    ("rdp", [b"", rdp_confirm(kind=0xF0)]),
    ("rdp", [b"", rdp_confirm(b"1234")]),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 2, 0, 9, 1))]),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 4, 0, 8, 1))]),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 2, 0, 8, 4))]),
    *((dialogue, [garbage]) for dialogue in DIALOGUES for garbage in GARBAGE),
    *((dialogue, [b""]) for dialogue in DIALOGUES),
]


@pytest.mark.parametrize(("dialogue", "script"), REFUSALS)
def test_a_server_that_declines_is_told_as_such(dialogue: str, script: list[bytes]) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt(script, dialogue))
    assert caught.value.reason is Reason.STARTTLS_REFUSED
    assert outcome(script, dialogue) is Reason.STARTTLS_REFUSED


DETAILS = [
    ("smtp", [b"421 4.7.0 try again later\r\n"], "greeted with 421 4.7.0 try again later"),
    ("smtp", [b"554-no service\r\n554 for you\r\n"], "greeted with 554 no service for you"),
    ("smtp", [b"554-no service\r\n"], "greeted with 554 no service"),
    ("smtp", [b"220 mail\r\n", b"450 4.7.1 no such host\r\n"], "EHLO was answered with 450 4.7.1 no such host"),
    ("smtp", [b"220 mail\r\n", b"421 \x1b[2Jbusy\r\n"], "EHLO was answered with 421 \ufffd[2Jbusy"),
    ("smtp", [b"220 mail\r\n", b"550-no\r\n"], "EHLO was answered with 550 no"),
    ("smtp", [b"220 mail\r\n", b"250 mail\r\n"], "STARTTLS is not among the capabilities"),
    (
        *("smtp", [b"220 mail\r\n", b"250-mail\r\n250 STARTTLS\r\n", b"454 not now\r\n"]),
        "STARTTLS was answered with 454 not now",
    ),
    ("lmtp", [b"220 mail\r\n", b"504 5.5.2 need a name\r\n"], "LHLO was answered with 504 5.5.2 need a name"),
    ("imap", [b"* BYE too many\r\n"], "greeted with * BYE too many"),
    ("imap", [b"* OK ready\r\n", b"* BYE idle\r\n"], "STARTTLS was answered with * BYE idle"),
    ("pop3", [b"-ERR [SYS/TEMP] busy\r\n"], "greeted with -ERR [SYS/TEMP] busy"),
    ("pop3", [b"+OK ready\r\n", b"-ERR what\r\n"], "STLS was answered with -ERR what"),
    ("sieve", [b'BYE "too many"\r\n'], 'greeted with BYE "too many"'),
    ("ftp", [b"421-too many\r\n"], "greeted with 421 too many"),
    ("ftp", [b"530 not you\r\n"], "greeted with 530 not you"),
    ("ftp", [b"220 ftp\r\n", b"421 idle\r\n"], "AUTH TLS was answered with 421 idle"),
    ("ldap", [b"", ldap_response(51, diagnostic=b"busy")], "result 51 busy"),
    (
        *("xmpp", [b"", STREAM + b"<stream:error><host-unknown/><text>not\n here</text></stream:error>"]),
        "stream error host-unknown text not here",
    ),
    ("nntp", [b"400 overloaded\r\n"], "greeted with 400 overloaded"),
    ("nntp", [b"200 ready\r\n", b"580 no TLS\r\n"], "STARTTLS was answered with 580 no TLS"),
    ("irc", [b"ERROR :Closing link\r\n"], "answered with ERROR :Closing link"),
    (
        *("postgres", [b"", b"E\0\0\0\x25SFATAL\0C53300\0Mtoo many clients\0\0"]),
        "answered with error 53300 too many clients",
    ),
    ("postgres", [b"", b"Ecould not fork new process\n\0"], "answered with an error: could not fork new process\ufffd"),
    ("mysql", [mysql_packet(b"\xff\x69\x04Host is blocked")], "greeted with error 1129 Host is blocked"),
    ("rdp", [b"", rdp_confirm(struct.pack("<BBHI", 3, 0, 8, 2))], "negotiation failure 2"),
]


@pytest.mark.parametrize(("dialogue", "script", "detail"), DETAILS)
def test_a_refusal_says_what_the_server_said_and_to_what(dialogue: str, script: list[bytes], detail: str) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(start_tls(Script(script), dialogue, NAME))
    assert (caught.value.reason, caught.value.detail) == (Reason.STARTTLS_REFUSED, detail)


@pytest.mark.parametrize(("dialogue", "script"), ERRORS)
def test_everything_else_is_an_error(dialogue: str, script: list[bytes]) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt(script, dialogue))
    assert caught.value.reason is Reason.STARTTLS_ERROR
    assert outcome(script, dialogue) is Reason.STARTTLS_ERROR


@pytest.mark.parametrize("dialogue", DIALOGUES)
@pytest.mark.parametrize("injected", [b"\r\n", b"\x16\x03\x03", b"\xff", b"220 ok\r\n"])
def test_what_follows_the_consent_is_not_taken_for_tls(dialogue: str, injected: bytes) -> None:
    script = [said for said in SERVER_SAYS[dialogue] if said]
    script[-1] += injected
    assert outcome(script, dialogue) is Reason.STARTTLS_ERROR


@pytest.mark.parametrize("dialogue", DIALOGUES)
@pytest.mark.parametrize("end", [None, PeerSilentError, PeerResetError, PeerFloodError])
def test_a_dialogue_that_breaks_off_anywhere_is_an_error(dialogue: str, end: type[Exception] | None) -> None:
    whole = b"".join(SERVER_SAYS[dialogue])
    reason = Reason.STARTTLS_TIMEOUT if end is PeerSilentError else Reason.STARTTLS_ERROR
    for length in range(len(whole)):
        assert outcome([whole[:length]], dialogue, end) is reason, whole[:length]


OVERLONG: dict[str, list[bytes]] = {
    "smtp": [b"220-" + b"x" * 20000 + b"\r\n", b"220-more\r\n" * 3000],
    "lmtp": [b"220 mail\r\n" + b"250-more\r\n" * 3000],
    "imap": [b"* OK ready\r\n" + b"* more\r\n" * 3000],
    "pop3": [b"+OK " + b"x" * 20000],
    "sieve": [b'"X"\r\n' * 6000, b'"X" {16385}\r\n', b'"X" {999999999}\r\n', b"{0}\r\n" * 6000],
    "ftp": [b"220-ftp\r\n" + b"more\r\n" * 6000],
    "ldap": [b"\x30\x84\x7f\xff\xff\xff", b"\x30\xff" + b"\xff" * 127, b"\x30\x82\x40\x00" + b"x" * 20000],
    "xmpp": [STREAM + b"<a>" * 6000, STREAM + b"<a b='" + b">" * 20000, STREAM + b"<x " + b"''" * 10000, b"<" * 20000],
    "xmpp-server": [STREAM + b" " * 20000],
    "nntp": [b"200 " + b"x" * 20000],
    "irc": [b"NOTICE * :x\r\n" * 3000],
    "mysql": [b"\x01\x40\x00\x00", b"\xff\xff\xff\x00" + b"\x0a" * 20000],
    "rdp": [b"\x03\x00\xff\xff" + b"x" * 20000],
}


@pytest.mark.parametrize(("dialogue", "said"), [(name, said) for name, those in OVERLONG.items() for said in those])
def test_an_overlong_reply_is_an_error_without_the_server_s_end(dialogue: str, said: bytes) -> None:
    began = time.process_time()
    for size in (16384, 7, 1):
        connection = Script([said[at : at + size] for at in range(0, len(said), size)], AssertionError)
        with pytest.raises(ProbeError) as caught:
            asyncio.run(start_tls(connection, dialogue, NAME))
        assert caught.value.reason is Reason.STARTTLS_ERROR
    assert time.process_time() - began < 2


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_a_silent_server_ends_the_dialogue(dialogue: str) -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt([b""], dialogue, then_close=False))
    assert caught.value.reason is Reason.STARTTLS_TIMEOUT


@pytest.mark.parametrize("dialogue", [name for name in DIALOGUES if name != "postgres"])
def test_a_server_that_drips_forever_ends_the_dialogue(dialogue: str) -> None:
    began = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        asyncio.run(attempt([OVERLONG[dialogue][0][:3] + b"\xff" * 1000], dialogue, pause=0.02, limit=0.4))
    assert caught.value.reason in {Reason.STARTTLS_TIMEOUT, Reason.STARTTLS_ERROR}
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("dialogue", DIALOGUES)
@given(data=st.data())
def test_no_bytes_lead_to_anything_but_tls_or_a_probe_error(dialogue: str, data: st.DataObject) -> None:
    whole = b"".join(SERVER_SAYS[dialogue])
    bits = st.one_of(
        st.binary(max_size=40),
        st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole))).map(lambda ends: whole[slice(*ends)]),
        st.sampled_from(SERVER_SAYS[dialogue]),
        st.sampled_from([b"\r\n", b"<", b">", b"'", b"{3}\r\n", b"\x30\x84", b" ", b"250-", b"a1 OK\r\n"]),
    )
    pieces = data.draw(st.lists(bits, max_size=12))
    end = data.draw(st.sampled_from([None, PeerSilentError, PeerResetError, PeerFloodError]))
    reasons = {Reason.STARTTLS_REFUSED, Reason.STARTTLS_ERROR, Reason.STARTTLS_TIMEOUT}
    assert outcome(pieces, dialogue, end) in {None, *reasons}


@given(st.binary(max_size=300), st.integers(0, 299), st.binary(min_size=1, max_size=4))
@example(b"", 0, b"\xff")
def test_a_changed_byte_never_crashes_a_binary_dialogue(tail: bytes, at: int, change: bytes) -> None:
    for dialogue in ("ldap", "mysql", "rdp", "postgres"):
        whole = b"".join(SERVER_SAYS[dialogue])
        at %= len(whole)
        outcome([whole[:at] + change + whole[at + len(change) :] + tail], dialogue)


def test_a_refusal_is_the_reason_of_the_whole_probe() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no service\r\n")

    async def run() -> None:
        async with plain_server(handler) as port:
            await read_handshake(port, starttls="smtp", protocol="smtp")

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.STARTTLS_REFUSED


@pytest.mark.parametrize(
    ("hostname", "address", "name"),
    [
        ("mx1.example.net", "192.0.2.1", "mx1.example.net"),
        ("MX1.Example.Net.", "192.0.2.1", "mx1.example.net"),
        ("scanner", "192.0.2.1", "[192.0.2.1]"),
        ("localhost", "2001:DB8::1", "[IPv6:2001:db8::1]"),
        ("localhost.localdomain", "::ffff:192.0.2.1", "[192.0.2.1]"),
        ("printer.local", "fe80::1%eth0", "[IPv6:fe80::1]"),
        ("ip-10-0-0-1.ec2.internal", "10.0.0.1", "[10.0.0.1]"),
        ("pod.namespace.svc.cluster.local", "10.0.0.1", "[10.0.0.1]"),
        ("router.home.arpa", "10.0.0.1", "[10.0.0.1]"),
        ("192.0.2.1", "192.0.2.1", "[192.0.2.1]"),
        ("under_score.example.net", "192.0.2.1", "[192.0.2.1]"),
        ("-.example.net", "192.0.2.1", "[192.0.2.1]"),
        ("a.example.net\r\nQUIT", "192.0.2.1", "[192.0.2.1]"),
        ("a" * 64 + ".example.net", "192.0.2.1", "[192.0.2.1]"),
        ("", "192.0.2.1", "[192.0.2.1]"),
    ],
)
def test_without_a_public_name_the_address_is_the_name(hostname: str, address: str, name: str) -> None:
    assert own_name(hostname, address) == name


@pytest.mark.parametrize(("dialogue", "verb"), [("smtp", b"EHLO"), ("lmtp", b"LHLO")])
def test_the_operator_s_name_goes_before_the_machine_s(dialogue: str, verb: bytes) -> None:
    connection = Script(SERVER_SAYS[dialogue])
    asyncio.run(start_tls(connection, dialogue, NAME, "scanner.example.com"))
    assert connection.written[0] == verb + b" scanner.example.com\r\n"
