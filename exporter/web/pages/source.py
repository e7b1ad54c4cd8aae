"""`/source`: the source of the running version, to which all pages link."""

from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter.source import NAME, archive
from exporter.threads import REPORTS
from exporter.web.places import Places

_HEADERS = {"Content-Disposition": f'attachment; filename="{NAME}.tar.gz"', "Cache-Control": "no-store"}


class _Source:
    """Answers with the archive. A client network has places as for pages."""

    def __init__(self, places: Places) -> None:
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._places.taken(scope):
            content = await REPORTS.run(archive, archive)
            await Response(content, media_type="application/gzip", headers=_HEADERS)(scope, receive, send)


def source_route(places: Places) -> Route:
    """The route."""
    return Route("/source", _Source(places), methods=["GET"])
