"""What each path answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from exporter.metrics import Page
from exporter.status import StatusSources
from exporter.web.api import ApiData, ApiRoute
from exporter.web.lifecycle import Gate, reload_route
from exporter.web.pages import PageData, page_routes
from exporter.web.probe import Ask, probe_route
from exporter.web.scrapes import Scrapes

_NOT_READY = "TLS Posture Exporter is not ready.\n"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show; each function is called on the event loop and must be quick.

    Attributes:
        metrics: `Accept` header -> what makes the page of metrics of this moment; that is called in a thread.
        ready: whether the configuration is loaded and the schedule runs.
        reload: reads the configuration again; returns why that failed, None if it worked. None without a file.
        version: another number for each configuration that was used: metrics of an older one are not shown.
        probe: answers `/probe`; None without it.
        api: what the API and the pages answer from; None without them.
        status: the state of the daemon; None if only that of its targets is known.
    """

    metrics: Callable[[str], Callable[[], Page]]
    ready: Callable[[], bool]
    reload: Callable[[], Awaitable[str | None]] | None = None
    version: Callable[[], int] = lambda: 0
    probe: Ask | None = None
    api: ApiData | None = None
    status: StatusSources | None = None


def _api_and_pages(api: ApiData, gate: Gate, status: StatusSources | None) -> list[BaseRoute]:
    return [ApiRoute(api, gate), *page_routes(PageData(api, gate, status))]


def make_app(sources: Sources, gate: Gate | None = None) -> Starlette:
    """The ASGI application; `gate` decides who may change something, by default nobody."""
    gate = gate or Gate()
    scrapes = Scrapes(sources.metrics, sources.version)

    async def metrics(request: Request) -> Response:
        if not sources.ready():  # a page with some of the targets would look as if the others were gone
            return PlainTextResponse(_NOT_READY, status_code=503)
        accept, coding = (", ".join(request.headers.getlist(name)) for name in ("accept", "accept-encoding"))
        return await scrapes.answer(accept, coding)

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("TLS Posture Exporter is healthy.\n")

    async def ready(_request: Request) -> Response:
        if sources.ready():
            return PlainTextResponse("TLS Posture Exporter is ready.\n")
        return PlainTextResponse(_NOT_READY, status_code=503)

    routes = [
        Route("/metrics", metrics),
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
        *([] if sources.reload is None else [reload_route(sources.reload, gate)]),
        *([] if sources.api is None else _api_and_pages(sources.api, gate, sources.status)),
        *([] if sources.probe is None else [probe_route(sources.probe, sources.ready)]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # such a redirect would contain whatever the Host field of the request has
    return app
