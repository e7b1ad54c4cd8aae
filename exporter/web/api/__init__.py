"""The API below `/api/v1`: finds the operation of a request, and answers in Prometheus' form."""

import asyncio
import json
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from exporter.text import escaped
from exporter.web.api import catalogue, reports, scans, sources, targets
from exporter.web.api.errors import STATUS, ApiError
from exporter.web.api.forms import ErrorAnswer
from exporter.web.api.openapi import DESCRIPTION_PATH, description
from exporter.web.api.operation import PREFIX, AnyOperation, ApiData, FileAnswer, Reply
from exporter.web.api.parameters import Parameters, read_parameters
from exporter.web.lifecycle import Gate
from exporter.web.places import Places

__all__ = ["OPERATIONS", "ApiData", "ApiRoute", "openapi_text"]

OPERATIONS: tuple[AnyOperation, ...] = (
    *targets.OPERATIONS,
    *reports.OPERATIONS,
    *scans.OPERATIONS,
    *sources.OPERATIONS,
    *catalogue.OPERATIONS,
)
_PIECE = 65536
"""Characters that are escaped in one turn of the event loop; bytes of a document that are sent at once."""
_HEADERS = {"Cache-Control": "no-store"}


@lru_cache(maxsize=1)
def openapi_text() -> str:
    """The published description, as JSON."""
    return json.dumps(description(OPERATIONS), indent=2) + "\n"


class ApiRoute(BaseRoute):
    """All paths below the prefix. Segments are decoded one by one, because names may have any character."""

    def __init__(self, data: ApiData, gate: Gate) -> None:
        self._data, self._gate = data, gate
        self._places = Places()
        self._description = openapi_text()  # takes some 60 ms, which a request must not

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See `BaseRoute`."""
        ours = scope["type"] == "http" and _raw_path(scope).startswith(f"{PREFIX}/")
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `BaseRoute`."""
        request = Request(scope, receive)
        async with self._places.taken(scope):
            try:
                response = await self._respond(request)
            except ApiError as error:
                response = await _error(error)
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = _raw_path(request.scope).removeprefix(PREFIX)
        if path == DESCRIPTION_PATH:
            _only(request.method, {"GET"})
            read_parameters(Parameters, request.query_params.multi_items())
            return Response(self._description, media_type="application/json", headers=_HEADERS)
        operation, value = _find(request.method, _segments(path))
        if operation.method == "POST" and (refusal := self._gate.refusal(request)) is not None:
            raise ApiError("forbidden", refusal)
        if not self._data.ready():
            raise ApiError("unavailable", "not all targets are known yet")
        parameters = read_parameters(operation.parameters, request.query_params.multi_items())
        return await _success(await operation.run(self._data, value, parameters))


def _raw_path(scope: Scope) -> str:
    return bytes(scope["raw_path"]).decode("latin-1")


def _segments(path: str) -> list[str]:
    try:
        return [unquote_to_bytes(segment).decode() for segment in path.removeprefix("/").split("/")]
    except UnicodeDecodeError as error:
        raise ApiError("bad_data", "the path is not UTF-8") from error


def _find(method: str, segments: list[str]) -> tuple[AnyOperation, str]:
    """The operation, and the value of the segment that has no fixed text.

    Raises:
        ApiError: there is no such path, or it does not have this method.
    """
    found = {one.method: one for one in OPERATIONS if _fits(one.segments, segments)}
    if not found:
        raise ApiError("not_found", "there is no such path in this API; /api/v1/openapi.json describes all of it")
    _only(method, found)
    operation = found["GET" if method == "HEAD" else method]
    values = [value for segment, value in zip(operation.segments, segments, strict=True) if segment.startswith("{")]
    return operation, values[0] if values else ""


def _fits(template: tuple[str, ...], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        fixed == value or fixed.startswith("{") for fixed, value in zip(template, segments, strict=True)
    )


def _only(method: str, methods: Mapping[str, object] | set[str]) -> None:
    allowed = sorted({*methods, *({"HEAD"} if "GET" in methods else ())})
    if method not in allowed:
        headers = {"Allow": ", ".join(allowed)}
        raise ApiError("method_not_allowed", f"this path has {' and '.join(allowed)} only", headers)


class _DocumentResponse(Response):
    """A document, sent in pieces: uvicorn waits for the client between two of them."""

    def __init__(self, document: FileAnswer) -> None:
        # A browser stores it. If it shows it all the same, the document has no rights of a page of this server.
        disposition = {"Content-Disposition": f'attachment; filename="{document.file_name}"'}
        policy = {"Content-Security-Policy": "default-src 'none'; sandbox"}
        kind = {"Content-Type": document.media_type}
        super().__init__(document.body, headers={**_HEADERS, **kind, **disposition, **policy})
        self._sent = document.sent

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer the request."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            body = b"" if scope["method"] == "HEAD" else bytes(self.body)
            for start in range(0, len(body), _PIECE):
                await send({"type": "http.response.body", "body": body[start : start + _PIECE], "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._sent()


async def _success(reply: Reply) -> Response:
    if isinstance(reply.answer, FileAnswer):
        return _DocumentResponse(reply.answer)
    return await _json(reply.answer, reply.status, reply.headers)


async def _error(error: ApiError) -> Response:
    answer = ErrorAnswer(errorType=error.type, error=error.message)
    return await _json(answer, STATUS[error.type], error.headers)


async def _json(answer: BaseModel, status: int, headers: Mapping[str, str]) -> Response:
    """The answer. What is not printable is inside of strings only; it is escaped in pieces, since there can be much."""
    text = answer.model_dump_json()
    pieces = []
    for start in range(0, len(text), _PIECE):
        pieces.append(escaped(text[start : start + _PIECE]))
        await asyncio.sleep(0)
    return Response("".join(pieces), status, {**_HEADERS, **headers}, media_type="application/json")
