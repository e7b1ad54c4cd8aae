"""The state of the daemon, for people: what it uses, how it does, and which versions it has.

Most values are those of its own metrics, so that the page and the dashboards say the same.
"""

import platform
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from exporter import __version__
from exporter.metrics import OwnMetrics
from exporter.sharding import Shard

_LIBRARIES = ("sslyze", "cryptography", "nassl")


@dataclass(frozen=True, slots=True)
class StatusSources:
    """Where the state comes from; each function is called on the event loop and must be quick.

    Attributes:
        own: the metrics about the exporter itself, with all values as they are now.
        config_file: None if there is none that could be reloaded.
        exceptions: how many the configuration has, with those that have ended.
        shard: whose targets the daemon has; None has all.
        zones: zone -> whether a worker of it began its last scan, None before the first; empty without zones.
        retention: how long the history is kept on disk; None if it is in memory only.
    """

    own: Callable[[], OwnMetrics]
    config_file: Callable[[], Path | None]
    exceptions: Callable[[], int]
    shard: Callable[[], Shard | None]
    zones: Callable[[], Mapping[str, bool | None]]
    retention: timedelta | None


class OwnValues:
    """The values of the exporter's own metrics at one moment."""

    def __init__(self, metrics: OwnMetrics) -> None:
        self._values = {
            (sample.name.removeprefix("tls_posture_exporter_"), *sorted(sample.labels.values())): sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if "le" not in sample.labels
        }

    def get(self, name: str, *labels: str) -> float | None:
        """The value of a metric, by its name without the common prefix, and its label values; None if absent."""
        return self._values.get((name, *sorted(labels)))

    def time(self, name: str, *labels: str) -> datetime | None:
        """The value as a time."""
        seconds = self.get(name, *labels)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    def by_label(self, name: str) -> Mapping[str, float]:
        """Label value -> value, of a metric with one label."""
        return {key[1]: value for key, value in self._values.items() if key[0] == name and len(key) == 2}

    def mean(self, name: str) -> float | None:
        """The mean of what a histogram counted; None before the first."""
        count, total = self.get(f"{name}_count"), self.get(f"{name}_sum")
        return total / count if count and total is not None else None


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """The program and what it is made of -> version; what is not installed is left out."""
    found = {"TLS Posture Exporter": __version__, "Python": platform.python_version(), "OpenSSL": ssl.OPENSSL_VERSION}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
