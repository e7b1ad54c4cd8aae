"""Check `vulnerabilities`: the server is open to none of the attacks that the policy names."""

import difflib
from typing import Annotated

from pydantic import BeforeValidator, Field

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, passed, unknown
from exporter.derived.verdicts import Attack
from exporter.derived.vulnerabilities import Vulnerabilities


def attack_name(name: object) -> object:
    """The name itself, of an attack that there is.

    Raises:
        ValueError: there is no such attack; names a near one where there is one.
    """
    names = [attack.value for attack in Attack]
    if isinstance(name, str) and name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
        raise ValueError(f"{name!r} is no attack that is looked for; {hint}")
    return name


AttackName = Annotated[Attack, BeforeValidator(attack_name)]
"""Checked name by name, so that each wrong one is reported where it stands."""


class VulnerabilitiesDemand(Demand):
    """Attacks that must not work."""

    forbidden: frozenset[AttackName] = Field(min_length=1)


def _judge(case: Case, demand: VulnerabilitiesDemand) -> Outcome:
    facts = case.facts.get(Vulnerabilities)
    if facts is None:
        return unknown("it is not known what the server is open to")
    judged = {attack: facts.verdicts[attack] for attack in Attack if attack in demand.forbidden}
    found = {attack.value: one.evidence or (one.why,) for attack, one in judged.items() if one.vulnerable}
    if found:
        return failed(f"is open to {', '.join(found)}", found)
    left_open = {attack.value: one.why for attack, one in judged.items() if one.vulnerable is None}
    if left_open:
        evidence = {"unknown": tuple(f"{attack}: {why}" for attack, why in left_open.items())}
        return unknown(f"it could not be told whether it is open to {', '.join(left_open)}", evidence)
    return passed(f"is open to none of {len(judged)} known attacks")


CHECK = Check(name="vulnerabilities", demand=VulnerabilitiesDemand, judge=_judge)
