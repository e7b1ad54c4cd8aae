"""Hostile name servers: one server, whose manner depends on the first label of the name that is asked for.

It runs in a process of its own, because the healthy targets need it too.
"""

import asyncio
import os
import struct
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.message import Message as Response
from dns.message import QueryMessage as Query

from tests.hostile.behaviour import Behaviour, Peer, about, reached

Manner = Callable[[Query, bool], bytes | None]
"""The response to a query, which came over TCP or not. None does not answer."""


def _answer(query: Query) -> Response:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    return response


def _negative(query: Query) -> Response:
    response = _answer(query)
    response.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", "ns.example. x.example. 1 2 3 4 60"))
    return response


def _records(query: Query, *texts: str, kind: str = "CAA", name: dns.name.Name | None = None) -> Response:
    response = _answer(query)
    response.answer.append(dns.rrset.from_text(name or query.question[0].name, 60, "IN", kind, *texts))
    return response


def ordinary(query: Query, _tcp: bool) -> bytes:
    """Has a CAA record at each name below test.example and hostile.example, and nothing else."""
    question = query.question[0]
    if question.rdtype == dns.rdatatype.CAA and len(question.name) > 2:
        return _records(query, '0 issue "ca.test.example"').to_wire()
    return _negative(query).to_wire()


def dns_drops(query: Query, _tcp: bool) -> None:
    """Never answers."""


def dns_truncates(query: Query, tcp: bool) -> bytes | None:
    """Cuts its answers, and is silent over TCP."""
    response = _answer(query)
    response.flags |= dns.flags.TC
    return None if tcp else response.to_wire()


def dns_truncates_for_ever(query: Query, tcp: bool) -> bytes:
    """Cuts its answers over TCP too."""
    response = _answer(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def dns_alias_loop(query: Query, _tcp: bool) -> bytes:
    """Has an alias to itself."""
    name = query.question[0].name
    return _records(query, name.to_text(), kind="CNAME").to_wire()


def dns_alias_chain(query: Query, _tcp: bool) -> bytes:
    """Has an alias to a new name each time."""
    domain = dns.name.from_text("dns-alias-chain.hostile.example.")
    return _records(query, f"x{os.urandom(8).hex()}.{domain}", kind="CNAME").to_wire()


def dns_garbage(query: Query, _tcp: bool) -> bytes:
    """Answers with the ID of the query and garbage."""
    return struct.pack(">H", query.id) + os.urandom(200)


def dns_pointer_loop(query: Query, _tcp: bool) -> bytes:
    """Answers with a name whose compression points to itself."""
    return struct.pack(">HHHHHH", query.id, 0x8180, 1, 1, 0, 0) + b"\xc0\x0c\x01\x01\x00\x01" + b"\xc0\x0c"


def dns_servfail(query: Query, _tcp: bool) -> bytes:
    """Answers with SERVFAIL."""
    return _failing(query, dns.rcode.SERVFAIL)


def dns_refused(query: Query, _tcp: bool) -> bytes:
    """Answers with REFUSED."""
    return _failing(query, dns.rcode.REFUSED)


def dns_nxdomain(query: Query, _tcp: bool) -> bytes:
    """Says that the name does not exist."""
    response = _negative(query)
    response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


def _failing(query: Query, code: dns.rcode.Rcode) -> bytes:
    response = _answer(query)
    response.set_rcode(code)
    return response.to_wire()


def dns_wrong_id(query: Query, _tcp: bool) -> bytes:
    """Answers with another ID."""
    return struct.pack(">H", query.id ^ 0xFFFF) + ordinary(query, False)[2:]


def dns_wrong_question(query: Query, _tcp: bool) -> bytes:
    """Answers another question."""
    response = _answer(query)
    response.question = [dns.rrset.from_text("other.example.", 0, "IN", "CAA")]
    return response.to_wire()


def dns_huge(query: Query, tcp: bool) -> bytes:
    """Has 60,000 bytes of records, over TCP."""
    if not tcp:
        return dns_truncates_for_ever(query, False)
    return _records(query, *(f'0 issue "ca-{n}.{"x" * 200}"' for n in range(250))).to_wire(max_size=65535)


def dns_controls(query: Query, _tcp: bool) -> bytes:
    """Has a CAA record of control characters."""
    return _records(query, '0 issue "\\027[31m\\010\\013\\"} 1 \\226\\128\\174"').to_wire()


LATE_SECONDS = 4.0
LATE = {"dns-delays": LATE_SECONDS}


def dns_delays(query: Query, _tcp: bool) -> bytes:
    """Answers after four seconds."""
    return ordinary(query, False)


MANNERS: dict[str, Manner] = {
    manner.__name__.replace("_", "-"): manner
    for manner in (
        dns_drops,
        dns_truncates,
        dns_truncates_for_ever,
        dns_alias_loop,
        dns_alias_chain,
        dns_garbage,
        dns_pointer_loop,
        dns_servfail,
        dns_refused,
        dns_nxdomain,
        dns_wrong_id,
        dns_wrong_question,
        dns_huge,
        dns_controls,
        dns_delays,
    )
}


async def ordinary_server(peer: Peer) -> None:
    """Is an ordinary server, with a hostile name server."""
    await peer.secure()
    while True:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


_FAILS = "dns_error deadline_exceeded"
_WITH_ANSWER = {"dns-nxdomain", "dns-huge", "dns-controls", "dns-delays"}

NAMES: tuple[Behaviour, ...] = tuple(
    reached(
        ordinary_server,
        name=name,
        doc=about(manner),
        dns=f"success {_FAILS}" if name in _WITH_ANSWER else _FAILS,
        never=() if name in _WITH_ANSWER else ("caa_present",),
    )
    for name, manner in MANNERS.items()
)


def _manner_of(query: Query) -> tuple[str, Manner]:
    """By the label in front of `hostile.example`."""
    labels = [label.decode("latin-1") for label in query.question[0].name.labels]
    name = labels[-4] if labels[-3:-1] == ["hostile", "example"] and len(labels) > 3 else ""
    return name, MANNERS.get(name, ordinary)


def _parsed(data: bytes) -> Query | None:
    try:
        return cast("Query", dns.message.from_wire(data))
    except dns.exception.DNSException:
        return None


class _Datagrams(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        query = _parsed(data)
        if query is None:
            return
        name, manner = _manner_of(query)
        response = manner(query, False)
        if response is not None:
            asyncio.get_running_loop().call_later(LATE.get(name, 0.0), self.transport.sendto, response, addr)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            (size,) = struct.unpack(">H", await reader.readexactly(2))
            query = _parsed(await reader.readexactly(size))
            response = _manner_of(query)[1](query, True) if query else None
            if response is not None:
                writer.write(struct.pack(">H", len(response)) + response)
                await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def serve_names(address: str) -> int:
    """Serve by UDP and TCP on a port of this address; returns the port."""
    server = await asyncio.start_server(_stream, address, 0)
    port: int = server.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().create_datagram_endpoint(_Datagrams, local_addr=(address, port))
    await server.start_serving()
    _KEPT.append(server)
    return port


_KEPT: list[asyncio.Server] = []
