"""The derivations there are. A new one is added here and nowhere else."""

from typing import Any

from exporter.derived import caa, clients, grade, software, vulnerabilities
from exporter.derived.base import Derivation
from exporter.facts.registry import SHAPES
from exporter.facts.shape import Shape

DERIVATIONS: tuple[Derivation[Any], ...] = (
    vulnerabilities.DERIVATION,
    clients.DERIVATION,
    software.DERIVATION,
    caa.DERIVATION,
    grade.DERIVATION,  # behind the vulnerabilities, which it looks at
)
"""Each sees what those before it gave."""

SHOWN: tuple[Shape[Any], ...] = (*SHAPES, *(derivation.shape for derivation in DERIVATIONS))
"""Whatever brings facts into a report, in the order they are shown."""
