"""The checks there are, in the order they are shown. A new one is added here and nowhere else."""

from typing import Any

from exporter.checks import (
    caa,
    certificate_chain,
    certificate_expiry,
    certificate_key,
    certificate_valid,
    cipher_order,
    cipher_suites,
    compression,
    forward_secrecy,
    hsts,
    protocols,
    vulnerabilities,
)
from exporter.checks.base import Check

CHECKS: tuple[Check[Any], ...] = (
    protocols.CHECK,
    cipher_suites.CHECK,
    cipher_order.CHECK,
    compression.CHECK,
    forward_secrecy.CHECK,
    vulnerabilities.CHECK,
    certificate_valid.CHECK,
    certificate_expiry.CHECK,
    certificate_key.CHECK,
    certificate_chain.CHECK,
    hsts.CHECK,
    caa.CHECK,
)
