"""Seeds, so that mutations reach deep code soon: the tables of the tests, and bytes of real servers."""

from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import h2.config
import h2.connection

from fuzz.certificates import CHAINS, LEAVES
from fuzz.memory import NAME
from fuzz.recorded import RECORDED
from tests.net.test_proxy import CONSENTS, FAILURES
from tests.net.test_starttls import ERRORS, GARBAGE, REFUSALS, SERVER_SAYS
from tests.probes.handshake.test_server_flight import MALFORMED, NOT_TLS, WHOLE
from tests.software.test_fields import SERVERS
from tests.software.test_greetings import GREETINGS
from tests.support.heads import ODD_HEADS, OPEN_HEADS
from tests.support.scripted import (
    alert,
    certificate_message,
    curve_message,
    extension,
    message,
    prime_message,
    record,
    server_hello,
    server_hello_message,
    ssl2_server_hello,
)
from tests.support.sd_documents import JSON, YAML

_FFDHE2048_BITS = 2048
_MOST_BYTES = 4096
"""Longer seeds slow the search down."""


def seeds(name: str) -> list[bytes]:
    """The seeds of the parser with this name, without duplicates, in a fixed order."""
    kind, _, rest = name.partition("-")
    return list(dict.fromkeys(_SEEDS[kind](rest)))


def _flight(_name: str) -> Iterator[bytes]:
    for _, data, _ in WHOLE:
        yield data
    yield from (*NOT_TLS, *MALFORMED)
    yield from _flights()


def _flights() -> Iterator[bytes]:
    """Complete answers, for each version and each kind of key exchange."""
    answered = extension(0xFF01, b"\0") + extension(23) + extension(35) + extension(5) + extension(16, b"\0\3\2h2")
    for version in (0x0300, 0x0301, 0x0302, 0x0303):
        scheme = 0x0804 if version == 0x0303 else None
        for suite, exchange in (
            (0x002F, b""),
            (0xC02F, curve_message(0x001D, scheme)),
            (0xC014, curve_message(0x0017, scheme)),
            (0x0033, prime_message(2**_FFDHE2048_BITS - 1, scheme)),
        ):
            hello = server_hello_message(version, suite, extensions=b"" if version == 0x0300 else answered)
            whole = hello + certificate_message(CHAINS[0]) + exchange + message(14)
            yield record(22, whole, version)
            yield b"".join(record(22, whole[at : at + 200], version) for at in range(0, len(whole), 200))
    for one in CHAINS:
        yield record(22, server_hello_message(0x0303, 0xC02B) + certificate_message(one) + message(14))
    for retry in (False, True):
        yield server_hello(0x0304, 0x1301, retry=retry)
    yield record(22, server_hello_message(0x0303, 0xC02F, random=bytes(24) + b"DOWNGRD\1"))
    yield alert(112, level=1) + alert(40)
    yield ssl2_server_hello([0x010080, 0x0700C0], CHAINS[0][0])


def _key(_name: str) -> Iterator[bytes]:
    yield from LEAVES


def _chain(_name: str) -> Iterator[bytes]:
    for one in CHAINS:
        yield b"".join(one)


_HSTS = (
    b"max-age=31536000; includeSubDomains; preload",
    b'max-age="31536000"',
    b'MAX-AGE = "\\0\\1";;includesubdomains',
    b"max-age=0\nmax-age=1",
    b"max-age=99999999999999999999; max-age=1",
    b'x="\\\xff;max-age=1',
    b"",
)


def _hsts(_name: str) -> Iterator[bytes]:
    yield from _HSTS


def _http(_name: str) -> Iterator[bytes]:
    for field in _HSTS[:5]:
        fields = b"\r\n".join(b"Strict-Transport-Security: " + line for line in field.split(b"\n"))
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n\r\n"
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield b"HTTP/1.0 301 Moved\nLocation: /\n\n<html>"
    yield b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nX:\r\n folded\r\n\r\n"
    kept = b"HTTP/1.1 404 Not Found\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 2\r\n\r\nno"
    yield 3 * kept
    yield from GARBAGE


def _head(_name: str) -> Iterator[bytes]:
    yield from (odd.head for odd in ODD_HEADS)
    yield from (head for _, head in OPEN_HEADS)


def _http2(_name: str) -> Iterator[bytes]:
    for fields in (
        [(":status", "200")],
        [(":status", "404"), ("strict-transport-security", "max-age=1"), ("strict-transport-security", "junk")],
        [(":status", "103"), ("link", "</a>")],
        [(":status", "x")],
        [("server", "x")],
    ):
        server = _http2_server()
        server.send_headers(1, fields, end_stream=fields[0][1] != "103")
        yield server.data_to_send()
    gives_up, leaves, pushes = _http2_server(), _http2_server(), _http2_server()
    gives_up.reset_stream(1)
    leaves.close_connection()
    pushes.push_stream(1, 2, _REQUEST)
    yield from (server.data_to_send() for server in (gives_up, leaves, pushes))


_REQUEST = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", NAME)]


def _http2_server() -> h2.connection.H2Connection:
    """A server that has received a request on stream 1."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, _REQUEST, end_stream=True)
    config = h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
    server = h2.connection.H2Connection(config)
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    return server


def _fields(_name: str) -> Iterator[bytes]:
    for value in SERVERS:
        data = value.encode("latin-1", "replace")
        if len(data) <= _MOST_BYTES:
            yield data
    yield b"server: Apache/2.4.57 (Debian)\nx-powered-by: PHP/7.4.33-1+0~20221108.73+debian11~1.gbp60cdd1, ASP.NET"
    yield b"via: 1.1 a (squid/3.5.20), 1.1 b (Apache/2.4.68 (Ubuntu)), HTTP/1.1 kong/3.6.1, 1.1 Caddy\nserver: nginx"


def _greeting(_name: str) -> Iterator[bytes]:
    for _, text, _ in GREETINGS:
        yield text.encode() + b"\r\n"
    for dialogues in RECORDED.values():
        yield from dialogues
    yield b"220-a ESMTP Exim 4.99.1\r\n  free\r\n220 b\r\n"


_RECORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("CAA", ('0 issue "ca.example.net; accounturi=https://ca.example.net/1"', '128 issuewild ";"', '0 tbs "\\255"')),
    ("CAA", ('0 iodef "mailto:a@test.example"',)),
    ("CNAME", ("other.example.",)),
    ("DNAME", ("other.example.",)),
    ("TXT", ('"text"',)),
    ("SRV", ("0 0 993 imap.test.example.", "0 0 993 a\\.b.test.example.", "0 0 0 .")),
    ("MX", ("10 mx.test.example.", "0 .")),
    ("AAAA", ("2001:db8::1", "::ffff:0.0.0.0")),
)


def _dns(_name: str) -> Iterator[bytes]:
    query = dns.message.make_query(f"{NAME}.", "CAA", use_edns=True, id=0)
    for kind, records in _RECORDS:
        response = dns.message.make_response(query, recursion_available=True)
        for one in records:  # separate sets, because the order within a set is random
            response.answer.append(dns.rrset.from_text(f"{NAME}.", 300, "IN", kind, one))
        if kind == "CNAME":
            response.answer.append(dns.rrset.from_text("other.example.", 300, "IN", "CAA", '0 issue "a"'))
        yield response.to_wire()
    for code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.YXDOMAIN):
        response = dns.message.make_response(query)
        response.set_rcode(code)
        yield response.to_wire()
        soa = "ns.test.example. admin.test.example. 1 2 3 4 5"
        response.authority.append(dns.rrset.from_text("test.example.", 300, "IN", "SOA", soa))
        yield response.to_wire()
        response.flags |= dns.flags.TC
        yield response.to_wire()


def _starttls(dialogue: str) -> Iterator[bytes]:
    yield b"".join(SERVER_SAYS[dialogue])
    yield from RECORDED.get(dialogue, ())
    for name, said in (*REFUSALS, *ERRORS):
        if name == dialogue:
            yield b"".join(said)


def _proxy(scheme: str) -> Iterator[bytes]:
    for proxy, said in (*CONSENTS, *((proxy, said) for proxy, said, _, _ in FAILURES.values())):
        whole = b"".join(said)
        if proxy.scheme == scheme and len(whole) < _MOST_BYTES:
            yield whole


def _lists(_name: str) -> Iterator[bytes]:
    yield from (document.data for document in (*YAML.values(), *JSON.values()) if len(document.data) <= _MOST_BYTES)


_SEEDS: dict[str, Callable[[str], Iterator[bytes]]] = {
    "flight": _flight,
    "prime": _flight,
    "key": _key,
    "tls": _flight,
    "chain": _chain,
    "http": _http,
    "head": _head,
    "http2": _http2,
    "hsts": _hsts,
    "fields": _fields,
    "greeting": _greeting,
    "dns": _dns,
    "lists": _lists,
    "starttls": _starttls,
    "proxy": _proxy,
}
