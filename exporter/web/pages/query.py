"""The query of a page: its parameters, and links to the same page with other ones."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from starlette.requests import Request

from exporter.web.api.parameters import Parameters, parse_time, read_parameters

P = TypeVar("P", bound=Parameters)
Items = Sequence[tuple[str, str]]

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"[0-9]{1,9}")


def given(request: Request) -> Items:
    """The parameters that have a value. A form also sends its empty fields."""
    return [(name, value) for name, value in request.query_params.multi_items() if value]


def page_parameters(form: type[P], request: Request) -> P:
    """The parameters of the page.

    Raises:
        ApiError: one of them is wrong; the message names it.
    """
    return read_parameters(form, given(request))


def query(items: Items, **changes: str | int | None) -> str:
    """The query with these parameters changed, such as `?check=hsts&page=2`; None leaves one out."""
    kept = [(name, value) for name, value in items if name not in changes]
    return "?" + urlencode([*kept, *((name, value) for name, value in changes.items() if value is not None)])


def _number(text: object) -> object:
    if not isinstance(text, str):
        return text
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _parse_since(text: str) -> datetime:
    if not _DAY.fullmatch(text):
        return parse_time(text)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a day of the calendar") from error


Number = Annotated[int, BeforeValidator(_number)]
Size = Annotated[Number, Field(ge=1, le=1000)]
Place = Annotated[Number, Field(ge=1, le=1_000_000)]
Since = Annotated[datetime | None, PlainValidator(_parse_since), WithJsonSchema({"type": "string"})]
"""A day (UTC), or a time as the API has it."""
