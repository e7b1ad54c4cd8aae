"""Answers of Kubernetes' API, and what is wrong with them.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from dataclasses import dataclass

import msgspec

from exporter.targets.groups import DiscoveryError
from exporter.targets.kubernetes.objects import Key


class ApiServerError(DiscoveryError):
    """The API server refused, or did not give a usable answer.

    Attributes:
        status: of HTTP; None if there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(ApiServerError):
    """An answer was longer than the limit."""


class Refusal(msgspec.Struct, frozen=True):
    """The body of a refusal, and the object of an event ERROR."""

    message: str = ""
    code: int = 0


class PageMetadata(msgspec.Struct, rename={"resource_version": "resourceVersion", "more": "continue"}, frozen=True):
    """The version of a list, and what to ask for its next page with."""

    resource_version: str
    more: str = ""


class ObjectList(msgspec.Struct, frozen=True):
    """A page of a list. Each object is decoded on its own, because one that is malformed must not hide the others."""

    metadata: PageMetadata
    items: list[msgspec.Raw] | None = None


class WatchEvent(msgspec.Struct, frozen=True):
    """A line of a watch."""

    type: str
    object: msgspec.Raw


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An event of a watch.

    Attributes:
        version: of the collection after it.
        key: of the object; None for a bookmark, which changes no object.
        raw: the object as it is now; None if it was deleted.
    """

    version: str
    key: Key | None = None
    raw: msgspec.Raw | None = None
