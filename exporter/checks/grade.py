"""Check `grade`: the grade of the SSL Labs Server Rating Guide is this letter or a better one (docs/grade.md)."""

from typing import Literal

from exporter.case import Case
from exporter.grade import Grade, Letter
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.servers import everywhere, evidence_text


class GradeDemand(Demand):
    """The lowest accepted letter, and whether it is the letter as if the certificates were trusted."""

    minimum: Literal[Letter.A_PLUS, Letter.A, Letter.A_MINUS, Letter.B, Letter.C, Letter.D, Letter.E]
    trust_ignored: bool = False


def _judge(case: Case, demand: GradeDemand) -> Outcome:
    grade = case.facts.get(Grade)
    if grade is None:
        return unknown("no protocol is known to be accepted")
    at_best, at_worst = (
        (grade.at_best_trust_ignored, grade.at_worst_trust_ignored)
        if demand.trust_ignored
        else (grade.at_best, grade.at_worst)
    )
    where = " if trust is ignored" if demand.trust_ignored else ""
    if at_best.rank < demand.minimum.rank:
        shown = f"is {at_best}" if at_best is at_worst else f"is {at_best} at best"
        return failed(f"the grade {shown}{where}, worse than {demand.minimum}", _held_by(grade, demand))
    if at_worst.rank < demand.minimum.rank:
        evidence = {"missing": grade.missing}
        return unknown(f"the grade{where} depends on what is not known: {', '.join(grade.missing)}", evidence)
    better = "" if at_best is at_worst else " or better"
    return passed(f"the grade is {at_worst}{better}{where}")


def _held_by(grade: Grade, demand: GradeDemand) -> dict[str, tuple[str, ...]]:
    """All rules that apply, and what would raise the letter, if the demand is about that letter."""
    lifts = () if demand.trust_ignored and grade.letter is not grade.trust_ignored else grade.lifts
    evidence = {"caps": grade.caps, "lifts": tuple(f"{lift.rule}: {lift.remedy}" for lift in lifts)}
    return {key: said for key, said in evidence.items() if said}


def _asks(demand: GradeDemand) -> str:
    worse = "" if demand.minimum is Letter.A_PLUS else " or better"
    return f"a grade of {demand.minimum}{worse}{', trust ignored' if demand.trust_ignored else ''}"


def _remedy(_case: Case, _demand: GradeDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The reasons for the grade.

    The lines for the configuration are in the findings of the checks for these reasons.
    """
    return everywhere(f"Fix what lowers the grade: {evidence_text(outcome.evidence) or outcome.summary}.")


CHECK = Check(
    name="grade",
    why="Many people know the letter, and it condenses the configuration and the certificate into one value.",
    demand=GradeDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
