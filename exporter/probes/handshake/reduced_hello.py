"""Hellos that leave out some of what the server has chosen before, or offer it later, so that more of it is seen."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from exporter.model import Protocol
from exporter.probes.handshake.exchange import Unanswered
from exporter.probes.handshake.observations import ProtocolObservations
from exporter.probes.handshake.query import HelloQuery
from exporter.probes.handshake.server_hello import Answer, ServerHello
from exporter.tls.parameters import (
    CLASSIC_GROUPS,
    MONTGOMERY_CURVES,
    SCHEMES,
    TLS13_GROUPS,
    USUAL_CURVES,
    USUAL_SCHEMES,
    for_ecdsa_key,
    for_rsa_key,
)
from exporter.tls.suites import for_ecdsa, signed

T = TypeVar("T")

_ENOUGH_ECDSA, _ENOUGH_RSA, _ENOUGH_GROUPS = 3, 5, 2
"""How many schemes and groups nearly every server has. As long as fewer were seen, a hello can leave these out and will
probably still be answered."""


def reduced_query(protocol: Protocol, suites: tuple[int, ...], seen: ProtocolObservations) -> HelloQuery | None:
    """A hello without some schemes and groups that were seen, so that others are; None when nothing can be left out.

    It always offers the curves that a certificate may have. Without them the suites of that certificate would be lost.
    """
    ecdsa, rsa = ([s for s in seen.schemes if fits(s)] for fits in (for_ecdsa_key, for_rsa_key))
    schemes = {*(ecdsa if len(ecdsa) < _ENOUGH_ECDSA else ()), *(rsa if len(rsa) < _ENOUGH_RSA else ())}
    few = len(seen.groups) < _ENOUGH_GROUPS
    groups = {group for group in seen.groups if few and group in MONTGOMERY_CURVES}
    if protocol in {Protocol.SSL3, Protocol.TLS1_3} or not (schemes or groups):
        return None
    return HelloQuery(
        protocol,
        suites,
        groups=tuple(g for g in groups_usual_first(protocol, seen) if g not in groups) if groups else None,
        schemes=tuple(s for s in schemes_usual_first(seen) if s not in schemes) if schemes else None,
    )


def unaffected(query: HelloQuery, answer: Answer | Unanswered, seen: ProtocolObservations) -> bool:
    """Whether the suite taken is signed, by a kind of key for which the query still offers a scheme seen before."""
    if not isinstance(answer, ServerHello) or answer.rest.alert is not None or not signed(answer.suite):
        return False
    fits = for_ecdsa_key if for_ecdsa(answer.suite) else for_rsa_key
    offered = SCHEMES if query.schemes is None else query.schemes
    return any(fits(scheme) and scheme in offered for scheme in seen.schemes)


def groups_usual_first(protocol: Protocol, seen: ProtocolObservations) -> tuple[int, ...]:
    """All groups of this protocol, in the order of `usual_first`."""
    everything = TLS13_GROUPS if protocol is Protocol.TLS1_3 else CLASSIC_GROUPS
    return usual_first(everything, frozenset(USUAL_CURVES), seen.groups)


def schemes_usual_first(seen: ProtocolObservations) -> tuple[int, ...]:
    """All signature schemes, in the order of `usual_first`."""
    return usual_first(SCHEMES, frozenset(USUAL_SCHEMES), seen.schemes)


def seen_last(everything: tuple[T, ...], seen: Sequence[T]) -> tuple[T, ...]:
    """Everything, with what was seen at the end."""
    return _seen_last(everything, tuple(seen)) if seen else everything


def usual_first(everything: tuple[T, ...], usual: frozenset[T], seen: Sequence[T]) -> tuple[T, ...]:
    """Everything: what is usual and was not seen, then what was seen, then the rest.

    Some servers read only the start of a list: wolfSSL 5.5 reads 19 schemes, mbedTLS 2.28 eleven of the groups that it
    knows. In this order they still read what they have, and their first choice shows more of it.
    """
    return _usual_first(everything, usual, tuple(seen)) if seen else everything


@lru_cache(maxsize=64)
def _usual_first(everything: tuple[T, ...], usual: frozenset[T], seen: tuple[T, ...]) -> tuple[T, ...]:
    front = [one for one in everything if one in usual and one not in seen]
    return (*front, *seen, *[one for one in everything if one not in usual and one not in seen])


@lru_cache(maxsize=64)
def _seen_last(everything: tuple[T, ...], seen: tuple[T, ...]) -> tuple[T, ...]:
    return (*[one for one in everything if one not in seen], *seen)
