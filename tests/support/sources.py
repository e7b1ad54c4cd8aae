"""Sources of targets that a test leads."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.config import Config
from exporter.config.discovery import SourceSettings
from exporter.targets import discovery
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import Sink


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
