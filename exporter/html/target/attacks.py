"""Attacks for people: the verdict on each, and how it was decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from exporter.derived.verdicts import Attack, AttackVerdict
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.vulnerabilities import POSSIBLE, VulnerabilityFacts
from exporter.model import Facts

_TITLES: Mapping[Attack, str] = {
    Attack.HEARTBLEED: "Heartbleed",
    Attack.CCS_INJECTION: "ChangeCipherSpec injection",
    Attack.ROBOT: "ROBOT",
    Attack.CRIME: "CRIME",
    Attack.FREAK: "FREAK",
    Attack.LOGJAM: "Logjam",
    Attack.DROWN: "DROWN",
    Attack.POODLE: "POODLE (SSLv3)",
    Attack.BEAST: "BEAST",
    Attack.SWEET32: "SWEET32",
    Attack.RC4: "RC4",
    Attack.INSECURE_RENEGOTIATION: "Insecure renegotiation",
    Attack.CLIENT_RENEGOTIATION: "Renegotiation by clients",
}
_WORST_FIRST = (True, None, False)


@dataclass(frozen=True, slots=True)
class AttackRow:
    """One attack.

    Attributes:
        decided: how the verdict was found.
        tried_at: when the attack was tried; None where the verdict does not come from a try.
    """

    attack: Attack
    title: str
    verdict: AttackVerdict
    decided: str
    tried_at: datetime | None = None


def attack_rows(facts: Facts) -> tuple[AttackRow, ...] | None:
    """What works first, then what is not known; None without facts of handshakes."""
    found, handshake = facts.get(Vulnerabilities), facts.get(HandshakeFacts)
    if found is None or handshake is None:
        return None
    tried = facts.get(VulnerabilityFacts) or VulnerabilityFacts()
    rows = [_row(attack, verdict, handshake, tried) for attack, verdict in found.verdicts.items()]
    return tuple(sorted(rows, key=lambda row: _WORST_FIRST.index(row.verdict.vulnerable)))


def _row(attack: Attack, verdict: AttackVerdict, handshake: HandshakeFacts, tried: VulnerabilityFacts) -> AttackRow:
    answer = tried.attacks_tried.get(attack)
    if attack is Attack.DROWN:
        decided, answer = "from handshakes, and from keys of other targets", None
    elif attack not in POSSIBLE or POSSIBLE[attack](handshake) is False:
        decided, answer = "from handshakes", None
    else:
        decided = "not tried" if answer is None else "tried"
    return AttackRow(attack, _TITLES[attack], verdict, decided, answer.at if answer else None)
