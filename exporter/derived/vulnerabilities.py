"""Which known attacks work against a server: those that were tried, and those that follow from what it accepts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from typing_extensions import TypedDict

from exporter.case import Case
from exporter.derived import attacks
from exporter.derived.base import Derivation
from exporter.derived.verdicts import Attack, AttackVerdict, safe, unknown
from exporter.facts.form import Key
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.shape import Shape
from exporter.facts.signature import Signature, changed, signature
from exporter.facts.vulnerabilities import POSSIBLE, VulnerabilityFacts, lifetime
from exporter.model import Family, Label, Sample, Unit, holds


@dataclass(frozen=True, slots=True)
class Vulnerabilities:
    """A verdict on every attack."""

    verdicts: Mapping[Attack, AttackVerdict]


@dataclass(frozen=True, slots=True)
class _Try:
    """An attack that has to be tried.

    Attributes:
        impossible: why the attack cannot work; None where it must be tried.
        found: what it means that the attack works.
        not_found: what it means that the attack does not work.
    """

    impossible: str
    found: str
    not_found: str
    source: str


_TRIED = {
    Attack.HEARTBLEED: _Try(
        "has no heartbeat extension in any protocol up to TLSv1.2",
        "reveals its memory",
        "does not answer a heartbeat with more than it was sent",
        "CVE-2014-0160",
    ),
    Attack.CCS_INJECTION: _Try(
        "accepts no protocol from SSLv3 to TLSv1.2",
        "accepts a ChangeCipherSpec that comes too early",
        "accepts no ChangeCipherSpec that comes too early",
        "CVE-2014-0224",
    ),
    Attack.ROBOT: _Try(
        "accepts no suites in which the client encrypts to the key of the certificate",
        "distinguishes right from wrong padding of what is encrypted to its key",
        "does not distinguish right from wrong padding of what is encrypted to its key",
        'CVE-2017-13099 and others; Böck, Somorovsky, Young, "Return Of Bleichenbacher\'s Oracle Threat", USENIX '
        "Security 2018",
    ),
    Attack.CLIENT_RENEGOTIATION: _Try(
        "accepts no protocol that has renegotiation",
        "lets clients renegotiate as often as they like",
        "does not let clients renegotiate as often as they like",
        "CVE-2011-1473",
    ),
}


def _tried(case: Case, handshake: HandshakeFacts, seen: Signature, attack: Attack) -> AttackVerdict:
    """The verdict from trying, unless the attack cannot work at all on what the server accepts now.

    An answer belongs to the server that was tried, so it says nothing about one that looks different.
    """
    about = _TRIED[attack]
    possible = POSSIBLE[attack](handshake)
    if possible is False:
        return safe(about.impossible, about.source)
    if case.target.vulnerability_interval is None:
        return unknown("is not tried on this target", about.source)
    answer = (case.facts.get(VulnerabilityFacts) or VulnerabilityFacts()).attacks_tried.get(attack)
    if answer is None or not holds(answer.at, case.now, lifetime(case.target)):
        why = "has not been tried" if possible else "it is not known whether the server has what the attack needs"
        return unknown(f"{why}, or too long ago" if answer else why, about.source)
    if changed(answer.signature, seen):
        return unknown("was tried before the server changed", about.source)
    detail = f": {answer.detail}" if answer.detail else ""
    match answer.vulnerable:
        case True:
            why = f"{about.found}{detail}"
            return AttackVerdict(True, why, (f"tried on {answer.at:%Y-%m-%d}{detail}",), about.source)
        case False if handshake.contradictions:
            return unknown("was tried on one of several machines that differ, and did not work there", about.source)
        case False:
            return safe(about.not_found, about.source)
        case None:
            return unknown(f"was tried without a result{detail}", about.source)


_FOLLOWING: Mapping[Attack, Callable[[HandshakeFacts], AttackVerdict]] = {
    Attack.CRIME: attacks.crime,
    Attack.FREAK: attacks.freak,
    Attack.LOGJAM: attacks.logjam,
    Attack.POODLE: attacks.poodle,
    Attack.BEAST: attacks.beast,
    Attack.SWEET32: attacks.sweet32,
    Attack.RC4: attacks.rc4,
}


def _verdict(case: Case, handshake: HandshakeFacts, seen: Signature, attack: Attack) -> AttackVerdict:
    if attack in _TRIED:
        return _tried(case, handshake, seen, attack)
    if attack is Attack.DROWN:
        return attacks.drown(case, handshake)
    if attack is Attack.INSECURE_RENEGOTIATION:
        return attacks.insecure_renegotiation(handshake, _renegotiates(case, handshake, seen))
    return _FOLLOWING[attack](handshake)


def _renegotiates(case: Case, handshake: HandshakeFacts, seen: Signature) -> bool | None:
    """Whether the server granted a client a renegotiation. A limit to their number is not a refusal."""
    some = _tried(case, handshake, seen, Attack.CLIENT_RENEGOTIATION).vulnerable
    answer = (case.facts.get(VulnerabilityFacts) or VulnerabilityFacts()).attacks_tried.get(Attack.CLIENT_RENEGOTIATION)
    return True if some is False and answer is not None and answer.detail else some  # it says how many were granted


def _derive(case: Case) -> Vulnerabilities | None:
    handshake = case.facts.get(HandshakeFacts)
    if handshake is None:
        return None
    seen = signature(case.facts, case.target)
    return Vulnerabilities({attack: _verdict(case, handshake, seen, attack) for attack in Attack})


VULNERABLE = Family(
    "tls_posture_vulnerable",
    "Whether the server is open to the attack; absent where that is not known (as of the last scan)",
    Unit.FLAG,
    "when it is not known",
    labels=(Label("vulnerability", "the attack", tuple(Attack)),),
    example=0,
)


def _samples(facts: Vulnerabilities) -> Iterator[Sample]:
    for attack, verdict in facts.verdicts.items():
        if verdict.vulnerable is not None:
            yield Sample(VULNERABLE, verdict.vulnerable, {"vulnerability": attack})


class VulnerabilityKeys(TypedDict):
    """What follows about known attacks."""

    vulnerabilities: Annotated[dict[str, bool | None], Key("attack -> whether it works; null when that is not known")]


def _document(facts: Vulnerabilities) -> VulnerabilityKeys:
    return {"vulnerabilities": {attack.value: verdict.vulnerable for attack, verdict in facts.verdicts.items()}}


DERIVATION = Derivation(
    derive=_derive,
    shape=Shape(Vulnerabilities, VulnerabilityKeys, _document, (VULNERABLE,), samples=_samples, title="Attacks"),
)
