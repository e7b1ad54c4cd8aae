"""The names of the demonstration: a name server with CAA records, and the addresses of a host with two machines."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from exporter.model import IpProtocol
from exporter.net.resolve import Lookup, resolve_all


class _NameServer(asyncio.DatagramProtocol):
    """Answers CAA for some hosts; every other name exists and has no records."""

    transport: asyncio.DatagramTransport

    def __init__(self, hosts: Collection[str]) -> None:
        self._names = {dns.name.from_text(host) for host in hosts}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        for question in query.question:
            if question.rdtype == dns.rdatatype.CAA and question.name in self._names:
                record = '0 issue "ca.demo.example"'
                response.answer.append(dns.rrset.from_text(question.name, 300, "IN", "CAA", record))
        self.transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def name_server(caa: Collection[str]) -> AsyncIterator[int]:
    """A name server on a free UDP port of 127.0.0.1, with CAA records for these hosts; yields the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _NameServer(caa), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def with_hosts(hosts: Mapping[str, tuple[str, ...]]) -> Lookup:
    """The system's lookup of addresses, with these hosts in addition: what a hosts file would be."""

    async def lookup(host: str, port: int, protocol: IpProtocol) -> tuple[str, ...]:
        return hosts[host] if host in hosts else await resolve_all(host, port, protocol)

    return lookup
