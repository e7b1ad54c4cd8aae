"""Check `server_software`: what the server says that it runs on still gets security fixes.

A banner is a hint and no proof: it can be hidden, set to anything, and stay the same over a distribution's fixes. So a
hidden version is unknown and a distribution's package is unknown as long as its release lasts. Only a series that
nobody maintains fails, and an old version of a maintained one that no supported distribution carries. Both are known
where the operator says whose packages they are (`distribution`).
"""

from collections.abc import Sequence
from typing import Literal

from exporter.case import Case
from exporter.derived.software import Judged, Software
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Remedy
from exporter.remedies.software import software_updates
from exporter.services import SERVICES


class ServerSoftwareDemand(Demand):
    """That all products shown be maintained."""

    maintained: Literal[True]


def _judge(case: Case, _demand: ServerSoftwareDemand) -> Outcome:
    speaks_first = SERVICES[case.target.starttls or case.target.protocol].greeting is not None
    if case.target.protocol != "https" and not speaks_first and case.target.distribution is None:
        return not_applicable(f"nothing that is read of {case.target.protocol} names the software")
    facts = case.facts.get(Software)
    if facts is None:
        return unknown("there was nothing to look at")
    if facts.outdated:
        return failed(_summary(facts.outdated), {"outdated": tuple(map(_said, facts.outdated))})
    if facts.maintained:
        names = ", ".join(_name(one) for one in facts.products if one.support.maintained)
        return passed(f"is maintained: {names}")
    if not facts.products:
        return unknown("the server does not say what it runs on")
    return unknown("it could not be told whether all is maintained", {"unknown": tuple(_open(facts))})


def _summary(outdated: Sequence[Judged]) -> str:
    ended = [_name(one) for one in outdated if not one.support.behind]
    behind = [_name(one) for one in outdated if one.support.behind]
    parts = [f"is out of support: {', '.join(ended)}"] if ended else []
    return "; ".join([*parts, *([f"lacks the fixes of its series: {', '.join(behind)}"] if behind else [])])


def _open(facts: Software) -> list[str]:
    """What stands in the way: what is left open, else what the server shows too little of."""
    return [_said(one) for one in facts.open or facts.products if one.support.maintained is None]


def _name(one: Judged) -> str:
    return f"{one.shown.product} {one.shown.version}" if one.shown.version else one.shown.product


def _said(one: Judged) -> str:
    return f"{_name(one)} {one.support.why}"


def _remedy(case: Case, _demand: ServerSoftwareDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """What to update each product to that is not maintained."""
    return software_updates(case)


CHECK = Check(
    name="server_software",
    demand=ServerSoftwareDemand,
    verdict=_judge,
    asks=lambda _demand: "software that still gets security fixes",
    remedy=_remedy,
)
