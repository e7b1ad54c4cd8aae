"""The checks there are, in the order they are shown. A new one is added here and nowhere else."""

from typing import Any

from exporter.checks import (
    caa,
    caa_issuer,
    certificate_chain,
    certificate_expiry,
    certificate_key,
    certificate_valid,
    cipher_order,
    cipher_suites,
    clients,
    compression,
    dane,
    dnssec,
    forward_secrecy,
    hsts,
    hsts_on_errors,
    hsts_preload,
    http_redirect,
    mta_sts,
    mta_sts_policy,
    protocols,
    server_software,
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
    clients.CHECK,
    certificate_valid.CHECK,
    certificate_expiry.CHECK,
    certificate_key.CHECK,
    certificate_chain.CHECK,
    hsts.CHECK,
    hsts_on_errors.CHECK,
    hsts_preload.CHECK,
    http_redirect.CHECK,
    server_software.CHECK,
    caa.CHECK,
    caa_issuer.CHECK,
    dnssec.CHECK,
    dane.CHECK,
    mta_sts.CHECK,
    mta_sts_policy.CHECK,
)
