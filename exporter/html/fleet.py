"""What the fleet page shows: counts, filters and rows in words and links. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exporter.checks.registry import CHECKS
from exporter.grade import Letter
from exporter.html.links import QueryLinks
from exporter.html.rows import FleetRow, row_of
from exporter.html.words import STATES
from exporter.model import Verdict
from exporter.overview import FleetOrder, FleetQuery, Overview
from exporter.policies.steps import STEPS
from exporter.summaries import TargetState

LIMITS = (50, 100, 200)
"""Rows of a page, of which the first is the default."""
NO_GRADE = "unknown"
"""Value of the parameter `grade` for a grade that is not known."""
_CHECKS_SHOWN = 8
_PLACE = ("page",)
"""What another filter or another order makes meaningless."""
_FILTERS = {
    "search": "search",
    "match[]": "labels",
    "state": "verdict",
    "check": "check",
    "verdict": "verdict of the check",
    "policy": "policy",
    "grade": "grade",
}
_VERDICTS = {
    Verdict.FAIL: "fails",
    Verdict.UNKNOWN: "unknown",
    Verdict.PASS: "passes",
    Verdict.NOT_APPLICABLE: "not applicable",
}
_ORDERS = {
    FleetOrder.VERDICT: ("Verdict, worst first", "Verdict, best first"),  # the default comes first
    FleetOrder.NAME: ("Name, A to Z", "Name, Z to A"),
    FleetOrder.GRADE: ("Grade, worst first", "Grade, best first"),
    FleetOrder.EXPIRY: ("Certificate, first to end", "Certificate, last to end"),
    FleetOrder.SCANNED: ("Scan, oldest first", "Scan, newest first"),
}


@dataclass(frozen=True, slots=True)
class Facet:
    """A number of targets, and the link that shows only these, or all again.

    Attributes:
        kind: for its colour.
        start, share: where its part of a bar begins and how long it is, in percent of all.
        note: what has to be added.
    """

    text: str
    kind: str
    count: int
    href: str
    current: bool
    start: float
    share: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field of the form."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class FormField:
    """A field in which one of some values is chosen; `more` are other values of it that the query has."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FleetForm:
    """The form as the query fills it."""

    search: str
    labels: tuple[str, ...]
    fields: tuple[FormField, ...]
    limit: str
    chips: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A column; `sorted` is `ascending` or `descending` where the table is sorted by it."""

    text: str
    href: str = ""
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    """Links to other pages; empty where there is none."""

    first: int
    last: int
    previous: str
    next: str
    limits: tuple[tuple[int, str, bool], ...]


@dataclass(frozen=True, slots=True)
class FleetView:
    """The page, apart from its form.

    Attributes:
        steps: number and meaning of each step; empty if no row has steps.
        clear: the link that removes all filters; empty without filters.
    """

    found: Overview
    states: tuple[Facet, ...]
    grades: tuple[Facet, ...]
    checks: tuple[Facet, ...]
    more_checks: tuple[Facet, ...]
    headings: tuple[Heading, ...]
    rows: tuple[FleetRow, ...]
    steps: Mapping[int, str]
    pager: Pager
    clear: str


def fleet_form(links: QueryLinks, policies: Iterable[str]) -> FleetForm:
    """The form. It is made of the query as it was given, so it can also show what is wrong."""
    orders = {
        f"{mark}{order}": text for order, texts in _ORDERS.items() for mark, text in zip(("", "-"), texts, strict=True)
    }
    fields = (
        _field(links, "state", "Verdict", {str(state): text for state, text in STATES.items()}),
        _field(links, "check", "Check", {name: name for name in sorted(check.name for check in CHECKS)}),
        _field(links, "verdict", "Verdict of the check", {str(one): text for one, text in _VERDICTS.items()}),
        _field(links, "policy", "Policy", dict.fromkeys(dict.fromkeys((*policies, *links.values("policy"))), "")),
        _field(links, "grade", "Grade", {**{str(one): str(one) for one in Letter}, NO_GRADE: "not known"}),
        _field(links, "sort", "Sort by", orders),
    )
    return FleetForm(
        " ".join(links.values("search")),
        tuple(links.values("match[]")) or ("",),
        fields,
        next(iter(links.values("limit")), ""),
        tuple(_chips(links)),
    )


def _field(links: QueryLinks, name: str, label: str, texts: Mapping[str, str]) -> FormField:
    chosen, *more = links.values(name) or [""]
    choices = tuple(Choice(value, text or value, value == chosen) for value, text in texts.items())
    return FormField(name, label, choices, tuple(more))


def _chips(links: QueryLinks) -> Iterator[tuple[str, str, str]]:
    """The name of each filter in use, its value, and the link without it."""
    for name, value in dict.fromkeys(links.items):
        if name in _FILTERS:
            yield _FILTERS[name], _value_in_words(name, value), links.less((name, value), without=_PLACE)


def _value_in_words(name: str, value: str) -> str:
    if name == "state":
        return next((text for state, text in STATES.items() if state == value), value)
    if name == "verdict":
        return next((text for verdict, text in _VERDICTS.items() if verdict == value), value)
    return "not known" if (name, value) == ("grade", NO_GRADE) else value


def fleet_view(
    found: Overview,
    query: FleetQuery,
    links: QueryLinks,
    now: datetime,
    next_due_of: Callable[[str], datetime | None],
) -> FleetView:
    """The page."""
    rows = tuple(
        row_of(one, query.wanted.policies, now, next_due_of(one.target.name), _label_links(one.target.labels, links))
        for one in found.summaries
    )
    checks = _check_facets(found, links)
    is_filtered = any(name in _FILTERS for name, _ in links.items)
    return FleetView(
        found,
        _state_facets(found, links),
        _grade_facets(found, links),
        checks[:_CHECKS_SHOWN],
        checks[_CHECKS_SHOWN:],
        _headings(query, links),
        rows,
        STEPS if any(row.steps for row in rows) else {},
        _pager(found, query, links),
        links.having(without=(*_FILTERS, *_PLACE)) if is_filtered else "",
    )


def _label_links(labels: Mapping[str, str], links: QueryLinks) -> tuple[tuple[str, str, str], ...]:
    """Name and value of each label, and the link to the targets that have it. The other selectors are replaced."""
    return tuple(
        (name, value, links.having(("match[]", f"{{{name}={json.dumps(value, ensure_ascii=False)}}}"), without=_PLACE))
        for name, value in labels.items()
    )


def _state_facets(found: Overview, links: QueryLinks) -> tuple[Facet, ...]:
    counts = [(state, found.states.get(state, 0)) for state in TargetState]
    total, start, facets = sum(found.states.values()) or 1, 0.0, []
    for state, count in counts:
        # Few fleets have accepted failures, so the others do not need to show that there are none.
        if count or state is not TargetState.ACCEPTED:
            facet = _facet(links, ("state", state), count, total)
            facets.append(replace(facet, text=STATES[state], kind=state, start=start))
            start += facet.share
    return tuple(facets)


def _grade_facets(found: Overview, links: QueryLinks) -> tuple[Facet, ...]:
    most = max(found.grades.values(), default=0)
    facets = []
    for grade in (*Letter, None):
        count = found.grades.get(grade, 0)
        if count:
            facet = _facet(links, ("grade", grade or NO_GRADE), count, most)
            facets.append(replace(facet, text=grade or "not known", kind=grade[0] if grade else "none"))
    return tuple(facets)


def _check_facets(found: Overview, links: QueryLinks) -> tuple[Facet, ...]:
    most = max((one.failing for one in found.checks), default=1)
    facets = []
    for one in found.checks:
        current = one.check in links.values("check") and "fail" in links.values("verdict")
        href = (
            links.having(without=("check", "verdict", *_PLACE))
            if current
            else links.having(("check", one.check), ("verdict", "fail"), without=_PLACE)
        )
        note = f"{one.accepted} accepted" if one.accepted else ""
        facets.append(Facet(one.check, "fail", one.failing, href, current, 0, 100 * one.failing / most, note))
    return tuple(facets)


def _facet(links: QueryLinks, item: tuple[str, str], count: int, most: int) -> Facet:
    current = item in links.items
    href = links.less(item, without=_PLACE) if current else links.having(item, without=_PLACE)
    return Facet("", "", count, href, current, 0, 100 * count / most)


def _headings(query: FleetQuery, links: QueryLinks) -> tuple[Heading, ...]:
    def sortable(text: str, order: FleetOrder) -> Heading:
        current = query.order is order
        value = f"-{order}" if current and not query.backwards else str(order)
        sorted_ = ("descending" if query.backwards else "ascending") if current else ""
        return Heading(text, links.having(("sort", value), without=_PLACE), sorted_)

    return (
        sortable("Target", FleetOrder.NAME),
        sortable("Verdict", FleetOrder.VERDICT),
        sortable("Grade", FleetOrder.GRADE),
        Heading("Checklist"),
        Heading("Worst finding"),
        sortable("Certificate ends", FleetOrder.EXPIRY),
        sortable("Scans", FleetOrder.SCANNED),
    )


def _pager(found: Overview, query: FleetQuery, links: QueryLinks) -> Pager:
    def page(number: int) -> str:
        return links.having(("page", str(number))) if number > 1 else links.having(without=_PLACE)

    first = (found.page - 1) * query.limit + 1 if found.matching else 0
    return Pager(
        first,
        max(0, first + len(found.summaries) - 1),
        page(found.page - 1) if found.page > 1 else "",
        page(found.page + 1) if found.page < found.pages else "",
        _limits(query.limit, links),
    )


def _limits(limit: int, links: QueryLinks) -> tuple[tuple[int, str, bool], ...]:
    hrefs: Sequence[str] = [links.having(("limit", str(one)), without=_PLACE) for one in LIMITS]
    return tuple((one, href, one == limit) for one, href in zip(LIMITS, hrefs, strict=True))
