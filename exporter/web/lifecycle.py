"""`POST /-/reload`, as in Prometheus."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def reload_route(reload: Callable[[], Awaitable[str | None]]) -> Route:
    """The route: 200 if the reload worked, 500 with the reason if not, 405 for other methods."""

    async def answer(_request: Request) -> Response:
        problem = await reload()
        if problem is None:
            return PlainTextResponse("The configuration was reloaded.\n")
        return PlainTextResponse(f"The reload failed, the old configuration stays:\n{problem}\n", status_code=500)

    return Route("/-/reload", answer, methods=["POST"])
