"""HTML: templates, what they share, and the files that browsers load with them. No input or output."""

from exporter.html.assets import ASSETS, Asset
from exporter.html.templates import render, render_slices

__all__ = ["ASSETS", "Asset", "render", "render_slices"]
