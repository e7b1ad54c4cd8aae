"""The latest reports of each target. They are in memory so far; a persistent store would have the same interface."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from exporter.model import Report

Reports = Sequence[Report]
"""The reports of one target: one for each of its addresses, at least one."""


class Store(Protocol):
    """Keeps the reports of each target. Called only from the event loop; an implementation must not block it."""

    def put(self, reports: Reports) -> None:
        """Replace all reports of their one target."""

    def get(self, name: str) -> Reports:
        """The reports of the target with this name; empty if it is unknown."""

    def remove(self, name: str) -> None:
        """Remove the target; does nothing if it is unknown."""

    def all(self) -> Iterable[Reports]:
        """The reports of every target, by name."""


class MemoryStore:
    """A store that exists as long as the process."""

    def __init__(self) -> None:
        self._reports: dict[str, Reports] = {}

    def put(self, reports: Reports) -> None:
        """See `Store`."""
        self._reports[reports[0].target.name] = reports

    def get(self, name: str) -> Reports:
        """See `Store`."""
        return self._reports.get(name, ())

    def remove(self, name: str) -> None:
        """See `Store`."""
        self._reports.pop(name, None)

    def all(self) -> Iterable[Reports]:
        """See `Store`."""
        return [self._reports[name] for name in sorted(self._reports)]
