"""The dashboards and their text."""

import json
from pathlib import Path

from tools.dashboards.audit import audit
from tools.dashboards.exporter import exporter
from tools.dashboards.fleet import fleet
from tools.dashboards.target import target

FOLDER = Path(__file__).resolve().parent.parent.parent / "grafana"


def rendered() -> dict[str, str]:
    """File name -> text of every dashboard."""
    files = {"fleet.json": fleet(), "target.json": target(), "audit.json": audit(), "exporter.json": exporter()}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}
