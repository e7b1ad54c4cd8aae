"""Which responses are valid answers, which name server is queried next, and how: with datagrams of real sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rrset
import pytest
from dns.asyncresolver import Resolver
from dns.message import Message, QueryMessage
from dns.name import from_text
from dns.nameserver import Do53Nameserver
from dns.rcode import BADVERS, FORMERR, NOERROR, NOTIMP, NXDOMAIN, REFUSED, SERVFAIL, Rcode
from dns.rdatatype import CAA

from exporter.net.nameservers import PAYLOAD_BYTES, LookupFailedError, ask_servers, make_resolver
from tests.support.names import running_server

HOST = "www.shop.example"
ISSUE = '0 issue "ca.example.net"'
SOA = "ns.example. x.example. 1 2 3 4 60"

Reply = Callable[[Message], Message | bytes | None]
"""What is said to a question; None is silence."""


class _Scripted(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.asked.append(query := dns.message.from_wire(data))
        said = self.reply(query)
        if said is not None:
            self.transport.sendto(said if isinstance(said, bytes) else _fitting(said, query), addr)


def _fitting(response: Message, query: Message) -> bytes:
    """As a datagram, cut where it does not fit."""
    try:
        return response.to_wire(max_size=PAYLOAD_BYTES if query.edns >= 0 else 512)
    except dns.exception.TooBig:
        response.flags |= dns.flags.TC
        response.answer.clear()
        return response.to_wire()


@asynccontextmanager
async def scripted(reply: Reply) -> AsyncIterator[tuple[int, list[Message]]]:
    """A server on UDP alone; gives its port and what it was asked."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: _Scripted(reply), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1], server.asked
    finally:
        transport.close()


def says(
    code: Rcode = NOERROR, *lines: str, flags: int = dns.flags.RA, edns: bool = True
) -> Callable[[Message], Message]:
    """A response with these records, each with its section before it."""

    def reply(query: Message) -> Message:
        response = dns.message.make_response(query)
        if not edns:
            response.use_edns(False)
        response.set_rcode(code)
        response.flags |= flags
        for line in lines:
            section, name, kind, *rest = line.split(" ")
            place = {"answer": response.answer, "authority": response.authority}[section]
            place.append(dns.rrset.from_text(f"{name}." if name != "." else name, 300, "IN", kind, " ".join(rest)))
        return response

    return reply


RECORD = f"answer {HOST} CAA {ISSUE}"
OF_ZONE, OF_OTHER = f"authority shop.example SOA {SOA}", f"authority other.example SOA {SOA}"
GOOD = says(NOERROR, RECORD)
AA, RA = dns.flags.AA, dns.flags.RA

LAME: list[tuple[str, Reply]] = [
    ("REFUSED", says(REFUSED)),
    ("SERVFAIL", says(SERVFAIL)),
    ("NOTIMP", says(NOTIMP)),
    ("no such name, neither with authority nor recursed", says(NXDOMAIN, flags=0)),
    ("the same with the zone's SOA", says(NXDOMAIN, OF_ZONE, flags=0)),
    ("no records, neither with authority nor recursed", says(NOERROR, OF_ZONE, flags=0)),
    ("no such name, with authority and without SOA", says(NXDOMAIN, flags=AA)),
    ("no records, with authority and without SOA", says(NOERROR, flags=AA)),
    ("no such name, by the SOA of another zone", says(NXDOMAIN, OF_OTHER, flags=AA)),
    ("no such name, recursed to the SOA of another zone", says(NXDOMAIN, OF_OTHER)),
    ("no records, recursed to the SOA of another zone", says(NOERROR, OF_OTHER)),
    ("no such name, and its records", says(NXDOMAIN, RECORD)),
    ("no such name, and records of another", says(NXDOMAIN, f"answer a.example CAA {ISSUE}")),
    ("a referral to the root", says(NOERROR, "authority . NS a.root-servers.example.")),
    ("no such name, with a referral", says(NXDOMAIN, "authority . NS a.root-servers.example.")),
    ("silence", lambda _: None),
    ("bytes that are no message", lambda query: query.to_wire()[:7]),
    ("a cut answer whose rest nobody has", says(NOERROR, flags=RA | dns.flags.TC)),
]

NONE: list[tuple[str, Reply]] = [
    ("no such name, recursed", says(NXDOMAIN)),
    ("no such name, recursed, with the zone's SOA", says(NXDOMAIN, OF_ZONE)),
    ("no such name, with authority and the zone's SOA", says(NXDOMAIN, OF_ZONE, flags=AA)),
    ("no such name, by the root", says(NXDOMAIN, f"authority . SOA {SOA}")),
    ("no records, recursed", says(NOERROR)),
    ("no records, recursed, with the zone's SOA", says(NOERROR, OF_ZONE)),
    ("no records, with authority and the zone's SOA", says(NOERROR, OF_ZONE, flags=AA)),
]


def at(*ports: int, seconds: float = 20.0, a_try: float = 0.1) -> Resolver:
    """A resolver with these ports of 127.0.0.1."""
    resolver = Resolver(configure=False)
    resolver.nameservers = [Do53Nameserver("127.0.0.1", port) for port in ports]
    resolver.lifetime, resolver.timeout = seconds, a_try
    return resolver


async def ask(resolver: Resolver, *, validating: bool = False) -> QueryMessage:
    return await ask_servers(resolver, from_text(HOST), CAA, validating=validating)


def count(response: QueryMessage) -> int:
    """Records of the answer."""
    found = response.resolve_chaining().answer
    return len(found) if found else 0


@pytest.mark.parametrize("lame", [one[1] for one in LAME], ids=[one[0] for one in LAME])
def test_after_a_server_without_an_answer_the_next_one_is_asked(lame: Reply) -> None:
    async def run() -> int:
        async with scripted(lame) as (first, asked), scripted(GOOD) as (second, _):
            found = count(await ask(at(first, second)))
            assert asked
            return found

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("lame", [one[1] for one in LAME], ids=[one[0] for one in LAME])
def test_what_is_no_answer_is_none_when_nobody_has_another(lame: Reply) -> None:
    async def run() -> None:
        async with scripted(lame) as (port, _):
            await ask(at(port, seconds=0.1))

    with pytest.raises(LookupFailedError):
        asyncio.run(run())


@pytest.mark.parametrize("none", [one[1] for one in NONE], ids=[one[0] for one in NONE])
def test_servers_say_in_these_ways_that_there_is_nothing(none: Reply) -> None:
    """What BIND, Unbound, Knot, dnsmasq and systemd-resolved say; the last two leave the SOA out."""

    async def run() -> int:
        async with scripted(none) as (port, _), scripted(GOOD) as (never, asked):
            found = count(await ask(at(port, never, a_try=20)))
            assert not asked
            return found

    assert asyncio.run(run()) == 0


def test_a_clock_that_is_set_back_does_not_prolong_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    true, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: true() + ahead[0])

    def other(query: Message) -> Message:
        """An answer to another question, which is passed over; the wait for the right one goes on."""
        ahead[0] = -86_400.0
        response = GOOD(query)
        response.id ^= 1
        return response

    async def run() -> int:
        async with scripted(other) as (first, asked), scripted(GOOD) as (second, _), asyncio.timeout(30):
            found = count(await ask(at(first, second)))
            assert asked
            return found

    assert asyncio.run(run()) == 1


def test_a_port_that_nobody_listens_on_is_passed_over() -> None:
    async def run() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = closed.getsockname()[1]
        async with scripted(GOOD) as (port, _):
            return count(await ask(at(nobody, port)))

    assert asyncio.run(run()) == 1


def many(query: Message) -> Message:
    """A set over 512 bytes and below 1,232."""
    response = GOOD(query)
    issuers = [f'0 issue "ca{number}.a-rather-long-name.test"' for number in range(15)]
    response.answer = [dns.rrset.from_text(f"{HOST}.", 300, "IN", "CAA", *issuers)]
    return response


def test_a_set_over_512_bytes_comes_where_tcp_is_closed() -> None:
    async def run() -> int:
        async with scripted(many) as (port, asked):
            found = count(await ask(at(port, a_try=20)))
            assert [one.payload for one in asked] == [PAYLOAD_BYTES]
            return found

    assert asyncio.run(run()) == 15


class _OverTcp(Do53Nameserver):
    """Asked over TCP at once: one port for both protocols may be taken in one of them."""

    def is_always_max_size(self) -> bool:
        return True


@asynccontextmanager
async def scripted_tcp(reply: Reply) -> AsyncIterator[Resolver]:
    """A server on TCP alone; gives a resolver for it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2))
        said = cast("Message", reply(dns.message.from_wire(await reader.readexactly(size)))).to_wire()
        writer.write(len(said).to_bytes(2) + said)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        resolver = at(a_try=20)
        resolver.nameservers = [_OverTcp("127.0.0.1", server.sockets[0].getsockname()[1])]
        yield resolver


@pytest.mark.parametrize("record", [[], [RECORD]])
def test_an_answer_that_is_cut_over_tcp_too_is_none(record: list[str]) -> None:
    """Neither that there are no records, nor that these are all."""

    async def run() -> int:
        async with scripted_tcp(says(NOERROR, *record)) as resolver:
            whole = count(await ask(resolver))
        async with scripted_tcp(says(NOERROR, *record, flags=RA | dns.flags.TC)) as resolver:
            with pytest.raises(LookupFailedError, match="truncated"):
                await ask(resolver)
        return whole

    assert asyncio.run(run()) == len(record)


@pytest.mark.parametrize("code", [FORMERR, NOTIMP, BADVERS])
def test_a_server_that_does_not_know_edns_is_asked_without(code: Rcode) -> None:
    def reply(query: Message) -> Message:
        return says(code, edns=code is BADVERS)(query) if query.edns >= 0 else GOOD(query)

    async def run() -> int:
        async with scripted(reply) as (port, asked):
            found = count(await ask(at(port, a_try=20)))
            assert [one.edns for one in asked] == [0, -1]
            return found

    assert asyncio.run(run()) == 1


def test_a_server_behind_something_that_drops_edns_is_asked_without() -> None:
    async def run() -> int:
        async with scripted(lambda query: None if query.edns >= 0 else GOOD(query)) as (port, _):
            return count(await ask(at(port)))

    assert asyncio.run(run()) == 1


def test_a_resolver_that_validates_is_never_asked_without_edns() -> None:
    """Without, it would not say what is signed."""

    async def run() -> None:
        async with scripted(lambda query: says(FORMERR)(query) if query.edns >= 0 else GOOD(query)) as (port, asked):
            with pytest.raises(LookupFailedError, match="FORMERR"):
                await ask(at(port), validating=True)
            assert [(one.edns, one.ednsflags) for one in asked] == [(0, dns.flags.DO)]

    asyncio.run(run())


def test_an_ordinary_server_is_asked_once() -> None:
    async def run() -> list[str]:
        async with running_server({HOST: [ISSUE]}) as server:
            await ask(at(server.port, a_try=20))
            return server.asked

    assert asyncio.run(run()) == [HOST]


@pytest.mark.parametrize(("servers", "seconds", "a_try"), [(1, 5.0, 2.0), (1, 1.0, 0.5), (2, 3.0, 1.0), (3, 5.0, 1.25)])
def test_the_first_server_does_not_use_up_the_time_of_the_others(servers: int, seconds: float, a_try: float) -> None:
    resolver = make_resolver(["127.0.0.1"] * servers, 53, seconds)
    assert (resolver.lifetime, resolver.timeout) == (seconds, a_try)


def test_a_zone_that_an_address_does_not_need_leads_to_the_same_server() -> None:
    """RFC 4007, 6: only link-local addresses need one, and loopback has none of those."""

    async def run() -> int:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Scripted(GOOD), local_addr=("::1", 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            return count(await ask(make_resolver(["::1%lo"], port)))
        finally:
            transport.close()

    assert asyncio.run(run()) == 1
