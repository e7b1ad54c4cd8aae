"""All probes, in the order they run. A new probe is registered here, and its shape in `exporter.facts.registry`."""

from typing import Any

from exporter.probes import (
    caa,
    certificate,
    handshake,
    http,
    mta_sts,
    mta_sts_policy,
    tlsa,
    vulnerabilities,
)
from exporter.probes.base import Probe

PROBES: tuple[Probe[Any], ...] = (
    handshake.PROBE,
    certificate.PROBE,
    http.PROBE,
    caa.PROBE,
    tlsa.PROBE,
    mta_sts.PROBE,
    vulnerabilities.PROBE,
    mta_sts_policy.PROBE,  # last: a slow web server elsewhere must not cost the others their time
)
