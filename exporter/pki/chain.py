"""The shape of a chain as served: which certificate issued which, by names, key identifiers and signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from exporter.pki.parsed import UNREADABLE, Certificate

__all__ = ["MOST_LINKED", "UNREADABLE", "ChainShape", "is_issuer", "read_shape"]

MOST_LINKED = 16
"""Most certificates that are examined: chains have three or four. Later ones are surplus. If all have the same name,
each may have issued each other. A signature can be made to take 8 ms to verify (RSA of 3072 bits with an exponent of
that size), and no other thread runs in that time."""


@dataclass(frozen=True, slots=True)
class ChainShape:
    """How the served certificates are linked; numbers are positions in the chain as served.

    Attributes:
        path: from the leaf as far up as certificates were served.
        ordered: each certificate of the path comes after the one that it issued.
        surplus: certificates that are not above the leaf, and repetitions.
        root_served: a self-signed certificate above the leaf was sent. Clients have it already or do not trust it.
        closed: the path ends at a self-signed certificate.
    """

    path: tuple[int, ...]
    ordered: bool
    surplus: tuple[int, ...]
    root_served: bool
    closed: bool


def read_shape(chain: Sequence[Certificate]) -> ChainShape:
    """The shape of a chain, the leaf first."""
    first = {certificate: place for place, certificate in reversed(list(enumerate(chain)))}
    links = _Links(chain, sorted(first.values())[:MOST_LINKED])
    reachable = links.above(0)
    path = links.path()
    return ChainShape(
        path=path,
        ordered=list(path) == sorted(path),
        surplus=tuple(place for place in range(len(chain)) if place not in reachable),
        root_served=any(links.issued(place, place) for place in reachable - {0}),
        closed=links.issued(path[-1], path[-1]),
    )


class _Links:
    """Which certificate issued which; each pair is examined once."""

    def __init__(self, chain: Sequence[Certificate], places: list[int]) -> None:
        self._chain, self._places = chain, places
        self._known: dict[tuple[int, int], bool] = {}

    def issued(self, parent: int, child: int) -> bool:
        pair = parent, child
        if pair not in self._known:
            self._known[pair] = is_issuer(self._chain[parent], self._chain[child])
        return self._known[pair]

    def above(self, start: int) -> set[int]:
        """All certificates that are above this one; with cross-signing, on more than one path."""
        found, open_ones = {start}, [start]
        while open_ones:
            child = open_ones.pop()
            parents = {place for place in self._places if place not in found and self.issued(place, child)}
            found |= parents
            open_ones += parents
        return found

    def path(self) -> tuple[int, ...]:
        """One path upwards; if there are several, the one in the order of the chain."""
        path = [0]
        while not self.issued(path[-1], path[-1]):
            parents = [place for place in self._places if place not in path and self.issued(place, path[-1])]
            if not parents:
                break
            path.append(min(parents, key=lambda place: (place < path[-1], place)))
        return tuple(path)


def is_issuer(parent: Certificate, child: Certificate) -> bool:
    """Whether `parent` issued `child`: names, key identifiers (RFC 5280, 4.2.1.1) and signature match."""
    try:
        fits = child.read.issuer == parent.read.subject and _identifiers_fit(parent, child)
    except UNREADABLE:
        return False
    return fits and child.is_signed_by(parent)


def _identifiers_fit(parent: Certificate, child: Certificate) -> bool:
    """Whether they match; identifiers that cannot be parsed count as a match, and the signature decides."""
    wanted = child.readable(x509.AuthorityKeyIdentifier)
    own = parent.readable(x509.SubjectKeyIdentifier)
    if wanted is None or wanted.key_identifier is None or own is None:
        return True
    return wanted.key_identifier == own.digest
