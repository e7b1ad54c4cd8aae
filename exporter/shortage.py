"""What this machine ran out of: which errors of the system are ours, how often they came, and one log line a minute.

A socket that cannot be opened for lack of descriptors says nothing about a target. `ShortageError` is not a
`ProbeError`, so no code that turns failures of a target into facts can take it for one.
"""

import errno
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from exporter.errors import ExporterError

log = logging.getLogger(__name__)

LOG_SECONDS = 60.0
"""At most one line a minute for each resource: the same error may come thousands of times a second."""


class Resource(StrEnum):
    """Label values of `tls_posture_exporter_local_resource_errors_total`."""

    DESCRIPTORS = "descriptors"
    MEMORY = "memory"
    PORTS = "ports"
    PROCESSES = "processes"


_BY_NUMBER = {
    errno.EMFILE: Resource.DESCRIPTORS,
    errno.ENFILE: Resource.DESCRIPTORS,
    errno.ENOBUFS: Resource.MEMORY,
    errno.ENOMEM: Resource.MEMORY,
    socket.EAI_MEMORY: Resource.MEMORY,
}
"""errno(3), and the one code of getaddrinfo(3) for it. EADDRNOTAVAIL is not here: see `exporter.net.dial`."""
_NO_THREAD = "can't start new thread"
"""The message of CPython's RuntimeError; there is no class for it."""


class ShortageError(ExporterError):
    """This machine had not enough of a resource for one step of a scan. The scan does not know what the step asks.

    Attributes:
        resource: what was missing.
    """

    def __init__(self, resource: Resource, detail: str) -> None:
        super().__init__(detail)
        self.resource = resource


class Shortages:
    """Counts errors for each resource of this process, and logs them.

    Attributes:
        counts: errors since the start, by resource.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[Resource] = Counter()
        self._clock = clock
        self._logged_at: dict[Resource, float] = {}
        self._logged_count: Counter[Resource] = Counter()

    def note(self, resource: Resource, detail: str) -> None:
        """Count one error; log it unless there was a line within the last minute."""
        self.counts[resource] += 1
        now = self._clock()
        before = self._logged_at.get(resource)
        if before is None or now - before >= LOG_SECONDS:
            more = self.counts[resource] - self._logged_count[resource] - 1
            self._logged_at[resource], self._logged_count[resource] = now, self.counts[resource]
            since = f" ({more} more since the last such line)" if more else ""
            log.error("not enough %s on this machine: %s%s", resource, detail, since)


SHORTAGES = Shortages()
"""Of this process: descriptors, memory and ports belong to the process or the machine, not to one configuration."""


def shortage_of(error: BaseException | None) -> Resource | None:
    """The resource that was missing, if that is what the error says."""
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return Resource.MEMORY
    return Resource.PROCESSES if isinstance(error, RuntimeError) and _NO_THREAD in str(error) else None


def short_of(resource: Resource, detail: str) -> ShortageError:
    """The error for a resource that was missing; it is counted here."""
    SHORTAGES.note(resource, detail)
    return ShortageError(resource, detail)


def raise_shortage(error: BaseException, what: str) -> None:
    """Do nothing if the error is the peer's or a file's; `what` was attempted.

    Raises:
        ShortageError: the error is ours.
    """
    resource = shortage_of(error)
    if resource is not None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "no memory"
        raise short_of(resource, f"{what}: {reason}") from error
