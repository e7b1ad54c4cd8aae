"""Compares the facts of two scanners: everything that both report, and what they report differently."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oracles.facts import ALL, Facts

SCAN = "scan"
"""The kind of fact for a scan that was completed."""
FACTS = (SCAN, "protocols", "suites", "order", "compression", "groups", "signatures", "extensions", "alpn", "dh")
"""Kinds of facts, in the order of the columns."""

UNKNOWN = "unknown"
"""Ours tested this without a result."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that both report.

    Attributes:
        fact: one of `FACTS`.
        what: protocol, protocol and name, or name.
        ours: what ours says: `yes`, `no`, `unknown` or a word for this fact.
        theirs: what theirs says, in the same form.
    """

    fact: str
    what: str
    ours: str
    theirs: str

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return self.ours == self.theirs

    def __str__(self) -> str:
        subject = f"{self.fact}, {self.what}" if self.what else self.fact
        return f"{subject}: ours says {self.ours}, they say {self.theirs}"


def failed(why: str, *, ours: bool, theirs: bool) -> Statement:
    """A scan that was not completed; `what` is the first line of the reason."""
    return Statement(SCAN, why.partition("\n")[0], word(ours), word(theirs))


def not_started(why: object) -> Statement:
    """The only statement about a server that did not start."""
    return Statement(SCAN, f"the server does not start: {why}", UNKNOWN, "nothing")


def statements(ours: Facts, theirs: Facts) -> Iterator[Statement]:
    """Everything that theirs reports, if ours reports it or should have reported it."""
    yield Statement(SCAN, "", "yes", "yes")
    yield from _values("protocols", ours.protocols, theirs.protocols, ours.unknown)
    yield from _suites(ours, theirs)
    yield from _orders(ours, theirs)
    compression = {} if ours.compression is None else {"": ours.compression}
    yield from _values("compression", compression, _single(theirs.compression), ours.unknown)
    yield from _names("groups", ours.groups, theirs.groups, ours.unknown)
    yield from _names("signatures", ours.signatures, theirs.signatures, ours.unknown)
    yield from _values("extensions", ours.extensions, theirs.extensions, ours.unknown)
    doubtful = ("alpn", "") in ours.unknown
    if theirs.alpn is not None and (doubtful or ours.alpn is not None):
        absent = UNKNOWN if doubtful else "no"
        yield from _sets("alpn", "", ours.alpn or frozenset(), theirs.alpn, absent)
    if theirs.dh_bits is not None and ours.dh_bits is not None:
        yield from _sets("dh", "", frozenset(map(str, ours.dh_bits)), frozenset(map(str, theirs.dh_bits)))


Places = frozenset[tuple[str, str]]


def _single(value: bool | None) -> dict[str, bool]:
    return {} if value is None else {"": value}


def _values(fact: str, ours: Mapping[str, bool], theirs: Mapping[str, bool], unknown: Places) -> Iterator[Statement]:
    for place, accepted in theirs.items():
        if place in ours or (fact, place) in unknown:
            yield Statement(fact, place, word(ours.get(place)), word(accepted))


def word(value: bool | None) -> str:
    """The value as a word of a statement."""
    return UNKNOWN if value is None else "yes" if value else "no"


def _suites(ours: Facts, theirs: Facts) -> Iterator[Statement]:
    for protocol in sorted(theirs.protocols.keys() & ours.protocols.keys()):
        absent = UNKNOWN if ("suites", protocol) in ours.unknown else "no"
        us, them = (facts.suites.get(protocol, frozenset[str]()) for facts in (ours, theirs))
        yield from _sets("suites", protocol, us, them, absent)


def _orders(ours: Facts, theirs: Facts) -> Iterator[Statement]:
    for place, order in theirs.orders.items():
        if place == ALL:
            verdicts = set(ours.orders.values())
        else:
            verdicts = {ours.orders[place]} if place in ours.orders else set()
        if verdicts:
            yield Statement("order", place, ", ".join(sorted(verdicts)), order)
        elif any(fact == "order" and place in {ALL, protocol} for fact, protocol in ours.unknown):
            yield Statement("order", place, UNKNOWN, order)


def _names(
    fact: str, ours: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]], unknown: Places
) -> Iterator[Statement]:
    for place, names in theirs.items():
        doubtful = any(kind == fact and place in {ALL, protocol} for kind, protocol in unknown)
        if place in ours or doubtful:
            yield from _sets(fact, place, ours.get(place, frozenset()), names, UNKNOWN if doubtful else "no")


def _sets(
    fact: str, place: str, ours: frozenset[str], theirs: frozenset[str], absent: str = "no"
) -> Iterator[Statement]:
    for name in sorted(ours | theirs):
        yield Statement(
            fact, f"{place} {name}".strip(), "yes" if name in ours else absent, "yes" if name in theirs else "no"
        )
    if not ours | theirs:
        yield Statement(fact, place, "none", "none")
