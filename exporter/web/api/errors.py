"""Answers of errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

ErrorType = Literal["bad_data", "forbidden", "not_found", "method_not_allowed", "too_many_requests", "unavailable"]

STATUS: Mapping[ErrorType, int] = {
    "bad_data": 400,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_many_requests": 429,
    "unavailable": 503,
}


@dataclass(frozen=True)
class ApiError(Exception):
    """An answer that is not a success."""

    type: ErrorType
    message: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def wrong_parameter(name: str, problem: str) -> ApiError:
    """A parameter that cannot be used; in the words of Prometheus."""
    return ApiError("bad_data", f'invalid parameter "{name}": {problem}')
