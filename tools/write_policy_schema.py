"""Writes docs/policy.schema.json, the JSON schema of a policy file."""

import json
from pathlib import Path

from exporter.policies.form import json_schema

FILE = Path(__file__).parent.parent / "docs" / "policy.schema.json"


def schema_text() -> str:
    """The file's content."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
