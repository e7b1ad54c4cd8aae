"""The parameters of queries: their forms, and how they are read.

A parameter that is unknown is an error. If it were ignored, a mistyped filter would select every target.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from exporter.checks.registry import CHECKS
from exporter.formkeys import keys_at
from exporter.grade import Letter
from exporter.model import Verdict
from exporter.nearest import suggestion
from exporter.querying import TargetFilter
from exporter.selectors import Selector, SelectorError, parse_selectors
from exporter.store.changelog import LogPlace
from exporter.store.history import What
from exporter.web.api.errors import wrong_parameter
from exporter.yamlfile import in_words

P = TypeVar("P", bound="Parameters")

MOST_VALUES = 32
"""Of one repeated parameter."""
_CHECKS = sorted(check.name for check in CHECKS)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_SECONDS = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_NUMBER = re.compile(r"-?\d{1,9}")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class Parameters(BaseModel):
    """None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _number(text: object) -> object:
    if isinstance(text, str) and not (text.isascii() and _NUMBER.fullmatch(text)):
        raise ValueError(f"{text!r} is not a whole number")
    return text


def parse_time(text: str) -> datetime:
    """A time as in Prometheus' API: RFC 3339, or seconds since 1970-01-01 00:00 UTC.

    Raises:
        ValueError: it is neither.
    """
    if text.isascii() and _SECONDS.fullmatch(text):
        seconds = float(text)
        if not math.isfinite(seconds) or not 0 <= seconds <= _LATEST:
            raise ValueError(f"{text!r} is not between the years 1970 and 9999")
        return datetime.fromtimestamp(seconds, UTC)
    if not text.isascii() or not _RFC3339.fullmatch(text):
        raise ValueError(f"{text!r} is neither a time by RFC 3339 nor seconds since 1970; a + has to be written as %2B")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time") from error


def _check(name: str) -> str:
    if name not in _CHECKS:
        raise ValueError(f"there is no check {name!r}{suggestion(name, _CHECKS)}")
    return name


def _selectors(texts: list[str]) -> list[Selector]:
    if len(texts) > MOST_VALUES:
        raise ValueError(f"it is there more than {MOST_VALUES} times")
    try:
        return parse_selectors(texts)
    except SelectorError as error:
        raise ValueError(str(error)) from error


def _encode(kind: str, *parts: str) -> str:
    text = "\0".join((kind, *parts))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(kind: str, cursor: str) -> list[str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, *parts = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\0")
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not a cursor of this API") from error
    if found != kind:
        raise ValueError("it is the cursor of something else")
    return parts


def name_cursor(name: str) -> str:
    """The cursor of what comes after this name."""
    return _encode("name", name)


def log_cursor(place: LogPlace) -> str:
    """The cursor of a place in the log of changes."""
    return _encode("log", place.log, str(place.number))


def _name_of(cursor: str) -> str:
    return "\0".join(_decode("name", cursor))


def _place_of(cursor: str) -> LogPlace:
    parts = _decode("log", cursor)
    log, number = parts if len(parts) == 2 else ("", "")
    if not re.fullmatch(r"[0-9a-f]{1,64}", log) or not re.fullmatch(r"[0-9]{1,18}", number):
        raise ValueError("it is not a cursor of this API")
    return LogPlace(log, int(number))


_TEXT: Any = WithJsonSchema({"type": "string"})
_TEXTS: Any = WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": MOST_VALUES})
Match = Annotated[
    list[Selector],
    PlainValidator(_selectors),
    _TEXTS,
    Field(
        alias="match[]",
        description='selector of targets by labels, such as `{team="web",target=~"mail.*"}`; any of several',
    ),
]
CheckName = Annotated[str, AfterValidator(_check), WithJsonSchema({"type": "string", "enum": _CHECKS})]
WholeNumber = BeforeValidator(_number)
Limit = Annotated[
    int,
    Field(ge=1, le=1000, description="most entries of the page"),
    WholeNumber,
]
NameCursor = Annotated[
    str | None, PlainValidator(_name_of), _TEXT, Field(description="`next_cursor` of the page before")
]
LogCursor = Annotated[
    LogPlace | None, PlainValidator(_place_of), _TEXT, Field(description="`next_cursor` of the page before")
]


class SelectedParameters(Parameters):
    """Which targets. A target has to meet all filters."""

    match: Match = []
    check: list[CheckName] = Field([], max_length=MOST_VALUES, description="has a verdict of this check")
    verdict: list[Verdict] = Field([], max_length=MOST_VALUES, description="has such a verdict, of `check` if given")
    policy: list[str] = Field([], max_length=MOST_VALUES, description="is judged by this policy; the verdict is of it")

    def with_grades(self, grades: Iterable[Letter | None]) -> TargetFilter:
        """The filter, with these grades; None is a grade that is not known."""
        return TargetFilter(
            tuple(self.match),
            frozenset(self.check),
            frozenset(self.verdict),
            frozenset(self.policy),
            frozenset(grades),
        )


class FilterParameters(SelectedParameters):
    """Which targets. A target has to meet all filters."""

    grade: list[Letter] = Field([], max_length=MOST_VALUES, description="an address has this grade")

    def wanted(self) -> TargetFilter:
        """The filter."""
        return self.with_grades(self.grade)


class TargetsParameters(FilterParameters):
    """Which targets, and which page of them. A target has to meet all filters."""

    limit: Limit = 100
    cursor: NameCursor = None


class HistoryParameters(Parameters):
    """Which page."""

    limit: Limit = 100
    cursor: LogCursor = None


class ChangesParameters(Parameters):
    """Which changes. A change has to meet all filters."""

    match: Match = []
    since: Annotated[
        datetime | None,
        PlainValidator(parse_time),
        _TEXT,
        Field(description="seen at this time or later: RFC 3339, or seconds since 1970; all that are known without it"),
    ] = None
    what: list[What] = Field([], max_length=MOST_VALUES, description="what has changed")
    check: list[CheckName] = Field([], max_length=MOST_VALUES, description="of a verdict of this check")
    verdict: list[Verdict] = Field([], max_length=MOST_VALUES, description="to this verdict")
    policy: list[str] = Field([], max_length=MOST_VALUES, description="of a verdict of this policy")
    limit: Limit = 100
    cursor: LogCursor = None


class MetadataParameters(Parameters):
    """Which metrics, as in Prometheus."""

    metric: str | None = Field(None, description="of this metric only")
    limit: Annotated[int, WholeNumber, Field(description="most metrics; negative for all")] = -1


def read_parameters(form: type[P], items: Sequence[tuple[str, str]]) -> P:
    """The parameters of a query.

    Raises:
        ApiError: one of them is wrong; the message names it.
    """
    repeated = {
        field.alias or name for name, field in form.model_fields.items() if get_origin(field.annotation) is list
    }
    values: dict[str, Any] = {}
    for name, value in items:
        if name in repeated:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise wrong_parameter(name, "it is there more than once")
        else:
            values[name] = value
    try:
        return form.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        unknown = first["type"] == "extra_forbidden"
        problem = f"it is unknown here{suggestion(name, keys_at(form, ()))}" if unknown else in_words(first)
        raise wrong_parameter(name, problem) from error
