"""Verdicts on attacks, and how they follow from lists of suites.

A list that may be incomplete leaves a verdict unknown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.tls.suites import BY_NAME, SSL2_KINDS


class Attack(StrEnum):
    """Label values of `tls_posture_vulnerable`, in the order they are shown."""

    HEARTBLEED = "heartbleed"
    CCS_INJECTION = "ccs_injection"
    ROBOT = "robot"
    CRIME = "crime"
    FREAK = "freak"
    LOGJAM = "logjam"
    DROWN = "drown"
    POODLE = "poodle"
    BEAST = "beast"
    SWEET32 = "sweet32"
    RC4 = "rc4"
    INSECURE_RENEGOTIATION = "insecure_renegotiation"
    CLIENT_RENEGOTIATION = "client_renegotiation"


@dataclass(frozen=True, slots=True)
class AttackVerdict:
    """What is known of one attack on one server.

    Attributes:
        vulnerable: None when the facts prove neither.
        why: one sentence for a person.
        evidence: what makes it vulnerable, such as `TLSv1.0 TLS_RSA_WITH_RC4_128_SHA`.
        source: CVE, and the paper or RFC.
    """

    vulnerable: bool | None
    why: str
    evidence: tuple[str, ...]
    source: str


Trait = Callable[[str], bool | None]
"""Name of a suite -> whether it is one of the wanted ones; None when the name does not show it."""

_SSL2_NAMES = frozenset(SSL2_KINDS.values())


def trait(matches: Callable[[str], bool]) -> Trait:
    """A trait that shows in the name of a suite. None for a bare number, which may be any suite."""
    return lambda name: matches(name) if name in BY_NAME or name in _SSL2_NAMES else None


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search in lists of suites.

    Attributes:
        found: protocol and name of each wanted suite that is accepted.
        left_open: why there may be others, for a person.
    """

    found: tuple[tuple[Protocol, str], ...]
    left_open: tuple[str, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """The suites found, for a person."""
        return tuple(f"{protocol} {name}" for protocol, name in self.found)


def search(facts: HandshakeFacts, protocols: Iterable[Protocol], wanted: Trait) -> Search:
    """Search the lists of these protocols for the wanted suites.

    An accepted protocol has at least one suite, so an empty list is one that was not read.
    """
    found: list[tuple[Protocol, str]] = []
    left_open: list[str] = []
    for protocol in protocols:
        accepted = facts.protocols.get(protocol)
        if accepted is None:
            left_open.append(f"{protocol} may be accepted")
        if not accepted:
            continue
        names = facts.cipher_suites.get(protocol, ())
        found += [(protocol, name) for name in names if wanted(name)]
        left_open += [f"{protocol} {name} may be one" for name in names if wanted(name) is None]
        if protocol in facts.cipher_suites_incomplete or not names:
            left_open.append(f"the list of {protocol} may not be complete")
    return Search(tuple(found), tuple(left_open))


def verdict(seen: Search, what: str, source: str) -> AttackVerdict:
    """Vulnerable if one such suite is accepted; not vulnerable if all lists are complete and have none.

    `what` names the suites in plural: `suites with RC4`.
    """
    if seen.found:
        return AttackVerdict(True, f"accepts {what}", seen.evidence, source)
    if seen.left_open:
        return unknown(f"it is not known whether it accepts {what}: {', '.join(seen.left_open)}", source)
    return safe(f"accepts no {what}", source)


def unknown(why: str, source: str) -> AttackVerdict:
    """The facts prove neither."""
    return AttackVerdict(None, why, (), source)


def safe(why: str, source: str) -> AttackVerdict:
    """All that is needed is known, and the attack does not work."""
    return AttackVerdict(False, why, (), source)
