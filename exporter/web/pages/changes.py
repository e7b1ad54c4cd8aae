"""`/changes`: what has changed at all targets, the newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from pydantic import Field
from starlette.requests import Request

from exporter.changes_text import ChangeText, Direction, change_text
from exporter.checks.registry import CHECKS
from exporter.querying import ChangeFilter, FoundChanges, Queries
from exporter.store.changelog import ALWAYS
from exporter.store.history import StateChange, What
from exporter.web.api.errors import ApiError
from exporter.web.api.parameters import ChangesParameters, log_cursor
from exporter.web.pages.page import PageData, WebPage
from exporter.web.pages.query import Since, given, page_parameters, query

KINDS = {
    What.VERDICT: "verdicts",
    What.GRADE: "grades",
    What.PROTOCOL: "protocols",
    What.SUITES: "cipher suites",
    What.CERTIFICATE: "certificates",
}


class ChangesQuery(ChangesParameters):
    """The parameters of `/changes`: those of the API, days as times, and `direction`."""

    since: Since = None
    direction: list[Direction] = Field([], max_length=len(Direction))


@dataclass(frozen=True, slots=True)
class ChangesAtOnce:
    """What changed at one address of a target at one time.

    Attributes:
        is_watched: the target is still there.
        texts: verdicts first, then what they are about.
    """

    target: str
    address: str | None
    at: datetime
    is_watched: bool
    texts: Sequence[ChangeText]


def _by_day(queries: Queries, found: FoundChanges) -> list[tuple[date, list[ChangesAtOnce]]]:
    def together(change: StateChange) -> tuple[datetime, str, str | None]:
        return change.at, change.target, change.address

    groups = [
        ChangesAtOnce(
            target, address, at, queries.summary(target) is not None, list(map(change_text, reversed(list(those))))
        )
        for (at, target, address), those in groupby(found.changes, together)
    ]
    return [(day, list(those)) for day, those in groupby(groups, lambda one: one.at.date())]


async def _values(data: PageData, request: Request, _name: str) -> Mapping[str, object]:
    wanted, queries, items = page_parameters(ChangesQuery, request), data.api.queries, given(request)
    found = await queries.changes(
        ChangeFilter(
            tuple(wanted.match),
            frozenset(wanted.what),
            frozenset(wanted.check),
            frozenset(wanted.verdict),
            frozenset(wanted.policy),
            frozenset(wanted.direction),
        ),
        wanted.since or ALWAYS,
        wanted.cursor,
        wanted.limit,
        backwards=True,
    )
    if found is None:
        raise ApiError("unavailable", "the history cannot be read now")
    return {
        "days": _by_day(queries, found),
        "count": len(found.changes),
        "known_since": found.known_since,
        "older": query(items, cursor=log_cursor(found.next)) if found.more else None,
        "newest": query(items, cursor=None) if wanted.cursor else None,
        "is_filtered": any(name not in {"cursor", "limit"} for name, _ in items),
        "given": dict(items),
        "kinds": {what.value: text for what, text in KINDS.items()},
        "checks": [(name, name) for name in sorted(check.name for check in CHECKS)],
        "policies": [(one.policy.name, one.policy.name) for one in queries.policies()],
    }


PAGE = WebPage("/changes", "Changes", "changes.html", _values)
