"""The definition of a derivation.

A new derivation is a file with a `DERIVATION`, and an entry in `exporter.derived.registry`.
"""

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
        derive: facts of probes to derived facts; None when nothing follows.
        shape: how the derived facts are shown in a report.
    """

    derive: Callable[[Case], F | None]
    shape: Shape[F]
