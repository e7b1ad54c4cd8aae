"""What tests of sources of targets share: a sink that remembers, and pauses that the test ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import TargetSource

WAIT_SECONDS = 3600
"""Tests move clocks by minutes. What hangs ends by the time limit of pytest."""


@dataclass
class RememberingSink:
    """All that a source has passed on.

    Attributes:
        groups: as found last.
        lists: number of lists that were found.
        errors: messages since the last call of `new_errors`.
    """

    groups: Sequence[Group] | None = None
    lists: int = 0
    errors: list[str] = field(default_factory=list)

    def found(self, groups: Sequence[Group]) -> None:
        self.groups = list(groups)
        self.lists += 1

    def failed(self, error: DiscoveryError) -> None:
        self.errors.append(str(error))

    def new_errors(self) -> list[str]:
        errors, self.errors = self.errors, []
        return errors

    @property
    def addresses(self) -> list[str]:
        """Of the last list."""
        assert self.groups is not None, self.errors
        return [labels.get("__address__", "") for group in self.groups for labels in group.label_sets()]


class Pauses:
    """A pause that lasts until the test says so."""

    def __init__(self) -> None:
        self._reached = asyncio.Semaphore(0)
        self._go_on = asyncio.Semaphore(0)
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._reached.release()
        await self._go_on.acquire()

    async def reached(self) -> None:
        """Return when the source pauses."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self._reached.acquire()

    async def round(self, times: int = 1) -> None:
        """Let the source go on until it has paused again, this many times."""
        for _ in range(times):
            self._go_on.release()
            await self.reached()


@asynccontextmanager
async def following(source: TargetSource, pauses: Pauses) -> AsyncIterator[RememberingSink]:
    """Run the source up to its first pause, and to its end with the block."""
    sink = RememberingSink()
    task = asyncio.create_task(source.run(sink))
    try:
        reached = asyncio.create_task(pauses.reached())
        await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        if task.done():
            task.result()
        yield sink
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
