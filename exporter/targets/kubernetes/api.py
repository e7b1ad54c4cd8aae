"""Lists and watches of Kubernetes' API: one kind of objects in one namespace, in answers of limited size and time.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import httpx2
import msgspec

from exporter.targets.kubernetes.answers import (
    ApiServerError,
    ObjectChange,
    ObjectList,
    Refusal,
    TooLargeError,
    WatchEvent,
)
from exporter.targets.kubernetes.objects import AnyObject, ApiResource, Key
from exporter.text import escaped

MIB = 2**20
LONGEST_MESSAGE = 500
"""Characters of a refusal that are shown."""
OK, UNAUTHORIZED, GONE = 200, 401, 410

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Sizes and times of answers.

    Attributes:
        page: objects in a page of a list. Several pages keep the event loop free while they are decoded.
        page_bytes, event_bytes: etcd's limit for an object is 1.5 MiB, of which JSON can make several times as much.
        answer_seconds: for a page.
        grace_seconds: a watch that the server does not end in the time that it was asked for is cut after this.
        objects: in a list. Kubernetes is tested with 10,000 Services (thresholds of SIG Scalability).
    """

    page: int = 100
    page_bytes: int = 32 * MIB
    event_bytes: int = 16 * MIB
    answer_seconds: float = 60.0
    grace_seconds: float = 30.0
    objects: int = 100_000


Connect = Callable[[], Awaitable[httpx2.AsyncClient]]
"""Makes a client from credentials as they are now. It raises `DiscoveryError`."""


Keep = Callable[[Key, msgspec.Raw], None]
"""Takes an object. It raises `ApiServerError` if there are too many."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which objects are asked for.

    Attributes:
        namespace: None is all.
        parameters: the selectors.
    """

    resource: ApiResource
    namespace: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.resource} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"


class Api:
    """The API server, as far as one query needs it. Each list and each watch has a connection of its own."""

    def __init__(self, connect: Connect, query: Query, limits: AnswerLimits) -> None:
        self._connect, self._query, self._limits = connect, query, limits

    async def objects(self, begin: Callable[[], Keep]) -> str:
        """Pass on all objects; the version of the list.

        If a page is too large, the list is read again in smaller pages.

        Args:
            begin: called before each attempt. What it returns takes the objects of this attempt.

        Raises:
            DiscoveryError: there is no complete list.
        """
        page = self._limits.page
        while True:
            try:
                return await self._with_credentials(partial(self._pages, page, begin))
            except TooLargeError:
                if page == 1:
                    raise
                page = max(1, page // 10)

    async def watch(
        self, version: str, seconds: int, opened: Callable[[], None], changed: Callable[[ObjectChange], None]
    ) -> None:
        """Pass on each change after this version, until the server ends the watch.

        Args:
            version: of a list, of an event or of a bookmark.
            seconds: the server is asked to end the watch after this time.
            opened: called when the server accepts the watch.
            changed: called with each change, in their order.

        Raises:
            ApiServerError: with status 410 if the server does not remember the version; others for all that fails.
            DiscoveryError: the credentials cannot be read.
        """
        await self._with_credentials(partial(self._watch, version, seconds, opened, changed))

    async def _with_credentials(self, work: Callable[[httpx2.AsyncClient], Awaitable[T]]) -> T:
        """The result of `work(client)`. After a 401 the credentials are read once more: they may have been replaced."""
        try:
            return await self._once(work)
        except ApiServerError as error:
            if error.status != UNAUTHORIZED:
                raise
        return await self._once(work)

    async def _once(self, work: Callable[[httpx2.AsyncClient], Awaitable[T]]) -> T:
        async with await self._connect() as client:
            return await work(client)

    async def _pages(self, page: int, begin: Callable[[], Keep], client: httpx2.AsyncClient) -> str:
        keep, number = begin(), 0
        parameters = {"limit": str(page)}
        while True:
            async with self._answer(client, "list", parameters, self._limits.answer_seconds) as answer:
                body = await self._body(answer, "list", self._limits.page_bytes)
            part = self._decoded("list", body, ObjectList)
            for raw in part.items or ():
                keep(self._decoded("list", raw, AnyObject).metadata.key, raw)
                number += 1
            if number > self._limits.objects:
                raise self._error("list", f"more than {self._limits.objects} objects")
            if not part.metadata.more:
                return part.metadata.resource_version
            parameters["continue"] = part.metadata.more

    async def _watch(
        self,
        version: str,
        seconds: int,
        opened: Callable[[], None],
        changed: Callable[[ObjectChange], None],
        client: httpx2.AsyncClient,
    ) -> None:
        parameters = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        async with self._answer(client, "watch", parameters, seconds + self._limits.grace_seconds) as answer:
            opened()
            rest = bytearray()
            async for part in answer.aiter_raw():
                *lines, tail = part.split(b"\n")
                for line in lines:
                    rest += line
                    if rest.strip():
                        changed(self._change(bytes(rest)))
                    rest.clear()
                rest += tail
                if len(rest) > self._limits.event_bytes:
                    raise TooLargeError(self._text("watch", "an event is too large"))
            if rest.strip():
                raise self._error("watch", "the connection ended within an event")

    def _change(self, line: bytes) -> ObjectChange:
        event = self._decoded("watch", line, WatchEvent)
        if event.type == "ERROR":
            status = self._decoded("watch", event.object, Refusal)
            raise self._error("watch", status.message or "an error without a message", status.code)
        metadata = self._decoded("watch", event.object, AnyObject).metadata
        match event.type:
            case "BOOKMARK":
                return ObjectChange(metadata.resource_version)
            case "ADDED" | "MODIFIED":
                return ObjectChange(metadata.resource_version, metadata.key, event.object)
            case "DELETED":
                return ObjectChange(metadata.resource_version, metadata.key)
        raise self._error("watch", f"unknown event {event.type}")

    @asynccontextmanager
    async def _answer(
        self,
        client: httpx2.AsyncClient,
        verb: str,
        parameters: dict[str, str],
        seconds: float,
    ) -> AsyncIterator[httpx2.Response]:
        """An answer with status 200, for this time. Errors within the block are mapped too."""
        path = self._query.resource.path(self._query.namespace)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(seconds),
                client.stream("GET", path, params={**self._query.parameters, **parameters}, headers=headers) as answer,
            ):
                if answer.status_code != OK:
                    raise await self._refusal(answer, verb)
                yield answer
        except TimeoutError as error:
            raise self._error(verb, f"no complete answer within {seconds:.0f} s") from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise self._error(verb, str(error) or type(error).__name__) from error

    async def _body(self, answer: httpx2.Response, verb: str, most: int) -> bytes:
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > most:
                raise TooLargeError(self._text(verb, f"the answer is larger than {most // MIB} MiB"))
        return bytes(body)

    async def _refusal(self, answer: httpx2.Response, verb: str) -> ApiServerError:
        """Why the server refused. The message of Kubernetes names the user, the verb and the resource."""
        try:
            status = msgspec.json.decode(await self._body(answer, verb, MIB), type=Refusal)
            message = status.message
        except (msgspec.DecodeError, UnicodeDecodeError, TooLargeError):
            message = ""
        return self._error(verb, message or answer.reason_phrase or "no reason given", answer.status_code)

    def _decoded(self, verb: str, data: bytes | msgspec.Raw, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._error(verb, f"not an answer of Kubernetes: {error}") from error

    def _error(self, verb: str, message: str, status: int | None = None) -> ApiServerError:
        return ApiServerError(self._text(verb, message, status), status)

    def _text(self, verb: str, message: str, status: int | None = None) -> str:
        code = f" ({status})" if status else ""
        return f"{verb} of {self._query}{code}: {escaped(message)[:LONGEST_MESSAGE]}"
