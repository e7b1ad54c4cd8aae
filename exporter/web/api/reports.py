"""Reports of many targets as one document, in each format."""

from exporter.reports.collect import TooManyTargetsError
from exporter.reports.making import TooManyDocumentsError
from exporter.reports.registry import all_formats
from exporter.web.api.errors import ApiError
from exporter.web.api.operation import AnyOperation, ApiData, FileAnswer, Operation, Reply
from exporter.web.api.parameters import FilterParameters

_FORMATS = {one.name: one for one in all_formats()}
_RETRY_SECONDS = "10"


async def _report(data: ApiData, name: str, parameters: FilterParameters) -> Reply:
    made_by = _FORMATS.get(name)
    if made_by is None:
        raise ApiError("not_found", f"there is no format {name!r}; formats: {', '.join(_FORMATS)}")
    try:
        body = await data.documents.make(made_by, data.queries, parameters.wanted())
    except TooManyTargetsError as error:
        raise ApiError("bad_data", str(error)) from error
    except TooManyDocumentsError as error:
        raise ApiError("too_many_requests", str(error), {"Retry-After": _RETRY_SECONDS}) from error
    file_name = f"tls-posture-{data.queries.now:%Y%m%dT%H%M%SZ}.{made_by.extension}"
    return Reply(FileAnswer(body, made_by.media_type, file_name, data.documents.release))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "getReport",
        "GET",
        "/reports/{format}",
        "The reports of many targets as one document, the worst target first",
        FilterParameters,
        {name: one.media_type for name, one in _FORMATS.items()},
        _report,
        ("not_found", "too_many_requests", "unavailable"),
    ),
)
