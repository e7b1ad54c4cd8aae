"""Hellos that leave out some of what was seen, or put it behind, so that more is seen."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from exporter.model import Protocol
from exporter.probes.handshake.exchange import Unanswered
from exporter.probes.handshake.observed import Seen
from exporter.probes.handshake.question import Question
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


def untouched(question: Question, answer: Answer | Unanswered, seen: Seen) -> bool:
    """Whether the suite taken is signed with a key that nothing was left out for."""
    if not isinstance(answer, ServerHello) or answer.rest.alert is not None or not signed(answer.suite):
        return False
    fits = for_ecdsa_key if for_ecdsa(answer.suite) else for_rsa_key
    offered = SCHEMES if question.schemes is None else question.schemes
    return any(fits(scheme) and scheme in offered for scheme in seen.schemes)


_ENOUGH_ECDSA, _ENOUGH_RSA, _ENOUGH_GROUPS = 3, 5, 2
"""So many schemes and groups nearly every server has; fewer can be left out of a hello without harm."""


def lean_question(protocol: Protocol, suites: tuple[int, ...], seen: Seen) -> Question | None:
    """A hello without some schemes and groups that were seen, so that others are; None when none is to be left out.

    Never without a curve that a certificate may have, or the suites of that certificate would be gone too.
    """
    ecdsa, rsa = ([s for s in seen.schemes if fits(s)] for fits in (for_ecdsa_key, for_rsa_key))
    struck = {*(ecdsa if len(ecdsa) < _ENOUGH_ECDSA else ()), *(rsa if len(rsa) < _ENOUGH_RSA else ())}
    few = len(seen.groups) < _ENOUGH_GROUPS
    groups = {group for group in seen.groups if few and group in MONTGOMERY_CURVES}
    if protocol in {Protocol.SSL3, Protocol.TLS1_3} or not (struck or groups):
        return None
    return Question(
        protocol,
        suites,
        groups=tuple(g for g in reachable_groups(protocol, seen) if g not in groups) if groups else None,
        schemes=tuple(s for s in reachable_schemes(seen) if s not in struck) if struck else None,
    )


def reachable_groups(protocol: Protocol, seen: Seen) -> tuple[int, ...]:
    """All groups of this protocol, in an order that servers with a short memory can stand."""
    everything = TLS13_GROUPS if protocol is Protocol.TLS1_3 else CLASSIC_GROUPS
    return within_reach(everything, frozenset(USUAL_CURVES), seen.groups)


def reachable_schemes(seen: Seen) -> tuple[int, ...]:
    """All signature schemes, likewise."""
    return within_reach(SCHEMES, frozenset(USUAL_SCHEMES), seen.schemes)


def turned_back(everything: tuple[T, ...], seen: Sequence[T]) -> tuple[T, ...]:
    """Everything, what was seen at the end."""
    return _moved(everything, tuple(seen)) if seen else everything


def within_reach(everything: tuple[T, ...], usual: frozenset[T], seen: Sequence[T]) -> tuple[T, ...]:
    """Everything: what is usual and was not seen, then what was seen, then the rest.

    Some servers read only the start of a list: wolfSSL 5.5 nineteen schemes, mbedTLS 2.28 eleven of the groups that it
    knows. What they have stays within their reach this way, and the first choice still shows more of it.
    """
    return _within_reach(everything, usual, tuple(seen)) if seen else everything


@lru_cache(maxsize=64)
def _within_reach(everything: tuple[T, ...], usual: frozenset[T], seen: tuple[T, ...]) -> tuple[T, ...]:
    front = [one for one in everything if one in usual and one not in seen]
    return (*front, *seen, *[one for one in everything if one not in usual and one not in seen])


@lru_cache(maxsize=64)
def _moved(everything: tuple[T, ...], seen: tuple[T, ...]) -> tuple[T, ...]:
    return (*[one for one in everything if one not in seen], *seen)
