"""Name servers, asked one after the other until one gives an answer.

Owns how a question is sent (EDNS, TCP, time) and which responses are answers; remembers nothing.
"""

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

PAYLOAD_BYTES = 1232
"""What a datagram may have without being fragmented anywhere (DNS flag day 2020); more comes over TCP."""
NO_EDNS = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})
"""How a server says that it does not know EDNS, or this version of it (RFC 6891, 6.1.3 and 7)."""
ANSWERS = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
_BACKEND = dns.asyncbackend.get_backend("asyncio")


class LookupFailedError(Exception):
    """There is no answer: not that there are no records."""


def make_resolver(nameservers: Sequence[str], port: int = 53, lifetime_seconds: float = 5.0) -> Resolver:
    """Name servers with the time that all of them get for one question.

    Each gets its share of it at first, with one share left to ask the first one again.
    """
    resolver = Resolver(configure=False)
    resolver.nameservers = list(nameservers)
    resolver.port, resolver.lifetime = port, lifetime_seconds
    resolver.timeout = min(resolver.timeout, lifetime_seconds / (len(nameservers) + 1))
    return resolver


async def ask_servers(resolver: Resolver, name: Name, kind: RdataType, *, validating: bool = False) -> QueryMessage:
    """The first response that is an answer; each server is asked, in order, and those that were silent again.

    Args:
        resolver: its name servers, port, time for one try and for all count.
        name: as it is, without a search list.
        kind: of records.
        validating: ask for the AD bit. Such a server knows EDNS, so it is not asked without.

    Raises:
        LookupFailedError: none has an answer, with what each said.
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
                said.append(f"{server}: {str(error) or type(error).__name__}")
        # What was silent may lie behind something that drops EDNS (RFC 6891, 6.2.2).
        servers, edns = silent, validating or not edns
    raise LookupFailedError("; ".join(dict.fromkeys(said)) or "there is no name server")


class _Limit:
    """How long one look-up may take."""

    def __init__(self, resolver: Resolver) -> None:
        self._of_a_try, self._until = resolver.timeout, time.monotonic() + resolver.lifetime

    @property
    def seconds(self) -> float:
        """For the next try."""
        return min(self._of_a_try, self._until - time.monotonic())


def _server(known: str | Nameserver, port: int) -> Nameserver:
    return Do53Nameserver(plain_address(known), port) if isinstance(known, str) else known


def _query(name: Name, kind: RdataType, *, edns: bool, validating: bool) -> QueryMessage:
    # RFC 6840, 5.7: AD in a question asks for it in the answer; DO is for resolvers older than that.
    flags = dns.flags.RD | (dns.flags.AD if validating else 0)
    if not edns:
        return dns.message.make_query(name, kind, use_edns=False, flags=flags)
    dnssec = dns.flags.DO if validating else 0
    return dns.message.make_query(name, kind, use_edns=0, ednsflags=dnssec, payload=PAYLOAD_BYTES, flags=flags)


async def _ask(server: Nameserver, query: QueryMessage, limit: _Limit) -> QueryMessage:
    """The answer of one server.

    Raises:
        LookupFailedError: its response is none.
        DNSException, OSError, EOFError: there was no response, or it cannot be read.
    """
    response = await _send(server, query, limit)
    if response.rcode() in NO_EDNS and query.edns >= 0 and not query.ednsflags:
        plain = dns.message.make_query(query.question[0].name, query.question[0].rdtype, use_edns=False)
        response = await _send(server, plain, limit)
    _must_be_an_answer(response)
    return response


async def _send(server: Nameserver, query: QueryMessage, limit: _Limit) -> QueryMessage:
    """The response, by TCP where it does not fit into a datagram (RFC 7766, 5)."""
    over_tcp = server.is_always_max_size()
    while (seconds := limit.seconds) > 0:
        try:
            response = await server.async_query(query, seconds, None, 0, over_tcp, _BACKEND)
            return cast("QueryMessage", response)
        except dns.message.Truncated:
            if over_tcp:
                raise
            over_tcp = True
    raise dns.exception.Timeout


def _must_be_an_answer(response: QueryMessage) -> None:
    """It has the records, or says that there are none, or where to go on."""
    code = response.rcode()
    if code not in ANSWERS:
        raise LookupFailedError(f"answered {dns.rcode.to_text(code)}")
    if response.flags & dns.flags.TC:  # over TCP, where nothing has to be cut: it is not known what is missing
        raise LookupFailedError("the answer is cut, over TCP too")
    chain = response.resolve_chaining()
    if chain.answer is not None:
        if code != dns.rcode.NOERROR:
            raise LookupFailedError("answered with records of a name that it says does not exist")
    elif not _says_none(response, chain):
        raise LookupFailedError("the answer is no answer")


def _says_none(response: QueryMessage, chain: ChainingResult) -> bool:
    """Whether an answer without records says that there are none (RFC 2308, 2), and is not a referral elsewhere.

    A resolver says so by having recursed; many leave the SOA out. A name server of the zone says so with authority, by
    the zone's SOA. Neither brings anything but the aliases that led there. Aliases that end in another zone than that
    of the SOA lead on.
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
    """Whether it has the SOA of a zone that the name can be in."""
    return any(rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name) for rrset in response.authority)
