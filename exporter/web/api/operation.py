"""What an operation of the API is, and what it needs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from exporter.querying import Queries
from exporter.reports.making import DocumentMaker
from exporter.scan_requests import ScanRequests
from exporter.targets.discovered import TargetList
from exporter.targets.discovery import SourceState
from exporter.web.api.errors import ErrorType
from exporter.web.api.forms import SuccessAnswer
from exporter.web.api.parameters import Parameters

P = TypeVar("P", bound=Parameters)
PREFIX = "/api/v1"
_ALWAYS: tuple[ErrorType, ...] = ("bad_data", "method_not_allowed")


@dataclass(frozen=True, slots=True)
class ApiData:
    """What the API answers from.

    Attributes:
        ready: whether all that was restored is shown.
        sources: the state of each source of targets.
        listing: the list of targets in use.
        documents: makes reports as documents.
    """

    queries: Queries
    scans: ScanRequests
    ready: Callable[[], bool]
    sources: Callable[[], Sequence[SourceState]]
    listing: Callable[[], TargetList]
    documents: DocumentMaker = field(default_factory=DocumentMaker)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """An answer that is not JSON of this API.

    Attributes:
        file_name: under which programs store it.
        sent: called when it was sent, or could not be.
    """

    body: bytes
    media_type: str
    file_name: str
    sent: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer."""

    answer: SuccessAnswer | FileAnswer
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Operation(Generic[P]):
    """One method of one path. The routes and the published description are made of these.

    Attributes:
        id: unique; for programs that generate clients.
        path: below the prefix; `{name}` is any segment, and a name that is described in `openapi`.
        summary: for people.
        answer: its form; of documents, the value of the segment -> media type.
        run: data, the value of the segment in braces (empty without one), and the parameters of the query.
        errors: what it answers in addition to errors that all operations have.
    """

    id: str
    method: str
    path: str
    summary: str
    parameters: type[P]
    answer: type[SuccessAnswer] | Mapping[str, str]
    run: Callable[[ApiData, str, P], Awaitable[Reply]]
    errors: tuple[ErrorType, ...] = ()
    status: int = 200

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of the path."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def all_errors(self) -> tuple[ErrorType, ...]:
        """What it can answer that is not a success."""
        more: tuple[ErrorType, ...] = ("forbidden",) if self.method == "POST" else ()
        return (*_ALWAYS, *more, *self.errors)


AnyOperation = Operation[Any]
