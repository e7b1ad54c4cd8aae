"""Which protections of the kernel a worker has: how it reports them, and how the daemon shows them."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

SECCOMP, LANDLOCK = PROTECTIONS = "seccomp", "landlock"


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection.

    Attributes:
        on: the kernel enforces it.
        detail: what it restricts; why it is not enforced if it is off.
    """

    name: str
    on: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.name} is {'on' if self.on else 'off'} ({self.detail})"


def to_json(protections: Sequence[Protection]) -> bytes:
    """What a worker reports when it has started."""
    return json.dumps([[one.name, one.on, one.detail] for one in protections]).encode()


def from_json(payload: bytes) -> tuple[Protection, ...]:
    """Read the report of a worker.

    Raises:
        ValueError: it is malformed.
    """
    try:
        return tuple(Protection(str(name), on is True, str(detail)) for name, on, detail in json.loads(payload))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("not a list of protections") from error


class ProtectionLog:
    """Shows the protections of each worker that starts, and logs them when they differ from those of the last one.

    Args:
        show: gets the name of each protection, and whether it is on.
    """

    def __init__(self, show: Callable[[str, bool], None]) -> None:
        self._show = show
        self._last: tuple[Protection, ...] = ()

    def __call__(self, protections: tuple[Protection, ...]) -> None:
        """Note that a worker with these protections has started."""
        for one in protections:
            self._show(one.name, one.on)
        if protections == self._last:
            return
        self._last = protections
        level = logging.INFO if all(one.on for one in protections) else logging.WARNING
        log.log(level, "protections of workers: %s", ", ".join(map(str, protections)))
