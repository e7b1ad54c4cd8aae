"""A name server whose answers are a table."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


class Odd(Enum):
    """Responses that are not valid answers."""

    TRUNCATED = "cut to fit a datagram, though nobody listens for TCP"
    LAME = "a referral to the root"
    GARBAGE = "bytes that are no message"
    STRANGER = "the answer to another question"


Answers = Mapping[str, list[str] | dns.rcode.Rcode | Odd | None]
"""Name -> its records (empty: the name exists and has none), an error, or None for no answer at all.

A record is the text of a CAA record, or has its type in front; `CNAME other.example` is an alias. A name that is
not listed does not exist.
"""


@dataclass(frozen=True)
class Manner:
    """How it answers.

    Attributes:
        recursive: it announces recursion.
        ttl: of all records.
        negative_ttl: what the zone's SOA says of missing records; None has no SOA.
        secure: names whose answers are marked as validated, if the query asks for that.
        open_gate: answers wait for this event.
    """

    recursive: bool = True
    ttl: int = 300
    negative_ttl: int | None = None
    secure: Collection[str] = ()
    open_gate: asyncio.Event | None = None


class _Server(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, answers: Answers, asked: list[str], manner: Manner) -> None:
        self.answers, self.asked, self.manner = answers, asked, manner
        self.waiting: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(query.question[0].name.to_text(omit_final_dot=True))
        if self.manner.open_gate is None:
            self._reply(query, addr)
        else:
            task = asyncio.create_task(self._reply_later(self.manner.open_gate, query, addr))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)

    async def _reply_later(self, gate: asyncio.Event, query: dns.message.Message, addr: tuple[str | int, ...]) -> None:
        await gate.wait()
        self._reply(query, addr)

    def _reply(self, query: dns.message.Message, addr: tuple[str | int, ...]) -> None:
        name, kind = query.question[0].name, query.question[0].rdtype
        response = dns.message.make_response(query)
        if self.manner.recursive:
            response.flags |= dns.flags.RA
        if query.flags & dns.flags.AD and name.to_text(omit_final_dot=True) in self.manner.secure:
            response.flags |= dns.flags.AD
        found = self.answers.get(name.to_text(omit_final_dot=True), dns.rcode.NXDOMAIN)
        if found is Odd.GARBAGE:
            self.transport.sendto(response.to_wire()[:7], addr)
        elif self._fill(response, name, kind):
            self.transport.sendto(response.to_wire(max_size=65535), addr)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> bool:
        found = self.answers.get(name.to_text(omit_final_dot=True), dns.rcode.NXDOMAIN)
        match found:
            case None:
                return False
            case dns.rcode.Rcode():
                response.set_rcode(found)
            case Odd.TRUNCATED:
                response.flags |= dns.flags.TC
            case Odd.LAME:
                response.authority.append(dns.rrset.from_text(".", 300, "IN", "NS", "a.root-servers.example."))
            case Odd.STRANGER:
                response.question = [dns.rrset.from_text("other.example.", 0, "IN", "CAA")]
            case list():
                return self._records(response, name, kind, found)
        self._soa(response, found)
        return True

    def _records(
        self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType, found: list[str]
    ) -> bool:
        records = [_typed(record) for record in found]
        for other, rest in records:
            if other == "CNAME":
                response.answer.append(dns.rrset.from_text(name, self.manner.ttl, "IN", other, f"{rest}."))
                return self._fill(response, dns.name.from_text(rest), kind)
        wanted = [rest for other, rest in records if other == dns.rdatatype.to_text(kind)]
        if wanted:
            response.answer.append(dns.rrset.from_text(name, self.manner.ttl, "IN", kind, *wanted))
        else:
            self._soa(response, dns.rcode.NXDOMAIN)
        return True

    def _soa(self, response: dns.message.Message, found: object) -> None:
        if found is dns.rcode.NXDOMAIN and self.manner.negative_ttl is not None:
            text = f"ns.example. x.example. 1 2 3 4 {self.manner.negative_ttl}"
            response.authority.append(dns.rrset.from_text(".", 86400, "IN", "SOA", text))


def _typed(record: str) -> tuple[str, str]:
    """Type and text of a record."""
    kind, _, rest = record.partition(" ")
    return ("CAA", record) if kind.isdigit() else (kind, rest)


@dataclass
class Server:
    """A server that is running.

    Attributes:
        asked: names of the queries, in order.
    """

    port: int
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def running_server(answers: Answers, manner: Manner | None = None) -> AsyncIterator[Server]:
    """The table behind a UDP port of 127.0.0.1."""
    server, loop = Server(0), asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Server(answers, server.asked, manner or Manner()), local_addr=("127.0.0.1", 0)
    )
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()


@asynccontextmanager
async def name_server(answers: Answers, *, recursive: bool = True) -> AsyncIterator[tuple[int, list[str]]]:
    """The same as `running_server`; yields the port and the names of the queries, in order."""
    async with running_server(answers, Manner(recursive=recursive)) as server:
        yield server.port, server.asked
