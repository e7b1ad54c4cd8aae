"""`/`: all targets."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request

from exporter.grade import Letter
from exporter.html.fleet import LIMITS, NO_GRADE, fleet_form, fleet_view
from exporter.html.links import QueryLinks
from exporter.overview import FleetOrder, FleetQuery, overview
from exporter.summaries import TargetState
from exporter.web.api.errors import ApiError
from exporter.web.api.parameters import MOST_VALUES, SelectedParameters, WholeNumber, read_parameters
from exporter.web.pages.page import PageData, WebPage, WrongQueryError

_MOST_WORDS = 16


def _words(text: str) -> str:
    if len(text.split()) > _MOST_WORDS:
        raise ValueError(f"it has more than {_MOST_WORDS} words")
    return text


def _limit(limit: int) -> int:
    if limit not in LIMITS:
        raise ValueError(f"it is not one of {', '.join(map(str, LIMITS))}")
    return limit


def _order(text: object) -> object:
    return text.removeprefix("-") if isinstance(text, str) else text


class FleetParameters(SelectedParameters):
    """Which targets, in which order, and which page of them. A target has to meet all filters."""

    grade: list[Letter | Literal["unknown"]] = Field([], max_length=MOST_VALUES)
    state: list[TargetState] = Field([], max_length=MOST_VALUES)
    search: Annotated[str, AfterValidator(_words)] = Field("", max_length=200)
    sort: Annotated[FleetOrder, BeforeValidator(_order)] = FleetOrder.VERDICT
    page: Annotated[int, Field(ge=1, le=1_000_000), WholeNumber] = 1
    limit: Annotated[int, AfterValidator(_limit), WholeNumber] = LIMITS[0]


def _query(links: QueryLinks) -> FleetQuery:
    """What the query asks for.

    Raises:
        ApiError: a parameter is wrong.
    """
    read = read_parameters(FleetParameters, links.items)
    return FleetQuery(
        read.with_grades(None if grade == NO_GRADE else Letter(grade) for grade in read.grade),
        tuple(read.search.split()),
        frozenset(read.state),
        read.sort,
        any(value.startswith("-") for value in links.values("sort")),
        read.page,
        read.limit,
    )


async def _values(data: PageData, request: Request, _name: str) -> Mapping[str, object]:
    queries = data.api.queries
    # A form sends its empty fields too.
    links = QueryLinks(tuple((name, value) for name, value in request.query_params.multi_items() if value.strip()))
    form = fleet_form(links, (one.policy.name for one in queries.policies() if one.targets))
    common = {"form": form, "now": queries.now, "targets": len(queries.names())}
    try:
        query = _query(links)
    except ApiError as error:
        raise WrongQueryError({**common, "problem": error.message, "view": None}) from error
    found = await overview(queries, query)
    view = fleet_view(found, query, links, queries.now, queries.next_due_of)
    return {**common, "problem": "", "view": view}


PAGE = WebPage("/", "Fleet", "fleet.html", _values)
