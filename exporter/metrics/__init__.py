"""Turns reports into exposition text, and adds the exporter's own metrics.

The lines of a target are rendered once, when its report changes. A scrape puts them together by family, from pieces
that are kept compressed. Nothing here touches the network.
"""

from exporter.metrics.exposition import Exposition, target_page, target_text
from exporter.metrics.families import ADDRESS_FAMILIES
from exporter.metrics.groups import Lines
from exporter.metrics.own import CLIENTS, OWN_FAMILIES, SERVER_EOL, OwnMetrics, ProbeOutcome
from exporter.metrics.pieces import Page, text_of, text_page
from exporter.metrics.rendering import (
    FAMILIES,
    FULL_DETAIL,
    number,
    render_reports,
    render_target,
    report_samples,
    target_samples,
)

__all__ = [
    "ADDRESS_FAMILIES",
    "CLIENTS",
    "FAMILIES",
    "FULL_DETAIL",
    "OWN_FAMILIES",
    "SERVER_EOL",
    "Exposition",
    "Lines",
    "OwnMetrics",
    "Page",
    "ProbeOutcome",
    "number",
    "render_reports",
    "render_target",
    "report_samples",
    "target_page",
    "target_samples",
    "target_text",
    "text_of",
    "text_page",
]
