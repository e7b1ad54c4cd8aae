"""Certificate chains for people: the path from the leaf upwards, what is missing above it, and what is not needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from exporter.facts.certificate import CertificateFacts, Deployment, ServedCertificate


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """One served certificate.

    Attributes:
        place: in the chain as served, from 1.
        role: `leaf`, `intermediate`, `root`, or `not needed`.
        elapsed_percent: share of its lifetime that has passed, 0 to 100.
        state: `valid`, `ended` or `not yet valid`.
        note: what is peculiar about it; empty if nothing is.
    """

    certificate: ServedCertificate
    place: int
    role: str
    elapsed_percent: float
    state: str
    note: str


@dataclass(frozen=True, slots=True)
class ShownChain:
    """One chain.

    Attributes:
        links: from the leaf upwards.
        others: served certificates that are not on this path.
        above: what the last link needs: `missing` (its issuer was not served and is not in the trust store), `anchor`
            (its issuer is in the trust store), `unknown`, or `nothing` (it is signed with its own key).
        issuer: the issuer of the last link.
    """

    deployment: Deployment
    links: tuple[ShownCertificate, ...]
    others: tuple[ShownCertificate, ...]
    above: str
    issuer: str


def shown_chains(facts: CertificateFacts, now: datetime) -> tuple[ShownChain, ...]:
    """All chains as they are known; the first is what a modern client gets."""
    return tuple(_chain(deployment, now) for deployment in facts.deployments)


def _chain(deployment: Deployment, now: datetime) -> ShownChain:
    chain, path = deployment.chain, deployment.path or (0,)
    last = chain[path[-1]]
    return ShownChain(
        deployment,
        tuple(_links(deployment, path, now)),
        tuple(_other(deployment, place, now) for place in range(len(chain)) if place not in path),
        _above(deployment, last),
        last.issuer,
    )


def _above(deployment: Deployment, last: ServedCertificate) -> str:
    if last.self_signed:
        return "nothing"
    return {True: "anchor", False: "missing", None: "unknown"}[deployment.complete]


def _links(deployment: Deployment, path: tuple[int, ...], now: datetime) -> Iterator[ShownCertificate]:
    for height, place in enumerate(path):
        one, note = deployment.chain[place], ""
        role = "leaf" if height == 0 else "root" if one.self_signed else "intermediate"
        if role == "root":
            note = "clients have it or do not trust it: it need not be served"
        elif role == "leaf" and one.self_signed:
            note = "signed with its own key"
        elif height and place < path[height - 1]:
            note = "served before the certificate that it issued"
        yield _shown(one, place, role, note, now)


def _other(deployment: Deployment, place: int, now: datetime) -> ShownCertificate:
    surplus = place in deployment.surplus
    note = "no path needs it" if surplus else "on another path"
    return _shown(deployment.chain[place], place, "not needed" if surplus else "another path", note, now)


def _shown(one: ServedCertificate, place: int, role: str, note: str, now: datetime) -> ShownCertificate:
    state = "not yet valid" if now < one.not_before else "ended" if one.not_after < now else "valid"
    return ShownCertificate(one, place + 1, role, _elapsed(one, now), state, note)


def _elapsed(one: ServedCertificate, now: datetime) -> float:
    if one.lifetime_seconds <= 0:
        return 100.0
    return round(min(100.0, max(0.0, 100 * (now - one.not_before).total_seconds() / one.lifetime_seconds)), 1)
