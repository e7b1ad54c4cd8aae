"""What each path answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from exporter.status import StatusSources
from exporter.web.api import ApiData, ApiRoute
from exporter.web.lifecycle import Gate, reload_route
from exporter.web.pages import PageData, page_routes
from exporter.web.probe import Ask, probe_route
from exporter.web.scrapes import VARY, Page, Scrapes, is_gzipped

_PIECE_BYTES = 65536
"""uvicorn waits for the client between two pieces, so a slow client holds one piece in addition to the shared page."""

_NOT_READY = "TLS Posture Exporter is not ready.\n"


class _PageResponse(Response):
    """A page of metrics, sent in pieces; it keeps the page while a client reads it."""

    def __init__(self, page: Page, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(body, headers={"Content-Type": page.content_type, **headers})
        self._page = page

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer the request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            for start in range(0, len(self.body), _PIECE_BYTES):
                piece = self.body[start : start + _PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show; each function is called on the event loop and must be quick.

    Attributes:
        metrics: `Accept` header -> body and content type.
        ready: whether the configuration is loaded and the schedule runs.
        reload: reads the configuration again; returns why that failed, None if it worked. None without a file.
        version: another number for each configuration that was used: metrics of an older one are not shown.
        probe: answers `/probe`; None without it.
        api: what the API and the pages answer from; None without them.
        status: the state of the daemon; None if only that of its targets is known.
    """

    metrics: Callable[[str], tuple[bytes, str]]
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
        page = scrapes.page(", ".join(request.headers.getlist("accept")))
        body, headers = page.body, {**VARY}
        if is_gzipped(body, ", ".join(request.headers.getlist("accept-encoding"))):
            body, headers["Content-Encoding"] = await page.packed(), "gzip"
        return _PageResponse(page, body, headers)

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
