"""What tests of sources of targets share: sinks that remember, pauses that the test ends, sources that it leads."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from exporter.config import Config
from exporter.config.discovery import SourceSettings
from exporter.targets import discovery
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import Sink, TargetSource

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


class Kept:
    """A sink that keeps all lists and errors."""

    def __init__(self) -> None:
        self.lists: list[Sequence[Group]] = []
        self.errors: list[str] = []

    def found(self, groups: Sequence[Group]) -> None:
        self.lists.append(groups)

    def failed(self, error: DiscoveryError) -> None:
        self.errors.append(str(error))

    def labels(self) -> list[dict[str, str]]:
        """Those of all targets of the last list."""
        return [labels for group in (self.lists[-1] if self.lists else ()) for labels in group.label_sets()]

    @property
    def last(self) -> dict[str, set[str]]:
        """The addresses in each group of the last list."""
        return {group.source: {labels["__address__"] for labels in group.label_sets()} for group in self.lists[-1]}


class LedSource:
    """A source that finds what the test says.

    Attributes:
        ended: it was cancelled.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings
        self.ended = False
        self._steps: asyncio.Queue[tuple[str, ...] | Exception] = asyncio.Queue()

    def find(self, *addresses: str) -> None:
        self._steps.put_nowait(addresses)

    def fail(self, error: Exception | None = None) -> None:
        self._steps.put_nowait(error or DiscoveryError("no answer"))

    async def run(self, sink: Sink) -> None:
        try:
            while True:
                step = await self._steps.get()
                if isinstance(step, DiscoveryError):
                    sink.failed(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    sink.found([group_of(*step)])
                self._steps.task_done()
        except asyncio.CancelledError:
            self.ended = True
            raise

    async def settled(self) -> None:
        """Wait until all steps are taken."""
        await self._steps.join()


def group_of(*addresses: str) -> Group:
    return Group("list", tuple({"__address__": address} for address in addresses))


@contextmanager
def led_sources(patch: pytest.MonkeyPatch) -> Iterator[list[LedSource]]:
    """All entries of `file_sd_configs` become led sources; yields them as they are made."""
    made: list[LedSource] = []

    def make(settings: SourceSettings, _config: Config) -> LedSource:
        made.append(LedSource(settings))
        return made[-1]

    with patch.context() as patched:
        patched.setattr(discovery, "KINDS", (("file_sd_configs", make),))
        yield made
