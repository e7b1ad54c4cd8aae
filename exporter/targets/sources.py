"""What all sources of targets have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from exporter.targets.groups import DiscoveryError, Group


class Sink(Protocol):
    """Takes what a source finds. Called on the event loop."""

    def found(self, groups: Sequence[Group]) -> None:
        """All groups of the source, as they are now."""

    def failed(self, error: DiscoveryError) -> None:
        """The source could not be read completely. What was found before stays.

        A source that could read a part of its groups calls `found` for all, with the last good ones of the others, and
        then `failed`.
        """


class TargetSource(Protocol):
    """One entry of `*_sd_configs`."""

    async def run(self, sink: Sink) -> None:
        """Find targets until it is cancelled. Errors of the source are passed to the sink."""


@runtime_checkable
class ResumedSource(Protocol):
    """A source that can read a part of its list, and so needs the last good list of the other parts."""

    def resume(self, groups: Sequence[Group]) -> None:
        """Begin with this list, which was found before the start of the program or with other settings."""


@runtime_checkable
class DatedSource(Protocol):
    """A source that knows when its lists were written."""

    def modified(self) -> Mapping[str, float]:
        """File -> when it was written, in seconds since 1970."""


Pause = Callable[[float], Awaitable[object]]
"""`asyncio.sleep`, or what replaces it in tests."""


async def poll(
    refresh: Callable[[], Awaitable[Sequence[Group]]], every: timedelta, sink: Sink, pause: Pause = asyncio.sleep
) -> None:
    """Refresh a source at once and then at this interval, for ever.

    `refresh` returns all groups, or raises `DiscoveryError`.
    """
    while True:
        try:
            sink.found(await refresh())
        except DiscoveryError as error:
            sink.failed(error)
        await pause(every.total_seconds())
