"""Writes docs/report.schema.json, the JSON schema of the output of `scan --format=json`."""

import json
from pathlib import Path

from exporter.report import json_schema

FILE = Path(__file__).parent.parent / "docs" / "report.schema.json"


def schema_text() -> str:
    """The file's content."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
