"""What a page is, and how it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from exporter.html import ASSETS, render, render_slices
from exporter.status import StatusSources
from exporter.web.api import ApiData
from exporter.web.api.errors import STATUS, ApiError
from exporter.web.lifecycle import Gate
from exporter.web.places import Places

_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind} 'self'" for kind in ("style-src", "script-src", "connect-src", "form-action")),
        "img-src data:",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class PageData:
    """What pages are made of.

    Attributes:
        api: what the API answers from.
        gate: says who may start scans.
        status: the state of the daemon; None if only that of its targets is known.
    """

    api: ApiData
    gate: Gate
    status: StatusSources | None = None


def sentence(message: str) -> str:
    """A message of the API as a sentence."""
    return f"{message[:1].upper()}{message[1:]}."


class PageNotFoundError(Exception):
    """There is nothing of this name. The message is for people."""


class WrongQueryError(Exception):
    """The query cannot be used. The page says why: it is shown with these values and status 400."""

    def __init__(self, values: Mapping[str, object]) -> None:
        super().__init__()
        self.values = values


@dataclass(frozen=True, slots=True)
class WebPage:
    """One page.

    Attributes:
        path: a segment `{name}` at its end is any text.
        section: the entry of the navigation that is current.
        template: its name.
        values: data, the request, and the value of `{name}` (empty without one), to the values of the template; raises
            `PageNotFoundError`, `WrongQueryError`, or `ApiError` as an operation of the API.
    """

    path: str
    section: str
    template: str
    values: Callable[[PageData, Request, str], Awaitable[Mapping[str, object]]]


class PageRoute(BaseRoute):
    """The route of one page. Segments are decoded one by one, because names may have any character."""

    def __init__(self, page: WebPage, data: PageData, places: Places) -> None:
        self._page, self._data, self._places = page, data, places
        self._fixed = page.path.removesuffix("{name}")
        self._named = page.path.endswith("{name}")
        self._root = "../" * (page.path.count("/") - 1)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute`."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = bytes(scope["raw_path"]).decode("latin-1")
        rest = path.removeprefix(self._fixed)
        ours = path.startswith(self._fixed) and (bool(rest) and "/" not in rest if self._named else not rest)
        if not ours:
            return Match.NONE, {}
        return (Match.FULL if scope["method"] in {"GET", "HEAD"} else Match.PARTIAL), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `BaseRoute`."""
        async with self._places.taken(scope):
            response = await self._respond(Request(scope, receive), bytes(scope["raw_path"]))
            await response(scope, receive, send)

    async def _respond(self, request: Request, raw_path: bytes) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("This page has GET and HEAD only.\n", 405, {"Allow": "GET, HEAD"})
        status, frame = 200, dict[str, object]({"root": self._root, "section": self._page.section})
        if not self._data.api.ready():
            frame["message"] = "Not all targets are known yet. Try again in some seconds."
            return HTMLResponse(render("message.html", frame), 503, {**HEADERS, "Refresh": "5"})
        try:
            name = unquote_to_bytes(raw_path[len(self._fixed) :]).decode()
            values = await self._page.values(self._data, request, name)
        except WrongQueryError as error:
            status, values = 400, error.values
        except (PageNotFoundError, UnicodeDecodeError) as error:
            frame["message"] = str(error) if isinstance(error, PageNotFoundError) else "The path is not UTF-8."
            return HTMLResponse(render("message.html", frame), 404, HEADERS)
        except ApiError as error:
            frame["message"] = sentence(error.message)
            return HTMLResponse(render("message.html", frame), STATUS[error.type], {**HEADERS, **error.headers})
        return HTMLResponse(await render_slices(self._page.template, {**frame, **values}), status, HEADERS)


async def _asset(request: Request) -> Response:
    wanted = request.path_params["name"]
    for asset in ASSETS.values():
        if asset.name == wanted:
            kept = {"Cache-Control": "public, max-age=31536000, immutable"}
            return Response(asset.content, headers={**kept, "Content-Type": asset.content_type})
    return PlainTextResponse("There is no such file.\n", 404)


ASSETS_ROUTE = Route("/assets/{name}", _asset)
