"""Ask name servers one after the other until one gives an answer.

This module decides how a question is sent (EDNS, TCP, time) and which responses are answers. It has no cache.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import dns.asyncbackend
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from dns.asyncresolver import Resolver
from dns.message import ChainingResult, QueryMessage
from dns.name import Name
from dns.nameserver import Do53Nameserver, Nameserver
from dns.rdatatype import RdataType

from exporter.model import plain_address
from exporter.shortage import raise_shortage

PAYLOAD_BYTES = 1232
"""Largest DNS message over UDP that is not fragmented anywhere (DNS flag day 2020). Longer ones come over TCP."""
NO_EDNS = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})
"""Response codes of a server that does not support EDNS, or this version of it (RFC 6891, 6.1.3 and 7)."""
ANSWERS = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
_BACKEND = dns.asyncbackend.get_backend("asyncio")


class LookupFailedError(Exception):
    """There is no answer, which does not mean that there are no records."""


def make_resolver(nameservers: Sequence[str], port: int = 53, lifetime_seconds: float = 5.0) -> Resolver:
    """A resolver for these name servers; they share `lifetime_seconds` for one question.

    At first each server gets an equal part of it. One part is left to ask the first server again.
    """
    resolver = Resolver(configure=False)
    resolver.nameservers = list(nameservers)
    resolver.port, resolver.lifetime = port, lifetime_seconds
    resolver.timeout = min(resolver.timeout, lifetime_seconds / (len(nameservers) + 1))
    return resolver


async def ask_servers(resolver: Resolver, name: Name, kind: RdataType, *, validating: bool = False) -> QueryMessage:
    """Return the first response that is an answer. All servers are asked in order, then the silent ones again.

    Args:
        resolver: its name servers, port, and time limits (one try, all tries) are used.
        name: looked up as it is, without a search list.
        kind: of records.
        validating: ask for the AD bit. A validating server supports EDNS, so it is not asked without it.

    Raises:
        LookupFailedError: no server gave an answer; says what each of them did.
        ShortageError: this machine has no descriptor, memory or port for it.
    """
    servers, limit = [_server(one, resolver.port) for one in resolver.nameservers], _Limit(resolver)
    said: list[str] = []
    edns = True
    while servers and limit.seconds > 0:
        silent: list[Nameserver] = []
        for server in servers:
            try:
                return await _ask(server, _query(name, kind, edns=edns, validating=validating), limit)
            except dns.exception.Timeout:
                said.append(f"{server} did not answer in time")
                silent.append(server)
            except (dns.exception.DNSException, OSError, EOFError, LookupFailedError) as error:
                raise_shortage(error, f"{server}: cannot ask")
                said.append(f"{server}: {str(error) or type(error).__name__}")
        # Silence may come from something on the path that drops EDNS (RFC 6891, 6.2.2).
        servers, edns = silent, validating or not edns
    raise LookupFailedError("; ".join(dict.fromkeys(said)) or "there is no name server")


class _Limit:
    """How long one lookup may take."""

    def __init__(self, resolver: Resolver) -> None:
        self._of_a_try, self._until = resolver.timeout, time.monotonic() + resolver.lifetime

    @property
    def seconds(self) -> float:
        """Time limit of the next try."""
        return min(self._of_a_try, self._until - time.monotonic())


def _server(known: str | Nameserver, port: int) -> Nameserver:
    return Do53Nameserver(plain_address(known), port) if isinstance(known, str) else known


def _query(name: Name, kind: RdataType, *, edns: bool, validating: bool) -> QueryMessage:
    # RFC 6840, 5.7: AD in a query asks for AD in the response. DO is for older resolvers.
    flags = dns.flags.RD | (dns.flags.AD if validating else 0)
    if not edns:
        return dns.message.make_query(name, kind, use_edns=False, flags=flags)
    dnssec = dns.flags.DO if validating else 0
    return dns.message.make_query(name, kind, use_edns=0, ednsflags=dnssec, payload=PAYLOAD_BYTES, flags=flags)


async def _ask(server: Nameserver, query: QueryMessage, limit: _Limit) -> QueryMessage:
    """The answer of one server.

    Raises:
        LookupFailedError: its response is not an answer.
        DNSException, OSError, EOFError: there was no response, or it cannot be parsed.
    """
    response = await _send(server, query, limit)
    if response.rcode() in NO_EDNS and query.edns >= 0 and not query.ednsflags:
        plain = dns.message.make_query(query.question[0].name, query.question[0].rdtype, use_edns=False)
        response = await _send(server, plain, limit)
    _must_be_an_answer(response)
    return response


async def _send(server: Nameserver, query: QueryMessage, limit: _Limit) -> QueryMessage:
    """Send the query; use TCP if the response does not fit into a datagram (RFC 7766, 5)."""
    over_tcp = server.is_always_max_size()
    while (seconds := limit.seconds) > 0:
        try:
            # dnspython counts the time by the system's clock, which may be set back meanwhile.
            async with asyncio.timeout(seconds):
                response = await server.async_query(query, seconds, None, 0, over_tcp, _BACKEND)
            return cast("QueryMessage", response)
        except TimeoutError:
            break
        except dns.message.Truncated:
            if over_tcp:
                raise
            over_tcp = True
    raise dns.exception.Timeout


def _must_be_an_answer(response: QueryMessage) -> None:
    """Check that a response has the records, says that there are none, or says where to continue.

    Raises:
        LookupFailedError: it does none of these.
    """
    code = response.rcode()
    if code not in ANSWERS:
        raise LookupFailedError(f"answered {dns.rcode.to_text(code)}")
    # Nothing has to be truncated over TCP, so it is unknown what is missing.
    if response.flags & dns.flags.TC:
        raise LookupFailedError("the response is truncated, over TCP too")
    chain = response.resolve_chaining()
    if chain.answer is not None:
        if code != dns.rcode.NOERROR:
            raise LookupFailedError("answered NXDOMAIN together with records of the name")
    elif not _says_none(response, chain):
        raise LookupFailedError("the response is not an answer")


def _says_none(response: QueryMessage, chain: ChainingResult) -> bool:
    """Whether a response without records says that there are none (RFC 2308, 2) and is not a referral.

    - A recursive resolver says so by having recursed. Many leave out the SOA record.
    - An authoritative server says so with AA and the SOA record of its zone.

    Apart from the aliases that lead to the name, neither of them has records in its answer. If the aliases end in
    another zone than that of the SOA, the lookup has to continue there.
    """
    brought = [rrset for rrset in response.answer if rrset.rdtype != dns.rdatatype.RRSIG]
    if any(rrset not in chain.cnames for rrset in brought if rrset.rdtype != dns.rdatatype.DNAME or not chain.cnames):
        return False
    recursed = bool(response.flags & dns.flags.RA)
    if not recursed and not response.flags & dns.flags.AA:
        return False
    kinds = {rrset.rdtype for rrset in response.authority}
    if dns.rdatatype.SOA in kinds:
        return bool(chain.cnames) or is_of_zone(response, chain.canonical_name)
    return recursed and dns.rdatatype.NS not in kinds


def is_of_zone(response: dns.message.Message, name: Name) -> bool:
    """Whether the response has the SOA record of a zone that can contain the name."""
    return any(rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name) for rrset in response.authority)
