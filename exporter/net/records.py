"""DNS records by one resolver for all targets, with a cache for records that many targets share.

This module owns the cache and its bounds; `nameservers` decides which responses are answers. What records mean is
decided elsewhere.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from weakref import WeakValueDictionary

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from dns.asyncresolver import Resolver
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from exporter.net.nameservers import LookupFailedError, ask_servers, is_of_zone

__all__ = ["LookupFailedError", "RecordResolver", "Records"]

MOST_ENTRIES = 20_000
"""Answers that are kept: enough for some thousand targets and their zones, in some megabytes."""
MOST_BYTES = 32 * 2**20
"""Most memory that all of them may use, estimated. One answer can have 64 KiB, and zones belong to other people."""
LONGEST_SECONDS = 86_400
"""One day, as resolvers do it, so that a TTL of years that was set by mistake does not outlast its correction for
long."""
LONGEST_NEGATIVE_SECONDS = 3_600
"""RFC 2308, 5: "values of one to three hours have been found to work well"."""
FAILURE_SECONDS = 30
"""RFC 9520, 3.2: a failure is cached for at least 1 and at most 300 seconds. Targets of one zone that are scanned
together share it; a later scan asks again."""
LOOK_EVERY_SECONDS = 3.0
"""How often it is checked whether the system's name servers have changed; a check is one call of stat."""

Key = tuple[Name, RdataType]


@dataclass(frozen=True, slots=True)
class Records:
    """The answer to one question.

    Attributes:
        records: empty if there are none, or if the name does not exist.
        name: the name after following aliases.
        secure: the resolver validated it by DNSSEC (RFC 4035, 3.2.3); None if the resolver is not trusted to say so.
        exists: whether there is such a name, with records of this kind or of others (RFC 2308, 2).
    """

    records: tuple[Rdata, ...]
    name: Name
    secure: bool | None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class _Entry:
    """The result of a lookup; times are seconds of the cache's clock.

    Attributes:
        outcome: the answer, or why there is none.
    """

    outcome: Records | str
    found_at: float
    expires_at: float

    @property
    def size(self) -> int:
        """Bytes of memory, roughly: a Python object has some hundred bytes of its own."""
        records = self.outcome.records if isinstance(self.outcome, Records) else ()
        return _OBJECT_BYTES + sum(_OBJECT_BYTES + len(record.to_digestable()) for record in records)


_OBJECT_BYTES = 300


class RecordResolver:
    """Asks a resolver, and caches its answers for as long as they are valid.

    The same question is sent only once at a time; others with the same question wait for its answer.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        validating: bool = False,
        clock: Callable[[], float] = time.monotonic,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Create it with an empty cache.

        Args:
            resolver: its name servers, port and time limits are used; it is not changed.
            validating: its name servers validate by DNSSEC and the path to them is secure, so the AD bit is trusted.
            clock: seconds from any start; never goes back.
            most_entries: most answers in the cache; the oldest are removed first.
            most_bytes: the same, in bytes of memory.
        """
        self.resolver = resolver
        self.validating = validating
        self._clock, self._most_entries, self._most_bytes = clock, most_entries, most_bytes
        self._bytes = 0
        self._known: OrderedDict[Key, _Entry] = OrderedDict()
        self._asking: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._renew: Callable[[], Resolver | None] = lambda: None
        self._looked_at = clock()

    def follow(self, renew: Callable[[], Resolver | None]) -> Self:
        """From now on use the resolver that `renew` returns; None means that it has not changed."""
        self._renew = renew
        return self

    async def ask(self, name: Name, kind: RdataType) -> Records:
        """The records of this kind at this name; the resolver follows aliases.

        Raises:
            LookupFailedError: an error, silence, or a response that is not an answer.
            ShortageError: this machine could not ask; that is not cached.
        """
        self._look()
        key, since = (name.canonicalize(), kind), self._clock()
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            entry = self._held(key, since)
            if entry is None:
                resolver = self.resolver
                entry = await self._look_up(resolver, name, kind)
                if resolver is self.resolver:
                    self._keep(key, entry)
        if isinstance(entry.outcome, str):
            raise LookupFailedError(entry.outcome)
        return entry.outcome

    def _look(self) -> None:
        """Switch to the current resolver; what another resolver said may not be valid there."""
        now = self._clock()
        if now < self._looked_at + LOOK_EVERY_SECONDS:
            return
        self._looked_at = now
        other = self._renew()
        if other is not None:
            self.resolver, self._bytes = other, 0
            self._known.clear()

    def _held(self, key: Key, since: float) -> _Entry | None:
        """An answer that is valid, or that was found while the question waited.

        So one answer with a TTL of zero serves all that waited for it.
        """
        entry = self._known.get(key)
        if entry is None or (entry.expires_at <= self._clock() and entry.found_at <= since):
            return None
        return entry

    def _keep(self, key: Key, entry: _Entry) -> None:
        old = self._known.pop(key, None)
        self._known[key] = entry
        self._bytes += entry.size - (old.size if old else 0)
        while len(self._known) > self._most_entries or self._bytes > self._most_bytes:
            self._bytes -= self._known.popitem(last=False)[1].size

    async def _look_up(self, resolver: Resolver, name: Name, kind: RdataType) -> _Entry:
        try:
            outcome, seconds = await self._answer(resolver, name, kind)
        except (dns.exception.DNSException, LookupFailedError) as error:
            what = f"{dns.rdatatype.to_text(kind)} of {name.to_text(omit_final_dot=True)}"
            failed = self._clock()
            return _Entry(f"{what}: {error}", failed, failed + FAILURE_SECONDS)
        now = self._clock()
        return _Entry(outcome, now, now + seconds)

    async def _answer(
        self, resolver: Resolver, name: Name, kind: RdataType, *, followed: bool = False
    ) -> tuple[Records, float]:
        """The answer and its lifetime in seconds; `followed` if the question is for the end of a chain of aliases."""
        response = await ask_servers(resolver, name, kind, validating=self.validating)
        chain = response.resolve_chaining()
        if chain.answer is not None:
            found = Records(tuple(chain.answer), chain.canonical_name, self._secure(response))
            return found, min(LONGEST_SECONDS, chain.minimum_ttl)
        if not chain.cnames or is_of_zone(response, chain.canonical_name):
            return self._negative(response)
        # Without SOA, an alias to a name without records looks as if the resolver had stopped on the way. So the
        # resolver is asked for the end of the chain.
        if followed:
            raise LookupFailedError("the resolver does not follow the aliases to their end")
        end, seconds = await self._answer(resolver, chain.canonical_name, kind, followed=True)
        secure = end.secure and self._secure(response)
        return Records(end.records, end.name, secure, end.exists), min(seconds, chain.minimum_ttl)

    def _negative(self, response: dns.message.QueryMessage) -> tuple[Records, float]:
        """The answer that there is nothing; its lifetime comes from the zone's SOA (RFC 2308, 5)."""
        chain = response.resolve_chaining()
        if not any(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority):
            # RFC 2308, 5: without SOA the answer should not be cached. It is kept for a moment so that all targets of a
            # scan share it.
            seconds = FAILURE_SECONDS
        else:
            seconds = min(LONGEST_NEGATIVE_SECONDS, chain.minimum_ttl)
        exists = response.rcode() != dns.rcode.NXDOMAIN
        return Records((), chain.canonical_name, self._secure(response), exists), seconds

    def _secure(self, response: dns.message.Message) -> bool | None:
        return bool(response.flags & dns.flags.AD) if self.validating else None
