"""All formats."""

from exporter.reports import as_json, cyclonedx
from exporter.reports.base import Format

FORMATS: tuple[Format, ...] = (as_json.FORMAT, cyclonedx.FORMAT)
"""In the order of help and documents. Those of tables for a terminal are in `exporter.terminal`."""
