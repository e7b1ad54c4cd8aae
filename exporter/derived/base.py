"""What a derivation is. A new one is a file with a `DERIVATION`, and an entry in `exporter.derived.registry`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.case import Case
from exporter.facts.shape import Shape

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Derivation(Generic[F]):
    """One derivation and everything the rest of the program needs to know of it.

    Attributes:
        derive: gives its facts from what the probes saw; None when nothing follows.
        shape: how they are shown among the facts of a report.
    """

    derive: Callable[[Case], F | None]
    shape: Shape[F]
