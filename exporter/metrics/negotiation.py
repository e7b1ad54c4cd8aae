"""What a client accepts, by the weights of `Accept` and `Accept-Encoding` (RFC 9110, 12.5). Pure."""

import re
from collections.abc import Iterator

OPENMETRICS, TEXT = "application/openmetrics-text", "text/plain"
_OPENMETRICS_VERSIONS = frozenset({"", "0.0.1", "1.0.0"})
"""Versions that the text of `prometheus_client` meets. Without a version, any is accepted."""
_TEXT_VERSIONS = frozenset({"", "0.0.4"})
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]*)?|1(?:\.0*)?)")
"""RFC 9110, 12.4.2, without its limit of three digits."""


def _entries(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, parameters and weight of each entry, in lower case; an entry with a malformed weight is left out."""
    for entry in header.lower().split(","):
        name, *rest = (part.strip() for part in entry.split(";"))
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in (part.partition("=") for part in rest)}
        weight = parameters.pop("q", "1")
        if name and _WEIGHT.fullmatch(weight):
            yield name, parameters, float(weight)


def prefers_openmetrics(accept: str) -> bool:
    """Whether the client asks for OpenMetrics, and does not prefer the text format. Wildcards do not ask for it."""
    openmetrics = 0.0
    text: dict[str, float] = {}
    for name, parameters, weight in _entries(accept):
        version = parameters.get("version", "")
        if name == OPENMETRICS and version in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, weight)
        elif name in {"*/*", "text/*"} or (name == TEXT and version in _TEXT_VERSIONS):
            text[name] = max(text.get(name, 0.0), weight)
    closest = next((text[name] for name in (TEXT, "text/*", "*/*") if name in text), 0.0)
    return 0 < openmetrics >= closest


def prefers_gzip(accept_encoding: str) -> bool:
    """Whether the client accepts gzip, and does not prefer the body as it is.

    A client that excludes both gets the body as it is, which RFC 9110, 12.5.3 allows.
    """
    weights = {name: weight for name, _, weight in _entries(accept_encoding)}
    gzip = max((weights[name] for name in ("gzip", "x-gzip") if name in weights), default=weights.get("*", 0.0))
    return 0 < gzip >= weights.get("identity", 0.0)
