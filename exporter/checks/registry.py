"""The checks there are, in the order they are shown. A new one is added here and nowhere else."""

from typing import Any

from exporter.checks import caa, cipher_order, cipher_suites, compression, hsts, protocols
from exporter.checks.base import Check

CHECKS: tuple[Check[Any], ...] = (
    protocols.CHECK,
    cipher_suites.CHECK,
    cipher_order.CHECK,
    compression.CHECK,
    hsts.CHECK,
    caa.CHECK,
)
