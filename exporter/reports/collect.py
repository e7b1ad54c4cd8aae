"""Collects what a document is made of from the daemon's targets, in slices between which the event loop goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from exporter.model import Report, Target
from exporter.querying import Queries, TargetFilter
from exporter.ranking import ranked
from exporter.reports.base import Format, ReportSet, used_policies

MOST_TARGETS = 1_000
"""Of one document."""


class TooManyTargetsError(Exception):
    """More targets are asked for than a document may have."""


async def collect(queries: Queries, wanted: TargetFilter) -> ReportSet:
    """The reports of these targets at this time, in no order.

    Raises:
        TooManyTargetsError: there are more than `MOST_TARGETS`.
    """
    found = await queries.targets(wanted, None, MOST_TARGETS)
    if found.next is not None:
        raise TooManyTargetsError(
            f"the report would have more than {MOST_TARGETS} targets; filter them by match[], check, verdict, policy "
            "or grade"
        )
    reports, missing = list[Sequence[Report]](), list[Target]()
    for summary in found.summaries:
        try:
            of_target = await queries.reports(summary.target.name)
        except KeyError:  # removed meanwhile
            continue
        if of_target:
            reports.append(of_target)
        else:
            missing.append(summary.target)
        await asyncio.sleep(0)
    known = (one.policy for one in queries.policies())
    return ReportSet(reports, used_policies(reports, known), queries.now, missing, queries.full)


def document(made_by: Format, found: ReportSet) -> bytes:
    """The document, the worst target first. Takes some milliseconds for each target: call it in a thread.

    The reports of a list are given up one by one. Freed together, those of 1,000 targets would stop all threads for as
    long as that takes.
    """
    ordered = ranked(found.reports)
    made = made_by.render(replace(found, reports=ordered)).encode()
    for several in (found.reports, ordered):
        while isinstance(several, list) and several:
            several.pop()
    return made
