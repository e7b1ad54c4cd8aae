"""`/probe`: the metrics of one target, for those who keep the list of targets in Prometheus."""

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.errors import ExporterError
from exporter.metrics import ProbeOutcome, target_page
from exporter.nearest import suggestion_or_all
from exporter.probing.question import ProbeAnswer, ProbeQuestion, UnansweredError
from exporter.quoting import quoted
from exporter.text import escaped, escaped_lines
from exporter.web.scrapes import VARY, gzipped, is_gzipped

Ask = Callable[[ProbeQuestion], Awaitable[ProbeAnswer]]

TIMEOUT_FIELD = "x-prometheus-scrape-timeout-seconds"
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?")
_PARAMETERS = ("target", "policy", "debug")
_FLAGS = {"true": True, "false": False}
_STATUS = {ProbeOutcome.INVALID: 400, ProbeOutcome.FORBIDDEN: 403, ProbeOutcome.UNAVAILABLE: 503}
_NO_LOG = {
    ProbeOutcome.STORED: "The report was there. Its scan is in the log of the exporter.",
    ProbeOutcome.OLDER: "The report is an older one: no scan ended in time.",
    ProbeOutcome.SCANNED: "The scan had begun before this request. It is in the log of the exporter.",
}


class _BadQueryError(ExporterError):
    """The request is not a question; the message says why."""


def probe_route(ask: Ask, ready: Callable[[], bool]) -> Route:
    """The route: 200 with metrics; 400, 403 or 503 with the reason in text."""

    async def answer(request: Request) -> Response:
        if not ready():
            return _text("the exporter is not ready", 503)
        try:
            question = read_question(request)
            answer = await ask(question)
        except _BadQueryError as error:
            return _text(str(error), 400)
        except UnansweredError as error:
            return _text(str(error), _STATUS[error.outcome])
        accept = ", ".join(request.headers.getlist("accept"))
        if question.debug:
            return PlainTextResponse(_debug(answer, question))
        body, content_type = target_page(answer.lines, accept)
        return await _page(body, content_type, ", ".join(request.headers.getlist("accept-encoding")))

    return Route("/probe", answer)


def read_question(request: Request) -> ProbeQuestion:
    """What the request asks.

    Raises:
        _BadQueryError: it is not a question.
    """
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in _PARAMETERS:
            raise _BadQueryError(f"unknown parameter {quoted(name)}{suggestion_or_all(name, _PARAMETERS)}")
        given.setdefault(name, []).append(value)
    for name in ("target", "debug"):
        if len(given.get(name, ())) > 1:
            raise _BadQueryError(f"parameter {name} is there twice")
    target, debug = given.get("target", [""])[0], given.get("debug", ["false"])[0]
    if not target:
        raise _BadQueryError("parameter target is missing")
    if debug not in _FLAGS:
        raise _BadQueryError("parameter debug is neither true nor false")
    return ProbeQuestion(target, tuple(given.get("policy", ())), _seconds(request), _FLAGS[debug])


def _seconds(request: Request) -> float | None:
    """Prometheus' limit for this scrape; None if there is none."""
    values = request.headers.getlist(TIMEOUT_FIELD)
    if not values:
        return None
    if len(values) > 1 or not _SECONDS.fullmatch(values[0]) or not float(values[0]):
        raise _BadQueryError("X-Prometheus-Scrape-Timeout-Seconds is not a positive number of seconds")
    return float(values[0])


def _text(message: str, status: int) -> Response:
    return PlainTextResponse(f"{escaped(message)}\n", status_code=status)


async def _page(body: bytes, content_type: str, accept_encoding: str) -> Response:
    headers = {"Content-Type": content_type, **VARY}
    if is_gzipped(len(body), accept_encoding):
        body = await gzipped(body, object())
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def _debug(answer: ProbeAnswer, question: ProbeQuestion) -> str:
    """As text for people, in the order of the blackbox exporter."""
    found, metrics = answer.found, target_page(answer.lines, "")[0].decode()
    origin = f"{found.outcome}; its scan began at {found.begun_at.isoformat(timespec='milliseconds')}"
    return escaped_lines(
        f"Log of the scan of {escaped(question.target)}:\nReport: {origin}\n"
        f"{found.log or _NO_LOG[found.outcome]}\n\n"
        f"Metrics that would have been returned:\n{metrics}\n\n"
        f"Settings of the target:\n{answer.settings}"
    )
