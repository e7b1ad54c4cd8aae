"""All derivations. This is the only place where a new derivation is registered."""

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
    grade.DERIVATION,  # after the vulnerabilities, which it uses
)
"""In order: a derivation sees the facts of those before it."""

SHOWN: tuple[Shape[Any], ...] = (*SHAPES, *(derivation.shape for derivation in DERIVATIONS))
"""The shapes of everything that adds facts to a report, in the order they are shown."""
