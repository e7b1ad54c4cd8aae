"""All formats. A format is imported when it is used: each needs another library, and help needs their names only."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `base` loads the policies
    from exporter.reports.base import Format

MODULES: Mapping[str, str] = {
    "json": "as_json",
    "prometheus": "as_prometheus",
    "openmetrics": "as_openmetrics",
    "html": "as_html",
    "junit": "as_junit",
    "csv": "as_csv",
    "markdown": "as_markdown",
    "cyclonedx": "cyclonedx",
}
"""Name of the format -> its module in this package, in the order of help and documents. Each has a `FORMAT`.

Tables for a terminal are in `exporter.terminal`.
"""


def find(name: str) -> "Format":
    """The format of this name.

    Raises:
        KeyError: there is none.
    """
    found: Format = import_module(f"exporter.reports.{MODULES[name]}").FORMAT
    return found


def all_formats() -> tuple["Format", ...]:
    """All formats."""
    return tuple(map(find, MODULES))
