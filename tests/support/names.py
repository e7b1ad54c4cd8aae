"""A name server whose answers are a table."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Answers = Mapping[str, list[str] | dns.rcode.Rcode | None]
"""Name -> the CAA records there (none: the name exists and has none), an error, or None to say nothing at all.

`CNAME other.example` as a record is an alias. What is not listed does not exist.
"""


class _Server(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, answers: Answers, asked: list[str], *, recursive: bool) -> None:
        self.answers, self.asked, self.recursive = answers, asked, recursive

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        response = dns.message.make_response(query)
        if self.recursive:
            response.flags |= dns.flags.RA
        if self._fill(response, name):
            self.transport.sendto(response.to_wire(), addr)

    def _fill(self, response: dns.message.Message, name: dns.name.Name) -> bool:
        key = name.to_text(omit_final_dot=True)
        found = self.answers.get(key, dns.rcode.NXDOMAIN)
        if found is None:
            return False
        if isinstance(found, dns.rcode.Rcode):
            response.set_rcode(found)
            return True
        for record in found:
            kind, _, rest = record.partition(" ")
            if kind == "CNAME":
                response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", f"{rest}."))
                return self._fill(response, dns.name.from_text(rest))
        if found:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "CAA", *found))
        return True


@asynccontextmanager
async def name_server(answers: Answers, *, recursive: bool = True) -> AsyncIterator[tuple[int, list[str]]]:
    """The table behind a UDP port of 127.0.0.1; gives the port and the names asked for, in order."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Server(answers, asked, recursive=recursive), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1], asked
    finally:
        transport.close()
