"""The derivations there are. A new one is added here and nowhere else."""

from typing import Any

from exporter.derived import caa, clients, grade, software, vulnerabilities
from exporter.derived.base import Derivation
from exporter.probes.base import Probe
from exporter.probes.registry import PROBES

DERIVATIONS: tuple[Derivation[Any], ...] = (
    vulnerabilities.DERIVATION,
    clients.DERIVATION,
    software.DERIVATION,
    caa.DERIVATION,
    grade.DERIVATION,  # behind the vulnerabilities, which it looks at
)
"""Each sees what those before it gave."""

SHOWN: tuple[Probe[Any] | Derivation[Any], ...] = (*PROBES, *DERIVATIONS)
"""Whatever brings facts into a report, in the order they are shown."""
