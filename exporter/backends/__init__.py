"""Where a scan runs. So far in this process; remote workers would have the same interface."""

from collections.abc import Callable
from typing import Protocol

from exporter.model import ScanResult, Target
from exporter.scan import Environment, Known, scan_addresses


class Backend(Protocol):
    """Runs scans."""

    async def run(self, target: Target, known: Known, late: Callable[[], None]) -> tuple[ScanResult, ...]:
        """Scan the target: at least one result, see `scan_addresses`; raises nothing except for cancellation."""


class LocalBackend:
    """Scans on this event loop."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def run(self, target: Target, known: Known, late: Callable[[], None]) -> tuple[ScanResult, ...]:
        """See `Backend`."""
        return await scan_addresses(target, self._environment, known, late)
