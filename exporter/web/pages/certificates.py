"""`/certificates`: each certificate that targets present, by its end."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.requests import Request

from exporter.certificate_lists import CertificateFilter, CertificateSort, list_certificates
from exporter.certificate_summaries import CertificateSummary
from exporter.web.api.parameters import Match, Parameters
from exporter.web.pages.page import PageData, WebPage
from exporter.web.pages.query import Number, Place, Size, given, page_parameters, query

_TARGETS_SHOWN, _MOST_TARGETS_SHOWN = 3, 1000
"""Of each certificate in the list, and of a single one."""
_MOST_ISSUERS = 8
_WARNED_AT = ((timedelta(days=7), 0.9, "fail"), (timedelta(days=21), 0.75, "unknown"))
"""Less time left than this, and more of the lifetime passed: as the alert TLSPostureCertificateExpiring."""

Text = Annotated[str, StringConstraints(max_length=1000)]


class CertificatesQuery(Parameters):
    """The parameters of `/certificates`."""

    match: Match = Field([])
    certificate: Annotated[str | None, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = None
    issuer: Text | None = None
    key: Text | None = None
    signature: Text | None = None
    days: Annotated[Number, Field(ge=0, le=100_000)] | None = None
    search: Text | None = None
    sort: Annotated[str, StringConstraints(pattern=rf"^-?({'|'.join(CertificateSort)})$")] = CertificateSort.END
    page: Place = 1
    limit: Size = 100


def _state(one: CertificateSummary, now: datetime) -> str:
    """How urgent it is: a name of a colour."""
    left, passed = one.not_after - now, one.share_passed(now)
    if left <= timedelta(0):
        return "fail"
    return next((name for time, share, name in _WARNED_AT if left < time and passed > share), "pass")


async def _values(data: PageData, request: Request, _name: str) -> Mapping[str, object]:
    wanted, queries, items = page_parameters(CertificatesQuery, request), data.api.queries, given(request)
    now, sort = queries.now, CertificateSort(wanted.sort.removeprefix("-"))
    chosen = CertificateFilter(
        wanted.certificate, wanted.issuer, wanted.key, wanted.signature, wanted.days, wanted.search
    )
    start = (wanted.page - 1) * wanted.limit
    shown = await list_certificates(
        queries.summaries(wanted.match),
        chosen,
        now,
        sort=sort,
        is_reversed=wanted.sort.startswith("-"),
        start=start,
        limit=wanted.limit,
    )
    return {
        "shown": shown,
        "rows": [
            (row, round(100 * row.certificate.share_passed(now)), _state(row.certificate, now)) for row in shown.rows
        ],
        "now": now,
        "most_targets": _MOST_TARGETS_SHOWN if wanted.certificate else _TARGETS_SHOWN,
        "is_single": wanted.certificate is not None,
        "most_issuers": _MOST_ISSUERS,
        "start": start,
        "previous": query(items, page=wanted.page - 1) if wanted.page > 1 else None,
        "next": query(items, page=wanted.page + 1) if start + wanted.limit < shown.found else None,
        "sort": sort.value,
        "order": "descending" if sort.most_first is not wanted.sort.startswith("-") else "ascending",
        "sorted_by": {one.value: query(items, page=None, sort=_next_sort(one, wanted.sort)) for one in CertificateSort},
        "is_filtered": any(name not in {"sort", "page", "limit"} for name, _ in items),
        "given": dict(items),
        "query": query,
    }


def _next_sort(one: CertificateSort, current: str) -> str:
    """Once more on the same column reverses it."""
    return f"-{one}" if current == one else one


PAGE = WebPage("/certificates", "Certificates", "certificates.html", _values)
