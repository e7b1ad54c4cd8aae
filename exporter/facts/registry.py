"""The shapes of all facts of probes, in the order they are shown."""

from typing import Any

from exporter.facts.shape import Shape
from exporter.facts.shapes import certificate, dns, handshake, http, vulnerabilities

SHAPES: tuple[Shape[Any], ...] = (
    handshake.SHAPE,
    certificate.SHAPE,
    http.SHAPE,
    dns.CAA,
    dns.TLSA,
    dns.MTA_STS,
    vulnerabilities.SHAPE,
    dns.MTA_STS_POLICY,
)
