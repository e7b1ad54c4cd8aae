"""Which suites a server may choose according to the facts, by its own order or the client's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.model import CipherOrder
from exporter.simulation.terms import Term
from exporter.tls.suites import for_ecdsa


@dataclass(frozen=True, slots=True)
class Candidate:
    """One suite that the client offers and that the server has, or may have.

    Attributes:
        place: position among the suites that the server was seen to choose; None if it was not seen.
        taken: whether the server accepts it when it reaches it in the order; None if unknown.
        end: the outcome of choosing it.
        group: group of its key exchange, if it has one and it is known.
    """

    code: int
    name: str
    place: int | None
    taken: bool | None
    end: Term
    group: str | None


@dataclass(frozen=True, slots=True)
class SuiteChoice:
    """What the server may choose.

    Attributes:
        possible: the suites that it may choose.
        certain: whether it surely chooses one of them; if false, it may choose none.
    """

    possible: tuple[Candidate, ...]
    certain: bool


def choose(candidates: Sequence[Candidate], order: CipherOrder | None) -> SuiteChoice:
    """The choice from these candidates, which are in the client's order.

    A server that uses the client's order may still choose the certificate first (HAProxy). So the first suite for ECDSA
    and the first other suite are both possible.
    """
    match order:
        case CipherOrder.SERVER:
            unseen = -1  # a suite that was not seen may be anywhere
            lists = [sorted(candidates, key=lambda one: unseen if one.place is None else one.place)]
        case CipherOrder.CLIENT:
            lists = [[one for one in candidates if for_ecdsa(one.code) is kind] for kind in (True, False)]
        case _:
            lists = [[one] for one in candidates]
    walks = [tuple(_walk(each)) for each in lists]
    possible = tuple(one for walk in walks for one in walk)
    return SuiteChoice(possible, any(one.taken for one in possible))


def _walk(ordered: Sequence[Candidate]) -> Iterator[Candidate]:
    """The suites up to the first one that is surely accepted."""
    for one in ordered:
        if one.taken is not False:
            yield one
        if one.taken:
            return
