"""What exporter and workers send each other over a broker: signed messages in JSON.

Everybody who can write to the broker can write messages. So each one is signed with the key of its zone, and the reader
believes no other. The key of a zone is no use for messages of another, and a task is never taken for a reply.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from exporter.backends.wire import MOST_CHARACTERS
from exporter.errors import ExporterError

MOST_TASKS = 8
"""Targets of one batch: a worker's process scans them at the same time. One that is slow keeps the process busy."""
MOST_OF_REPLY = 2 * MOST_CHARACTERS
"""Characters of a reply, which has one document at most. Each character that needs an escape counts twice."""
MOST_OF_TASKS = MOST_TASKS * MOST_OF_REPLY
"""Characters of a batch. Its signature alone takes a quarter of a second, which a process of a worker has."""
_PURPOSE = b"tls-posture-exporter 1"

T = TypeVar("T", bound=BaseModel)
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class RefusalCause(StrEnum):
    """Why a message was not believed: label values."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    ZONE = "zone"
    UNKNOWN = "unknown"
    REPEATED = "repeated"
    LATE = "late"
    INVALID = "invalid"


class RefusedError(ExporterError):
    """A message is not believed."""

    def __init__(self, cause: RefusalCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class MessageDirection(StrEnum):
    """Who writes to whom; part of what is signed."""

    TASKS = "tasks"
    REPLY = "reply"


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1


class Assignment(_Message):
    """One target that a worker is to scan.

    Attributes:
        id: made for this assignment only; replies name it.
        task: a document of `wire.task_of`.
        done_by: the scan has to have ended by then, and nobody waits for it any more.
    """

    id: Id
    task: str
    done_by: AwareDatetime


class Tasks(_Message):
    """A batch.

    Attributes:
        reply_to: names the exporter that waits for replies.
        start_by: a worker must not begin later.
    """

    reply_to: Id
    start_by: AwareDatetime
    assignments: Annotated[tuple[Assignment, ...], Field(min_length=1, max_length=MOST_TASKS)]


class WorkerReply(_Message):
    """What a worker says of assignments.

    Attributes:
        kind: it has begun them; it has the results of one; it cannot scan one.
        results: a document of `wire.results_document`.
        problem: why it cannot.
    """

    kind: Literal["begun", "done", "refused"]
    ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_TASKS)]
    results: str | None = None
    problem: Annotated[str, Field(max_length=1000)] | None = None


class Envelope(_Message):
    """A signed message: the body is JSON text of `Tasks` or `WorkerReply`."""

    zone: Annotated[str, Field(max_length=63)]
    body: str
    signature: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch, ready for the broker.

    Attributes:
        message: as plain data.
        expires: when the broker may drop it.
        start_seconds: the same, as a duration.
        limit_seconds: a worker's process that is busy with it for longer is killed.
    """

    message: dict[str, object]
    expires: datetime
    start_seconds: float
    limit_seconds: float


def seal(message: Tasks | WorkerReply, zone: str, key: bytes) -> dict[str, object]:
    """The message in its envelope, as plain data."""
    body = message.model_dump_json()
    direction = MessageDirection.TASKS if isinstance(message, Tasks) else MessageDirection.REPLY
    return Envelope(zone=zone, body=body, signature=_signature(direction, zone, body, key)).model_dump()


def open_envelope(data: object, most_characters: int = MOST_OF_REPLY) -> Envelope:
    """The envelope, whose signature is not checked. Its body has at most `most_characters`.

    Raises:
        RefusedError: this is none.
    """
    try:
        envelope = Envelope.model_validate(data)
    except (ValidationError, RecursionError):
        raise RefusedError(RefusalCause.MALFORMED, "it is not a signed message") from None
    if len(envelope.body) > most_characters:
        raise RefusedError(RefusalCause.MALFORMED, "it is too long")
    return envelope


def open_tasks(envelope: Envelope, zone: str, key: bytes) -> Tasks:
    """The tasks for this zone.

    Raises:
        RefusedError: these are not tasks for it, or they are not signed with its key.
    """
    return _opened(Tasks, MessageDirection.TASKS, envelope, zone, key)


def open_reply(envelope: Envelope, zone: str, key: bytes) -> WorkerReply:
    """The reply of a worker of this zone.

    Raises:
        RefusedError: this is none, or it is not signed with the zone's key.
    """
    return _opened(WorkerReply, MessageDirection.REPLY, envelope, zone, key)


def _opened(form: type[T], direction: MessageDirection, envelope: Envelope, zone: str, key: bytes) -> T:
    if envelope.zone != zone:
        raise RefusedError(RefusalCause.ZONE, "it is of another zone")
    if not hmac.compare_digest(_signature(direction, zone, envelope.body, key), _ascii(envelope.signature)):
        raise RefusedError(RefusalCause.SIGNATURE, "it is not signed with the key of its zone")
    try:
        return form.model_validate_json(envelope.body)
    except (ValidationError, RecursionError):
        raise RefusedError(RefusalCause.MALFORMED, "its signature is right, its content is not") from None


def _signature(direction: MessageDirection, zone: str, body: str, key: bytes) -> str:
    """HMAC (RFC 2104) with SHA-256; parts before the body have no line feed."""
    head = b"\n".join((_PURPOSE, direction.encode(), zone.encode()))
    return hmac.new(key, head + b"\n" + body.encode(errors="surrogatepass"), sha256).hexdigest()


def _ascii(text: str) -> str:
    """Text that `compare_digest` accepts."""
    return text if text.isascii() else ""
