"""Check `vulnerabilities`: the server is vulnerable to none of the attacks that the policy names."""

from exporter.case import Case
from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.judging.items import Filled, Item, in_force, listed, names_in_force, naming, sources, today
from exporter.judging.names import AttackName
from exporter.model import Remedy
from exporter.remedies.attacks import attack_remedies


class VulnerabilitiesDemand(Demand):
    """Attacks that must not work."""

    forbidden: Filled[Item[AttackName]]


def _judge(case: Case, demand: VulnerabilitiesDemand) -> Outcome:
    facts = case.facts.get(Vulnerabilities)
    day = today(case)
    forbidden = names_in_force(demand.forbidden, day)
    if not forbidden:
        return not_applicable("nothing of it is in force today")
    if facts is None:
        return unknown("it is not known what the server is open to")
    judged = {attack: facts.verdicts[attack] for attack in Attack if attack in forbidden}
    found = {attack.value: one.evidence or (one.why,) for attack, one in judged.items() if one.vulnerable}
    if found:
        broken = naming(in_force(demand.forbidden, day), list(found))
        return failed(f"is open to {', '.join(found)}", found, sources(broken))
    left_open = {attack.value: one.why for attack, one in judged.items() if one.vulnerable is None}
    if left_open:
        evidence = {"unknown": tuple(f"{attack}: {why}" for attack, why in left_open.items())}
        return unknown(f"it is not known whether it is open to {', '.join(left_open)}", evidence)
    return passed(f"is open to none of {len(judged)} known attacks")


def _remedy(case: Case, _demand: VulnerabilitiesDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What to change against each attack that works."""
    return attack_remedies(case, outcome.evidence)


CHECK = Check(
    name="vulnerabilities",
    why=(
        "These attacks are published, some with ready tools. Heartbleed reads memory of the server; ROBOT and "
        "DROWN decrypt recorded connections."
    ),
    demand=VulnerabilitiesDemand,
    verdict=_judge,
    asks=lambda demand: f"not open to {listed(demand.forbidden)}",
    remedy=_remedy,
)
