"""All formats."""

from exporter.reports import as_json
from exporter.reports.base import Format

FORMATS: tuple[Format, ...] = (as_json.FORMAT,)
"""In the order of help and documents. Those of tables for a terminal are in `exporter.terminal`."""
