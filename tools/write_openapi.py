"""Writes docs/openapi.json, the description of the API."""

from pathlib import Path

from exporter.web.api import openapi_text

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"

if __name__ == "__main__":
    FILE.write_text(openapi_text(), encoding="utf-8")
