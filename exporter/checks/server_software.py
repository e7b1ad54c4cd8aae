"""Check `server_software`: the software that the server names still gets security fixes.

A banner is a hint, not a proof. It can be hidden or set to any text, and it does not change with a distribution's
fixes. So a hidden version is unknown, and a distribution's package is unknown while its release is supported. Two cases
fail: a series that nobody maintains, and an old version of a maintained series that no supported distribution ships.
Where the operator names the distribution (`distribution`), its packages are known too.
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
    """All products shown must be maintained."""

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
    return unknown("it is not known whether all is maintained", {"unknown": tuple(_open(facts))})


def _summary(outdated: Sequence[Judged]) -> str:
    ended = [_name(one) for one in outdated if not one.support.behind]
    behind = [_name(one) for one in outdated if one.support.behind]
    parts = [f"is out of support: {', '.join(ended)}"] if ended else []
    return "; ".join([*parts, *([f"lacks the fixes of its series: {', '.join(behind)}"] if behind else [])])


def _open(facts: Software) -> list[str]:
    """Why the check is unknown: products that cannot be judged, or that the server shows too little."""
    return [_said(one) for one in facts.open or facts.products if one.support.maintained is None]


def _name(one: Judged) -> str:
    return f"{one.shown.product} {one.shown.version}" if one.shown.version else one.shown.product


def _said(one: Judged) -> str:
    return f"{_name(one)} {one.support.why}"


def _remedy(case: Case, _demand: ServerSoftwareDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The version to update each product to that is not maintained."""
    return software_updates(case)


CHECK = Check(
    name="server_software",
    why="Holes that are found in software without maintenance stay open.",
    demand=ServerSoftwareDemand,
    verdict=_judge,
    asks=lambda _demand: "software that still gets security fixes",
    remedy=_remedy,
)
