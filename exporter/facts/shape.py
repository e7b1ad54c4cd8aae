"""The definition of a shape: how facts of one class are shown. The shapes of probes are in `exporter.facts.shapes`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.model import Family, Sample

F = TypeVar("F")


def no_samples(_facts: object) -> Iterable[Sample]:
    """No samples: these facts have no metrics."""
    return ()


@dataclass(frozen=True, slots=True)
class Shape(Generic[F]):
    """How facts of one class are shown.

    Attributes:
        kind: the class of the facts.
        form: the keys of the report's `facts` that these facts fill: a typed dictionary of `exporter.facts.form`.
        document: converts facts to a dictionary of that form.
        families: metric families, in the order they are shown.
        full: those families that only `metrics.detail: full` shows.
        samples: converts facts to samples of these families; what is unknown is absent.
        title: heading of these families in docs/metrics.md.
    """

    kind: type[F]
    form: type
    document: Callable[[F], Mapping[str, object]]
    families: tuple[Family, ...] = ()
    full: tuple[Family, ...] = ()
    samples: Callable[[F], Iterable[Sample]] = no_samples
    title: str = ""
