"""The latest report of each target. In memory so far, behind the interface that a lasting store fills as well."""

from collections.abc import Iterable
from typing import Protocol

from exporter.model import Report


class Store(Protocol):
    """Keeps one report a target. Called from the event loop only; an implementation must not block it."""

    def put(self, report: Report) -> None:
        """Replace the report of its target."""

    def get(self, name: str) -> Report | None:
        """The report of the target of this name."""

    def remove(self, name: str) -> None:
        """Forget the target; does nothing when it is not known."""

    def all(self) -> Iterable[Report]:
        """Every report, by name."""


class MemoryStore:
    """A store that lasts as long as the process."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}

    def put(self, report: Report) -> None:
        """See `Store`."""
        self._reports[report.target.name] = report

    def get(self, name: str) -> Report | None:
        """See `Store`."""
        return self._reports.get(name)

    def remove(self, name: str) -> None:
        """See `Store`."""
        self._reports.pop(name, None)

    def all(self) -> Iterable[Report]:
        """See `Store`."""
        return [self._reports[name] for name in sorted(self._reports)]
