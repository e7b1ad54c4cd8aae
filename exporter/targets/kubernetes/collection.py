"""All objects that one query finds, kept up to date: a list, then watches from its version on."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.targets.groups import DiscoveryError
from exporter.targets.kubernetes.answers import ApiServerError, ObjectChange
from exporter.targets.kubernetes.api import GONE, Api, Keep
from exporter.targets.kubernetes.objects import Key
from exporter.targets.kubernetes.role import Kind, number_of_targets
from exporter.targets.sources import Pause

WATCH_SECONDS = (240, 300)
"""How long a watch lasts, drawn from this range so that not all end at once. client-go uses 300 to 600; a connection
that was lost without notice is noticed no sooner."""
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Pacing:
    """Time and chance.

    Attributes:
        pause: waits for seconds.
        clock: monotonic, in seconds.
        uniform: returns numbers from 0 to 1.
    """

    pause: Pause = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[], float] = random.random


class KeptObjects:
    """What is kept of objects, up to a number of targets.

    A list with more is refused by those who get it. But it must not be in memory until then.

    Attributes:
        objects: what is kept of each object.
        unreadable: objects whose content is not what their kind demands. They are left out, and the others stay.
    """

    def __init__(self, kind: Kind, most: int) -> None:
        self._kind, self._most, self._number = kind, most, 0
        self.objects: dict[Key, Any] = {}
        self.unreadable: set[Key] = set()

    def put(self, key: Key, raw: msgspec.Raw) -> None:
        """Keep an object, in place of the one with this key.

        Raises:
            ApiServerError: there are too many targets.
        """
        self.drop(key)
        try:
            self.objects[key] = kept = self._kind.read(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.unreadable.add(key)
            return
        self._number += number_of_targets(kept)
        if self._number > self._most:
            raise ApiServerError(f"{self._kind.resource}: more targets than target_limit, which is {self._most}", 0)

    def drop(self, key: Key) -> None:
        """Keep the object no longer."""
        self._number -= number_of_targets(self.objects.pop(key, None))
        self.unreadable.discard(key)


class Collection:
    """The objects of one query.

    Attributes:
        kept: what is kept of the objects.
        listed: whether there was a complete list.
        error: why the objects may not be up to date; None if they are.
    """

    def __init__(
        self,
        api: Api,
        empty: Callable[[], KeptObjects],
        changed: Callable[[], None],
        every_seconds: float,
        pacing: Pacing,
    ) -> None:
        """Create it; it knows no objects.

        Args:
            api: asks the query.
            empty: makes a place for objects.
            changed: called after each change of the attributes.
            every_seconds: how often the complete list is read again.
            pacing: of requests.
        """
        self._api, self._empty, self._changed = api, empty, changed
        self._every_seconds, self._pacing = every_seconds, pacing
        self.kept = empty()
        self.listed = False
        self.error: DiscoveryError | None = None
        self._version: str | None = None
        self._list_at = 0.0
        self._failures = 0

    async def run(self) -> None:
        """Keep the objects up to date until it is cancelled.

        A watch that breaks continues where it ended. If that fails too, and after a 410, the list is read again. The
        first such failure in a row is not reported, because nothing was missed.
        """
        while True:
            watching = False
            try:
                if self._version is None or self._pacing.clock() >= self._list_at:
                    await self._list()
                watching = True
                await self._follow()
                self._failures = 0
            except DiscoveryError as error:
                self._failures += 1
                status = error.status if isinstance(error, ApiServerError) else 0
                if status == GONE or self._failures > 1:
                    self._version = None
                if not watching or self._failures > 1 or status not in {None, GONE}:
                    self.error = error
                    self._changed()
            await self._pacing.pause(self._delay())

    async def _list(self) -> None:
        self._version = None
        kept = self.kept

        def begin() -> Keep:
            nonlocal kept
            kept = self._empty()
            return kept.put

        version = await self._api.objects(begin)
        self.kept, self.listed, self._version = kept, True, version
        self._list_at = self._pacing.clock() + self._every_seconds
        self._changed()

    async def _follow(self) -> None:
        least, most = WATCH_SECONDS
        seconds = min(least + self._pacing.uniform() * (most - least), max(1.0, self._list_at - self._pacing.clock()))
        await self._api.watch(self._version or "", round(seconds), self._opened, self._change)

    def _opened(self) -> None:
        if self.error is not None:
            self.error = None
            self._changed()

    def _change(self, change: ObjectChange) -> None:
        if change.key is not None:
            if change.raw is None:
                self.kept.drop(change.key)
            else:
                self.kept.put(change.key, change.raw)
            self._changed()
        self._version = change.version or self._version
        self._failures = 0

    def _delay(self) -> float:
        """About a second, doubled with each failure in a row."""
        seconds: float = min(2.0 ** min(self._failures, 16), LONGEST_PAUSE_SECONDS)
        return seconds * (0.5 + self._pacing.uniform() / 2)
