"""Targets, their reports, and what changed."""

import asyncio
from collections.abc import Sequence

from exporter.model import Report
from exporter.querying import ChangeFilter, FoundChanges
from exporter.report import ReportForm, report_form
from exporter.store.changelog import ALWAYS
from exporter.store.history import StateChange
from exporter.summaries import Summary
from exporter.web.api.errors import ApiError
from exporter.web.api.forms import (
    AddressPart,
    ChangePart,
    ChangesAnswer,
    ChangesPart,
    HistoryAnswer,
    HistoryPart,
    ReportsAnswer,
    ReportsPart,
    StatePart,
    TargetPart,
    TargetsAnswer,
    TargetsPart,
)
from exporter.web.api.operation import AnyOperation, ApiData, Operation, Reply
from exporter.web.api.parameters import (
    ChangesParameters,
    HistoryParameters,
    Parameters,
    TargetsParameters,
    log_cursor,
    name_cursor,
)

_SLICE = 100


async def _targets(data: ApiData, _name: str, parameters: TargetsParameters) -> Reply:
    found = await data.queries.targets(parameters.wanted(), parameters.cursor, parameters.limit)
    parts = []
    for place, summary in enumerate(found.summaries):
        if place % _SLICE == 0:
            await asyncio.sleep(0)
        parts.append(_target(data, summary))
    following = None if found.next is None else name_cursor(found.next)
    return Reply(TargetsAnswer(data=TargetsPart(targets=parts, next_cursor=following)))


def _target(data: ApiData, summary: Summary) -> TargetPart:
    target = summary.target
    return TargetPart(
        name=target.name,
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        starttls=target.starttls,
        server_name=target.server_name,
        labels=dict(target.labels),
        policies=summary.compliant,
        failed=summary.failed,
        accepted=summary.accepted,
        grade=summary.grade,
        success=summary.success,
        scanned_at=summary.scanned_at,
        last_success_at=summary.last_success_at,
        next_scan_at=data.queries.next_due_of(target.name),
        addresses=[
            AddressPart(
                address=one.address,
                success=one.success,
                grade=one.grade,
                scanned_at=one.scanned_at,
                last_success_at=one.last_success_at,
            )
            for one in summary.addresses
        ],
        found_in=list(data.listing().found_in.get(target.name, ())),
    )


def no_target(name: str) -> ApiError:
    """There is no such target."""
    return ApiError("not_found", f"there is no target {name!r}")


async def report_forms(data: ApiData, name: str) -> list[ReportForm]:
    """The published form of the reports of a target, made one after the other: a target can have 16 addresses.

    Raises:
        ApiError: there is no such target.
    """
    try:
        reports: Sequence[Report] = await data.queries.reports(name)
    except KeyError:
        raise no_target(name) from None
    forms = []
    for report in reports:
        forms.append(report_form(report))
        await asyncio.sleep(0)
    return forms


async def _reports(data: ApiData, name: str, _parameters: Parameters) -> Reply:
    return Reply(ReportsAnswer(data=ReportsPart(reports=await report_forms(data, name))))


async def _history(data: ApiData, name: str, parameters: HistoryParameters) -> Reply:
    if data.queries.summary(name) is None:
        raise no_target(name)
    found = _readable(await data.queries.history(name, parameters.cursor, parameters.limit))
    states = [
        StatePart(address=address, what=key.what, subject=key.subject, value=state.value, since=state.since)
        for address, states in data.queries.states(name)
        for key, state in states.items()
    ]
    part = HistoryPart(
        states=states,
        changes=list(map(_change, found.changes)),
        known_since=found.known_since,
        next_cursor=log_cursor(found.next) if found.more else None,
    )
    return Reply(HistoryAnswer(data=part))


async def _changes(data: ApiData, _name: str, parameters: ChangesParameters) -> Reply:
    wanted = ChangeFilter(
        tuple(parameters.match),
        frozenset(parameters.what),
        frozenset(parameters.check),
        frozenset(parameters.verdict),
        frozenset(parameters.policy),
    )
    since = parameters.since or ALWAYS
    found = _readable(await data.queries.changes(wanted, since, parameters.cursor, parameters.limit))
    part = ChangesPart(
        changes=list(map(_change, found.changes)),
        known_since=found.known_since,
        next_cursor=log_cursor(found.next),
        more=found.more,
    )
    return Reply(ChangesAnswer(data=part))


def _readable(found: FoundChanges | None) -> FoundChanges:
    if found is None:
        raise ApiError("unavailable", "the history cannot be read now")
    return found


def _change(change: StateChange) -> ChangePart:
    return ChangePart(
        target=change.target,
        address=change.address,
        what=change.key.what,
        subject=change.key.subject,
        before=change.before,
        after=change.after,
        at=change.at,
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "listTargets",
        "GET",
        "/targets",
        "Targets in short, also those that were never scanned",
        TargetsParameters,
        TargetsAnswer,
        _targets,
        ("unavailable",),
    ),
    Operation(
        "getReports",
        "GET",
        "/targets/{name}",
        "The complete reports of one target, one for each address",
        Parameters,
        ReportsAnswer,
        _reports,
        ("not_found", "unavailable"),
    ),
    Operation(
        "getHistory",
        "GET",
        "/targets/{name}/history",
        "What is so now and since when, and what has changed",
        HistoryParameters,
        HistoryAnswer,
        _history,
        ("not_found", "unavailable"),
    ),
    Operation(
        "listChanges",
        "GET",
        "/changes",
        "What has changed at all targets, the oldest first",
        ChangesParameters,
        ChangesAnswer,
        _changes,
        ("unavailable",),
    ),
)
