"""What to change where a check fails, written from what was seen and what is asked: lines for servers and zone files.

Pure. A remedy turns nothing on that the server does not have now, unless the policy requires it or nothing else would
be left. It is about its own check; where two findings give a list for the same setting, what stands in both is right.
"""

from exporter.case import Case
from exporter.judging.check import Demand, Outcome
from exporter.model import Remedy
from exporter.remedies.registry import REMEDIES
from exporter.remedies.servers import everywhere

__all__ = ["remedy"]


def remedy(check: str, case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What to change so that this check passes, for each server that the target may be; raises nothing.

    Args:
        check: its name.
        case: the facts, with what is derived from them.
        demand: what the policy asks of the check.
        outcome: what the check said of them: a failure.
    """
    make = REMEDIES.get(check)
    if make is None:
        return ()
    made = tuple(one for one in make(case, demand, outcome) if one.lines or one.note)
    return made or everywhere(f"Set it as asked for; seen was: {outcome.summary}.")
