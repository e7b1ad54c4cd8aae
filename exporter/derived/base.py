"""What a derivation is. A new one is a file with a `DERIVATION`, and an entry in `exporter.derived.registry`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.case import Case
from exporter.model import Family, Sample

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Derivation(Generic[F]):
    """One derivation and everything the rest of the program needs to know of it.

    Attributes:
        kind: class of what it gives, which stands among the facts of a report.
        derive: gives it from what the probes saw; None when nothing follows.
        families: its metric families, in the order they are shown.
        full: those of them that only `metrics.detail: full` shows.
        samples: what was derived to samples of these families; unknown is absent.
        document: likewise to the keys of the report's `facts`.
    """

    kind: type[F]
    derive: Callable[[Case], F | None]
    families: tuple[Family, ...]
    samples: Callable[[F], Iterable[Sample]]
    document: Callable[[F], dict[str, object]]
    full: tuple[Family, ...] = ()
