"""Scans that are asked for."""

from urllib.parse import quote

from exporter.scan_requests import ScanRequest, ScanState, TooManyScansError
from exporter.web.api.errors import ApiError
from exporter.web.api.forms import ScanAnswer, ScanPart
from exporter.web.api.operation import PREFIX, AnyOperation, ApiData, Operation, Reply
from exporter.web.api.parameters import Parameters
from exporter.web.api.targets import no_target, report_forms


async def _ask(data: ApiData, name: str, _parameters: Parameters) -> Reply:
    try:
        request = data.scans.ask(name)
    except KeyError:
        raise no_target(name) from None
    except TooManyScansError as error:
        raise ApiError("too_many_requests", str(error), {"Retry-After": str(error.retry_after)}) from error
    location = f"{PREFIX}/scans/{quote(request.id, safe='')}"
    return Reply(await _answer(data, request), 202, {"Location": location})


async def _get(data: ApiData, request_id: str, _parameters: Parameters) -> Reply:
    request = data.scans.get(request_id)
    if request is None:
        raise ApiError("not_found", f"there is no scan {request_id!r}; only the latest are known, until a restart")
    return Reply(await _answer(data, request))


async def _answer(data: ApiData, request: ScanRequest) -> ScanAnswer:
    state, success, reports = data.scans.state(request), None, None
    if state is ScanState.DONE:
        found = await report_forms(data, request.target) if data.scans.has_reports(request) else []
        success, reports = request.answer.result(), found
    part = ScanPart(id=request.id, target=request.target, state=state, success=success, reports=reports)
    return ScanAnswer(data=part)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "scanTarget",
        "POST",
        "/targets/{name}/scan",
        "Scan the target as soon as there is a place; the header Location has the path of the scan",
        Parameters,
        ScanAnswer,
        _ask,
        ("not_found", "too_many_requests", "unavailable"),
        202,
    ),
    Operation(
        "getScan",
        "GET",
        "/scans/{id}",
        "How far a scan is, and its reports when it is done",
        Parameters,
        ScanAnswer,
        _get,
        ("not_found", "unavailable"),
    ),
)
