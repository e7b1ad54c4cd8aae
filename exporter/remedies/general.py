"""Remedies of checks that sum up what others look at: they name what stands in the way, and give no lines."""

from exporter.case import Case
from exporter.judging.check import Demand, Outcome
from exporter.model import Remedy
from exporter.remedies.servers import everywhere

_MOST_NAMED = 12


def _evidence(outcome: Outcome) -> str:
    """What was seen, in a sentence: `TLSv1.0: grade capped to B`."""
    texts = [f"{key}: {', '.join(values)}" if values else key for key, values in outcome.evidence.items()]
    return "; ".join(texts[:_MOST_NAMED]) or outcome.summary


def grade(_case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What the grade fails by."""
    return everywhere(f"Mend what lowers the grade: {_evidence(outcome)}.")


def clients(_case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """Which clients are on the wrong side."""
    return everywhere(
        "Accept a protocol, a suite and a group that the clients have which are to connect, and none that those have "
        f"which are not: {_evidence(outcome)}."
    )
