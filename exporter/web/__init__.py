"""The HTTP server: `/metrics`, health, and a page for people. It neither scans nor judges."""

from exporter.web.access import (
    Access,
    AccessWatch,
    Denial,
    FirstRead,
    Passwords,
    first_read,
    is_authenticated,
    make_access,
)
from exporter.web.api import ApiData
from exporter.web.application import Sources, make_app
from exporter.web.connections import Cut, Watch
from exporter.web.external_url import default_external_url
from exporter.web.lifecycle import Gate
from exporter.web.limits import WebLimits, descriptors_reserved, open_files, raise_open_files
from exporter.web.server import serving

__all__ = [
    "Access",
    "AccessWatch",
    "ApiData",
    "Cut",
    "Denial",
    "FirstRead",
    "Gate",
    "Passwords",
    "Sources",
    "Watch",
    "WebLimits",
    "default_external_url",
    "descriptors_reserved",
    "first_read",
    "is_authenticated",
    "make_access",
    "make_app",
    "open_files",
    "raise_open_files",
    "serving",
]
