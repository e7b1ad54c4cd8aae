"""The latest reports of each target. In memory so far, behind the interface that a lasting store fills as well."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from exporter.model import Report

Reports = Sequence[Report]
"""Of one target: one for each of its addresses, at least one."""


class Store(Protocol):
    """Keeps the reports of each target. Called from the event loop only; an implementation must not block it."""

    def put(self, reports: Reports) -> None:
        """Replace all reports of their one target."""

    def get(self, name: str) -> Reports:
        """The reports of the target of this name; none when it is not known."""

    def remove(self, name: str) -> None:
        """Forget the target; does nothing when it is not known."""

    def all(self) -> Iterable[Reports]:
        """The reports of every target, by name."""


class MemoryStore:
    """A store that lasts as long as the process."""

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
