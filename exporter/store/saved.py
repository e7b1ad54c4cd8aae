"""What is kept of each target, in memory and on disk: compact, and never changed in place."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one address of a target.

    Attributes:
        address: None for a target that is scanned at one address only.
        seen: what was seen, see `exporter.store.form`.
        states: what has a history, and since when, see `exporter.store.history`.
    """

    address: str | None
    seen: bytes
    states: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """The latest of one target.

    Attributes:
        service: identifies the service, so that nothing is inherited by another service of the same name.
        begun_at: start of its latest scan; says when it is next due.
        failures: how many of its scans have failed in a row.
        records: one for each address, at least one.
    """

    service: str
    begun_at: datetime
    failures: int
    records: tuple[Record, ...]
