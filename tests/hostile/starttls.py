"""Hostile in the dialogues before TLS."""

import asyncio
import struct

from tests.hostile.behaviour import NOTHING_KNOWN, Behaviour, Peer, reached, unreached

SMTP, IMAP, POP3, FTP = "smtp+starttls", "imap+starttls", "pop3+starttls", "ftp+starttls"
XMPP, LDAP, MYSQL, POSTGRES = "xmpp+starttls", "ldap+starttls", "mysql+starttls", "postgres+starttls"
_HEAD = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


async def no_greeting(peer: Peer) -> None:
    """Never greets."""
    await peer.silence()


async def endless_banner(peer: Peer) -> None:
    """Has a banner without an end, as fast as it is read."""
    await peer.flood(b"220 " + b"x" * 4096)


async def slow_banner(peer: Peer) -> None:
    """Has a banner that comes a byte each half second."""
    await peer.drip(b"220 mail.example ESMTP" + b"." * 1000, 0.5)


async def endless_lines(peer: Peer) -> None:
    """Greets with 220- for ever."""
    await peer.flood(b"220-still here\r\n" * 100)


async def slow_lines(peer: Peer) -> None:
    """Greets with a line of 220- each half second."""
    await peer.flood(b"220-still here\r\n", 0.5)


async def endless_capabilities(peer: Peer) -> None:
    """Lists capabilities for ever."""
    await peer.send(b"220 mail.example\r\n")
    await peer.reader.readline()
    await peer.flood(b"250-CAPABILITY\r\n" * 100)


async def _offer(peer: Peer, *, answer: bytes) -> None:
    await peer.send(b"220 mail.example ESMTP\r\n")
    await peer.reader.readline()
    await peer.send(b"250-mail.example\r\n250 STARTTLS\r\n")
    await peer.reader.readline()
    await peer.send(answer)


async def then_plaintext(peer: Peer) -> None:
    """Accepts STARTTLS, and goes on in plain text."""
    await _offer(peer, answer=b"220 go ahead\r\n")
    await peer.reader.read(65536)
    await peer.send(b"500 unknown command\r\n")
    await peer.silence()


async def injected_plaintext(peer: Peer) -> None:
    """Sends plain text right after it accepts STARTTLS (CVE-2021-38371), then TLS."""
    await _offer(peer, answer=b"220 go ahead\r\n250 injected\r\n")
    await peer.secure()
    await peer.silence()


async def then_silence(peer: Peer) -> None:
    """Accepts STARTTLS and says nothing."""
    await _offer(peer, answer=b"220 go ahead\r\n")
    await peer.silence()


async def refuses_starttls(peer: Peer) -> None:
    """Offers STARTTLS and refuses it."""
    await _offer(peer, answer=b"454 TLS not available\r\n")
    await peer.silence()


async def refuses_every_other(peer: Peer) -> None:
    """Refuses STARTTLS on every other connection."""
    await _offer(peer, answer=b"220 go ahead\r\n" if peer.number % 2 else b"454 TLS not available\r\n")
    await peer.secure()
    await peer.silence()


async def greets_in_controls(peer: Peer) -> None:
    """Refuses with control and bidi characters."""
    await peer.send(b'554 \x1b[31m\x00\x07 \xe2\x80\xae "} 1 \xff\r\n')
    await peer.silence()


async def untagged_for_ever(peer: Peer) -> None:
    """Answers STARTTLS with untagged responses for ever."""
    await peer.send(b"* OK hello\r\n")
    await peer.reader.readline()
    await peer.flood(b"* 1 EXISTS\r\n" * 100)


async def answers_later(peer: Peer) -> None:
    """Answers each command as late as it may."""
    for line in (b"+OK hello\r\n", b"-ERR later\r\n"):
        await asyncio.sleep(3)
        await peer.send(line)
    await peer.silence()


async def another_code(peer: Peer) -> None:
    """Has a reply of many lines that ends with another code."""
    await peer.send(b"220-hello\r\n" + b"221 bye\r\n" * 5)
    await peer.silence()


async def xml_bomb(peer: Peer) -> None:
    """Declares entities that expand a billion times."""
    entities = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    await peer.send(b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "a">' + entities + b"]><a>&a9;</a>")
    await peer.silence()


async def endless_features(peer: Peer) -> None:
    """Nests elements among its features for ever."""
    await peer.reader.read(4096)
    await peer.send(_HEAD + b"<stream:features>")
    await peer.flood(b"<a>" * 100)


async def endless_attribute(peer: Peer) -> None:
    """Has an attribute without an end."""
    await peer.reader.read(4096)
    await peer.send(_HEAD[:-1] + b" a='")
    await peer.flood(b">" * 1000)


async def ldap_length(peer: Peer) -> None:
    """Announces an answer of 2^120 bytes."""
    await peer.reader.read(4096)
    await peer.send(b"\x30\x8f" + b"\xff" * 15)
    await peer.flood(bytes(4096))


async def ldap_most_length(peer: Peer) -> None:
    """Announces a length of 127 bytes and sends no more."""
    await peer.reader.read(4096)
    await peer.send(b"\x30\xff")
    await peer.silence()


async def mysql_length(peer: Peer) -> None:
    """Announces a greeting of 16 MiB."""
    await peer.send(b"\xff\xff\xff\x00\x0a")
    await peer.flood(bytes(4096))


async def mysql_empty(peer: Peer) -> None:
    """Has a greeting of no bytes."""
    await peer.send(b"\x00\x00\x00\x00")
    await peer.silence()


async def postgres_length(peer: Peer) -> None:
    """Answers with an error of 2 GiB."""
    await peer.reader.read(8)
    await peer.send(b"E" + struct.pack(">I", 0x7FFFFFFF))
    await peer.flood(b"x" * 4096)


async def postgres_nonsense(peer: Peer) -> None:
    """Answers SSLRequest with a letter that means nothing."""
    await peer.reader.read(8)
    await peer.send(b"?")
    await peer.silence()


_BROKEN, _LATE = "starttls_error", ("starttls_timeout", "deadline_exceeded")

DIALOGUES: tuple[Behaviour, ...] = (
    unreached(no_greeting, *_LATE, service=SMTP),
    unreached(endless_banner, _BROKEN, service=SMTP),
    unreached(slow_banner, *_LATE, _BROKEN, service=SMTP),
    unreached(endless_lines, _BROKEN, service=SMTP),
    unreached(slow_lines, *_LATE, _BROKEN, service=SMTP),
    unreached(endless_capabilities, _BROKEN, service=SMTP),
    unreached(then_plaintext, "not_tls", "handshake_error", service=SMTP),
    unreached(then_silence, "handshake_timeout", "deadline_exceeded", service=SMTP),
    unreached(refuses_starttls, "starttls_refused", service=SMTP),
    unreached(greets_in_controls, "starttls_refused", service=SMTP),
    unreached(another_code, _BROKEN, "starttls_refused", service=SMTP),
    reached(
        injected_plaintext,
        *("not_tls", "handshake_error", _BROKEN),
        service=SMTP,
        never=NOTHING_KNOWN,
    ),
    reached(
        refuses_every_other,
        *("success", "starttls_refused", "handshake_error", "deadline_exceeded"),
        service=SMTP,
        never=("compliant 1",),
    ),
    unreached(untagged_for_ever, _BROKEN, service=IMAP),
    unreached(answers_later, *_LATE, "starttls_refused", service=POP3),
    unreached(endless_lines, _BROKEN, service=FTP, name="ftp-endless-lines"),
    unreached(xml_bomb, _BROKEN, *_LATE, service=XMPP),
    unreached(endless_features, _BROKEN, service=XMPP),
    unreached(endless_attribute, _BROKEN, service=XMPP),
    unreached(ldap_length, _BROKEN, service=LDAP),
    unreached(ldap_most_length, _BROKEN, *_LATE, service=LDAP),
    unreached(mysql_length, _BROKEN, service=MYSQL),
    unreached(mysql_empty, _BROKEN, service=MYSQL),
    unreached(postgres_length, _BROKEN, service=POSTGRES),
    unreached(postgres_nonsense, _BROKEN, service=POSTGRES),
)
