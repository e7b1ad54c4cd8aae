"""Compares the cipher suites that a server accepts with those that a policy allows, requires and prefers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from exporter.facts.handshake import HandshakeFacts
from exporter.judging.expressions import ALL_SUITES
from exporter.judging.items import SuiteItem, in_force
from exporter.model import CipherOrder, Protocol
from exporter.moments import AnyDay
from exporter.ternary import all_of, any_of, negated
from exporter.tls.suites import CipherSuite

_ALL = tuple(Protocol)
Entries = Sequence[SuiteItem]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a demand says about suites on one day.

    Attributes:
        allowed: up to TLS 1.2; None for all.
        tls13_allowed: None for all.
        lapsed: what is allowed on other days.
    """

    allowed: Entries | None
    tls13_allowed: Entries | None
    forbidden: Entries
    required: Entries
    prefer: Entries
    lapsed: Entries = ()

    @property
    def limits(self) -> bool:
        """Whether the rules limit which suites may be accepted."""
        return self.allowed is not None or self.tls13_allowed is not None or bool(self.forbidden)

    def allows(self, protocol: Protocol, suite: str) -> bool | None:
        """Whether this suite may be accepted in this protocol; None where its name does not show its properties."""
        allowed = self.tls13_allowed if protocol is Protocol.TLS1_3 else self.allowed
        is_allowed = True if allowed is None else any_of(entry.matches(suite) for entry in allowed)
        is_forbidden = any_of(entry.matches(suite) for entry in self.forbidden)
        return all_of((is_allowed, negated(is_forbidden)))

    def permits(self, protocol: Protocol, suite: str) -> bool:
        """Whether a remedy may keep this suite: it is known to be allowed, and not known to be forbidden."""
        allowed = self.tls13_allowed if protocol is Protocol.TLS1_3 else self.allowed
        return not _is_in(self.forbidden, suite) and (allowed is None or _is_in(allowed, suite))

    def rank(self, suite: str) -> int:
        """The index of the first preferred entry that includes the suite; after all entries where none does."""
        places = (place for place, entry in enumerate(self.prefer) if entry.matches(suite))
        return next(places, len(self.prefer))

    def limited(self, protocol: Protocol) -> bool:
        """Whether the rules limit which suites may be accepted in this protocol."""
        allowed = self.tls13_allowed if protocol is Protocol.TLS1_3 else self.allowed
        return allowed is not None or any(protocol in carriers(entry) for entry in self.forbidden)


def _is_in(entries: Entries, suite: str) -> bool:
    return any(entry.matches(suite) for entry in entries)


@dataclass(frozen=True, slots=True)
class Findings:
    """Faults, and what is not known.

    Attributes:
        wrong: kind of fault or protocol -> suites, as they are shown.
        entries: the entries of the policy that are not met.
        open_lists: protocols whose list would have to be complete.
        open_orders: protocols of which it is not known whose order decides.
        open_suites: suites whose name does not show their properties.
    """

    wrong: dict[str, tuple[str, ...]] = field(default_factory=dict)
    entries: list[SuiteItem] = field(default_factory=list)
    open_lists: set[Protocol] = field(default_factory=set)
    open_orders: set[Protocol] = field(default_factory=set)
    open_suites: set[str] = field(default_factory=set)


def carries(suite: CipherSuite) -> frozenset[Protocol]:
    """The protocols that a suite belongs to."""
    if suite.tls13 or suite.since is Protocol.SSL2:
        return frozenset({suite.since})
    return frozenset(_ALL[_ALL.index(suite.since) : _ALL.index(Protocol.TLS1_3)])


@lru_cache(maxsize=1024)
def carriers(entry: SuiteItem) -> frozenset[Protocol]:
    """The protocols that the entry's suites belong to.

    Cached: it looks at hundreds of suites, and each judgement needs it.
    """
    return frozenset[Protocol]().union(*(carries(suite) for suite in ALL_SUITES if entry.matches(suite.name)))


def may_lack(facts: HandshakeFacts, protocol: Protocol) -> bool:
    """Whether suites may be accepted that the list lacks; an accepted protocol has at least one suite."""
    accepted = facts.protocols.get(protocol)
    return (
        accepted is None
        or protocol in facts.cipher_suites_incomplete
        or (accepted and not facts.cipher_suites.get(protocol))
    )


def excess(facts: HandshakeFacts, rules: Rules) -> Findings:
    """Suites that are accepted and must not be, by protocol."""
    found = Findings()
    for protocol in facts.accepted:
        verdicts = {suite: rules.allows(protocol, suite) for suite in facts.cipher_suites.get(protocol, ())}
        suites = tuple(suite for suite, allowed in verdicts.items() if allowed is False)
        if suites:
            found.wrong[protocol.value] = suites
            found.entries.extend(
                entry for entry in (*rules.lapsed, *rules.forbidden) if any(entry.matches(suite) for suite in suites)
            )
        found.open_suites.update(suite for suite, allowed in verdicts.items() if allowed is None)
    found.open_lists.update(p for p in Protocol if rules.limited(p) and may_lack(facts, p))
    return found


def missing(facts: HandshakeFacts, rules: Rules) -> Findings:
    """Required suites that are not accepted, where a protocol is accepted that they belong to."""
    found = Findings()
    accepted = [suite for protocol in facts.accepted for suite in facts.cipher_suites.get(protocol, ())]
    for text, entry in _single(rules.required):
        verdicts = {suite: entry.matches(suite) for suite in accepted}
        where = [protocol for protocol in carriers(entry) if facts.protocols.get(protocol) is not False]
        if True in verdicts.values() or not where:
            continue
        dark = {protocol for protocol in where if may_lack(facts, protocol)}
        strange = {suite for suite, matches in verdicts.items() if matches is None}
        if dark or strange:
            found.open_lists.update(dark)
            found.open_suites.update(strange)
        else:
            found.wrong["missing"] = (*found.wrong.get("missing", ()), text)
            found.entries.append(entry)
    return found


def _single(entries: Entries) -> Iterator[tuple[str, SuiteItem]]:
    """The required names one by one."""
    for entry in entries:
        if entry.where is not None:
            yield entry.where.text, entry
        for name in entry.names:
            yield name, entry.model_copy(update={"names": (name,)})


def asked_for(facts: HandshakeFacts, rules: Rules) -> bool:
    """Whether a protocol may be accepted that required suites belong to."""
    return any(facts.protocols.get(p) is not False for entry in rules.required for p in carriers(entry))


def ordered(facts: HandshakeFacts) -> tuple[Protocol, ...]:
    """Protocols in which the server's own order may decide; in SSL 2 the client chooses."""
    by_client = {CipherOrder.CLIENT, CipherOrder.MIXED}
    return tuple(
        protocol
        for protocol in Protocol
        if protocol is not Protocol.SSL2
        and facts.protocols.get(protocol) is not False
        and facts.cipher_order.get(protocol) not in by_client
    )


def misplaced(facts: HandshakeFacts, rules: Rules) -> Findings:
    """Suites that come after less preferred suites, where the server's order decides."""
    found = Findings()
    for protocol in ordered(facts) if rules.prefer else ():
        suites = facts.cipher_suites.get(protocol, ())
        if facts.cipher_order.get(protocol) is CipherOrder.SERVER and facts.protocols.get(protocol):
            found.open_suites.update(suite for suite in suites if any(e.matches(suite) is None for e in rules.prefer))
            pairs = list(_crossed(_placed(rules.prefer, suites)))
            if pairs:
                found.wrong[f"{protocol} order"] = tuple(f"{first} before {second}" for first, second, _ in pairs)
                found.entries.extend(rules.prefer[place] for _, _, place in pairs)
        elif len(suites) > 1:
            found.open_orders.add(protocol)
        if may_lack(facts, protocol):
            found.open_lists.add(protocol)
    return found


def _placed(prefer: Entries, suites: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The suites that entries include, each with the index of its first entry."""
    for suite in suites:
        place = next((place for place, entry in enumerate(prefer) if entry.matches(suite)), None)
        if place is not None:
            yield suite, place


def _crossed(places: Iterable[tuple[str, int]]) -> Iterator[tuple[str, str, int]]:
    """The first suite of a later entry, each suite of an earlier entry that comes after it, and that entry's index."""
    latest: tuple[str, int] | None = None
    for suite, place in places:
        if latest is not None and place < latest[1]:
            yield latest[0], suite, place
        elif latest is None or place > latest[1]:
            latest = (suite, place)


def rules_of(
    allowed: Entries | None, tls13_allowed: Entries | None, others: tuple[Entries, Entries, Entries], day: AnyDay
) -> Rules:
    """The rules in force on this day; `others` are the forbidden, required and preferred entries."""
    lapsed = tuple(entry for entry in (*(allowed or ()), *(tls13_allowed or ())) if not entry.counts(day))
    forbidden, required, prefer = (in_force(entries, day) for entries in others)
    return Rules(
        None if allowed is None else in_force(allowed, day),
        None if tls13_allowed is None else in_force(tls13_allowed, day),
        forbidden,
        required,
        prefer,
        lapsed,
    )
