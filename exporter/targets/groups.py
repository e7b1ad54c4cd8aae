"""Groups of discovered targets, as in Prometheus: the labels of each target, and those of all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.errors import ExporterError

ADDRESS = "__address__"

Labels = Mapping[str, str]


class DiscoveryError(ExporterError):
    """A source could not be read. The message has no secrets."""


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that came together.

    Attributes:
        source: what distinguishes the group from others of the same source: a file, a URL with index, a name.
        targets: the labels of each target; each has `__address__`.
        labels: of all of these targets; a target's own label has precedence.
    """

    source: str
    targets: tuple[Labels, ...] = ()
    labels: Labels = field(default_factory=lambda: MappingProxyType({}))

    def label_sets(self) -> Iterator[dict[str, str]]:
        """All labels of each target. Empty values are missing labels, as in Prometheus."""
        for own in self.targets:
            yield {name: value for name, value in {**self.labels, **own}.items() if value}
