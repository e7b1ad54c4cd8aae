"""Requests that change something: who may make them; and `POST /-/reload`, as in Prometheus."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_PORTS = {"http": 80, "https": 443}
NOT_ENABLED = "Lifecycle API is not enabled: this needs --web.enable-lifecycle, or authentication."
"""Begins as in Prometheus."""
CROSS_SITE = "The request comes from a page of another site."


def nobody(_request: Request) -> bool:
    """No request is authenticated."""
    return False


@dataclass(frozen=True, slots=True)
class Gate:
    """Which requests may change something.

    Attributes:
        enabled: `--web.enable-lifecycle`.
        authenticated: whether a request has shown who makes it.
    """

    enabled: bool = False
    authenticated: Callable[[Request], bool] = nobody

    def refusal(self, request: Request) -> str | None:
        """Why this request may not change anything; None if it may."""
        return CROSS_SITE if is_cross_site(request) else self.refusal_of_client(request)

    def refusal_of_client(self, request: Request) -> str | None:
        """Why the client of this request may not change anything from a page of ours; None if it may.

        A link from another site may have led to the page.
        """
        return None if self.enabled or self.authenticated(request) else NOT_ENABLED


def is_cross_site(request: Request) -> bool:
    """Whether a browser made this request for a page of another site.

    Browsers send `Origin` with every POST (Fetch, 3.2), and `Sec-Fetch-Site` if the connection is encrypted or local.
    Other clients send neither.
    """
    if set(request.headers.getlist("sec-fetch-site")) - {"same-origin", "none"}:
        return True
    origins = request.headers.getlist("origin")
    return bool(origins) and (len(origins) > 1 or not _is_origin_of(origins[0], request.headers.getlist("host")))


def _is_origin_of(origin: str, hosts: list[str]) -> bool:
    """Whether this origin is `SCHEME://HOST`, with or without the usual port of the scheme."""
    scheme, separator, host = origin.lower().partition("://")
    if not separator or scheme not in _PORTS or len(hosts) != 1:
        return False
    try:
        own, other = urlsplit(f"//{hosts[0].lower()}"), urlsplit(f"//{host}")
        usual = _PORTS[scheme]
        same = (own.hostname, own.port or usual) == (other.hostname, other.port or usual)
    except ValueError:
        return False
    return same and bool(own.hostname) and other.netloc == host


def reload_route(reload: Callable[[], Awaitable[str | None]], gate: Gate) -> Route:
    """The route: 200 if the reload worked, 500 with the reason if not; 403 without permission."""

    async def answer(request: Request) -> Response:
        refusal = gate.refusal(request)
        if refusal is not None:
            return PlainTextResponse(f"{refusal}\n", status_code=403)
        problem = await reload()
        if problem is None:
            return PlainTextResponse("The configuration was reloaded.\n")
        return PlainTextResponse(f"The reload failed, the old configuration stays:\n{problem}\n", status_code=500)

    return Route("/-/reload", answer, methods=["POST"])
