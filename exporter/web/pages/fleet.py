"""`/`: all targets."""

from collections.abc import Mapping

from starlette.requests import Request

from exporter.web.pages.page import PageData, WebPage


async def _values(data: PageData, _request: Request, _name: str) -> Mapping[str, object]:
    names = data.api.queries.names()
    summaries = [data.api.queries.summary(name) for name in names]
    return {"targets": len(names), "scanned": sum(one is not None and one.judged is not None for one in summaries)}


PAGE = WebPage("/", "Fleet", "fleet.html", _values)
