"""`/targets/NAME`: one target."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from starlette.requests import Request

from exporter.html.target import (
    AddressView,
    ShownHistory,
    address_view,
    shown_history,
    since,
    target_view,
    worst_first,
)
from exporter.model import Target
from exporter.policies import Policy
from exporter.querying import Queries
from exporter.web.pages.page import PageData, PageNotFoundError, WebPage

_MOST_CHANGES = 100
"""Maximum number of changes on the page."""


class _Known(NamedTuple):
    target: Target
    policies: tuple[Policy, ...]


async def _values(data: PageData, request: Request, name: str) -> Mapping[str, object]:
    queries = data.api.queries
    known = _known(queries, name)
    addresses = await _addresses(queries, known)
    view = target_view(
        known.target,
        known.policies,
        addresses,
        now=queries.now,
        next_scan_at=queries.next_due_of(name),
        history=await _history(queries, name),
    )
    return {"view": view, "refusal": data.gate.refusal_of_client(request)}


def _known(queries: Queries, name: str) -> _Known:
    summary = queries.summary(name)
    if summary is None:
        raise PageNotFoundError(f"There is no target {name!r}.")
    return _Known(summary.target, queries.policies_of(name))


async def _addresses(queries: Queries, known: _Known) -> list[AddressView]:
    """The views of all addresses, in slices: a target can have 16."""
    name, views = known.target.name, list[AddressView]()
    try:
        reports = await queries.reports(name)
    except KeyError:
        raise PageNotFoundError(f"There is no target {name!r}.") from None
    states = dict(queries.states(name))
    await asyncio.sleep(0)
    for place, report in enumerate(worst_first(reports)):
        of_address = since(states.get(report.address, {}))
        views.append(address_view(report, known.policies, place, queries.now, of_address))
        await asyncio.sleep(0)
    return views


async def _history(queries: Queries, name: str) -> ShownHistory | None:
    found = await queries.history(name, None, _MOST_CHANGES)
    return None if found is None else shown_history(found.changes, found.known_since, more=found.more)


PAGE = WebPage("/targets/{name}", "Fleet", "target.html", _values)
