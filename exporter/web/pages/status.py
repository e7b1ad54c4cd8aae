"""`/status`: what the daemon uses and how it does."""

from collections.abc import Mapping

from starlette.requests import Request

from exporter.lanes import Lane
from exporter.querying import ChangeFilter
from exporter.status import OwnValues, versions
from exporter.store.changelog import ALWAYS
from exporter.store.database import StoreError
from exporter.targets.discovered import CONFIGURED, OUTCOMES
from exporter.threads import POOLS
from exporter.web.api.parameters import Parameters
from exporter.web.api.sources import rejected_part, source_part
from exporter.web.pages.page import PageData, WebPage
from exporter.web.pages.query import page_parameters

_MOST_REJECTED = 20


async def _values(data: PageData, request: Request, _name: str) -> Mapping[str, object]:
    page_parameters(Parameters, request)
    queries, status, listing = data.api.queries, data.status, data.api.listing()
    log = await queries.changes(ChangeFilter(), ALWAYS, None, 1, backwards=True)
    return {
        "now": queries.now,
        "own": None if status is None else OwnValues(status.own()),
        "status": status,
        "targets": len(queries.names()),
        "known_since": log and log.known_since,
        "configured": sum(CONFIGURED in places for places in listing.found_in.values()),
        "sources": [source_part(one, listing) for one in data.api.sources()],
        "rejected": [(one.source, rejected_part(one)) for one in listing.rejected[:_MOST_REJECTED]],
        "rejected_count": sum(outcomes.get("rejected", 0) for outcomes in listing.outcomes.values()),
        "outcomes": OUTCOMES,
        "lanes": tuple(Lane),
        "store_errors": tuple(StoreError),
        "pools": POOLS,
        "versions": versions(),
    }


PAGE = WebPage("/status", "Status", "status.html", _values)
