"""Which suites a server may choose, as far as the facts tell: by whose order, and from which it cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.model import CipherOrder
from exporter.simulation.terms import Term
from exporter.tls.suites import for_ecdsa


@dataclass(frozen=True, slots=True)
class Candidate:
    """One suite that the client offers and the server has, or may have.

    Attributes:
        place: among those that the server was seen to choose; None where it was not.
        taken: whether the server takes it if it comes to it; None when that is not known.
        end: what comes of it then.
        group: of its key exchange, where that is known and it has one.
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
        possible: one of these, or
        certain: if false, nothing.
    """

    possible: tuple[Candidate, ...]
    certain: bool


def choose(candidates: Sequence[Candidate], order: CipherOrder | None) -> SuiteChoice:
    """The choice from these, which are in the client's order.

    By the client's order a server may still choose the certificate first (HAProxy), so of suites for ECDSA and of
    others each first one is possible.
    """
    match order:
        case CipherOrder.SERVER:
            unseen = -1  # what was not seen may stand anywhere
            lists = [sorted(candidates, key=lambda one: unseen if one.place is None else one.place)]
        case CipherOrder.CLIENT:
            lists = [[one for one in candidates if for_ecdsa(one.code) is kind] for kind in (True, False)]
        case _:
            lists = [[one] for one in candidates]
    walks = [tuple(_walk(each)) for each in lists]
    possible = tuple(one for walk in walks for one in walk)
    return SuiteChoice(possible, any(one.taken for one in possible))


def _walk(ordered: Sequence[Candidate]) -> Iterator[Candidate]:
    """Those that come first or may do so."""
    for one in ordered:
        if one.taken is not False:
            yield one
        if one.taken:
            return
