"""What each path answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter import __version__
from exporter.web.api import ApiData, ApiRoute
from exporter.web.lifecycle import Gate, reload_route
from exporter.web.probe import Ask, probe_route
from exporter.web.scrapes import VARY, Page, Scrapes, is_gzipped

_PIECE_BYTES = 65536
"""uvicorn waits for the client between two pieces, so a slow client holds one piece in addition to the shared page."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>TLS Posture Exporter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem; color: #222; }}
li {{ margin: .3rem 0; }} footer {{ color: #666; margin-top: 2rem; font-size: .9rem; }}
</style></head>
<body>
<h1>TLS Posture Exporter</h1>
<p>Watches {targets} TLS service{plural}. {scanned} of them {have} been scanned.</p>
<ul>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/-/healthy">Healthy</a></li>
<li><a href="/-/ready">Ready</a></li>
<li><a href="/api/v1/openapi.json">Description of the API</a></li>
</ul>
<footer>Version {version}</footer>
</body></html>
"""

_NOT_READY = "TLS Posture Exporter is not ready.\n"
_PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


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
        counts: number of targets, and how many of them have been scanned.
        reload: reads the configuration again; returns why that failed, None if it worked. None without a file.
        version: another number for each configuration that was used: metrics of an older one are not shown.
        probe: answers `/probe`; None without it.
        api: what the API answers from; None without an API.
    """

    metrics: Callable[[str], tuple[bytes, str]]
    ready: Callable[[], bool]
    counts: Callable[[], tuple[int, int]]
    reload: Callable[[], Awaitable[str | None]] | None = None
    version: Callable[[], int] = lambda: 0
    probe: Ask | None = None
    api: ApiData | None = None


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

    async def landing(_request: Request) -> Response:
        targets, scanned = sources.counts()
        page = _PAGE.format(
            targets=targets,
            plural="" if targets == 1 else "s",
            scanned=scanned,
            have="has" if scanned == 1 else "have",
            version=__version__,
        )
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    routes = [
        Route("/", landing),
        Route("/metrics", metrics),
        Route("/-/healthy", healthy),
        Route("/-/ready", ready),
        *([] if sources.reload is None else [reload_route(sources.reload, gate)]),
        *([] if sources.api is None else [ApiRoute(sources.api, gate)]),
        *([] if sources.probe is None else [probe_route(sources.probe, sources.ready)]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # such a redirect would contain whatever the Host field of the request has
    return app
