"""Writes the pages of the reference that describe a form: `python tools/reference_pages.py`.

- docs/flags.md: all commands and flags, from the parser.
- docs/api-reference.md: the operations of the API, from its description.
- docs/report-schema.md: the JSON report, from its schema.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exporter.cli.parser import make_parser

DOCS = Path(__file__).resolve().parent.parent / "docs"
_MADE = "<!-- Written by tools/reference_pages.py; `make generate` rewrites it. -->"
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """File name under `docs` -> its content."""
    return {"flags.md": _flags(), "api-reference.md": _api(), "report-schema.md": _report()}


# Flags


def _flags() -> str:
    intro = (
        "Every command with its flags. [The command line](command-line.md) has examples, and the exit codes. "
        "`tls-posture-exporter COMMAND --help` and the [manual page](man/tls-posture-exporter.1) have the same."
    )
    parser = make_parser()
    parts = [_MADE, "# Flags", intro]
    for name, command, help_text in _commands(parser):
        parts += [f"## {name}", _sentence(help_text)]
        rows = [*_arguments(command)]
        parts += [_table(("flag", "value", "meaning"), rows)] if rows else []
    return "\n\n".join(parts) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: str(choice.help) for choice in action._choices_actions}  # noqa: SLF001
            for name, command in action.choices.items():
                yield name, command, helps[name]
                yield from ((f"{name} {below}", inner, text) for below, inner, text in _commands(command))


def _arguments(command: argparse.ArgumentParser) -> Iterator[tuple[str, str, str]]:
    for action in command._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):  # noqa: SLF001
            continue
        name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = "" if action.nargs == 0 or not action.option_strings else str(action.metavar or "")
        choices = [f"`{choice}`" for choice in action.choices or ()]
        needed = " Required." if action.required and action.option_strings else ""
        yield f"`{name}`", ", ".join(choices) or (f"`{value}`" if value else ""), _sentence(action.help or "") + needed


# The API


def _api() -> str:
    description = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    intro = (
        "Every operation with its parameters. [The API](api.md) explains it, with examples. "
        "[openapi.json](openapi.json) also has the form of every answer. A daemon serves it at "
        "`GET /api/v1/openapi.json`."
    )
    parts = [_MADE, "# Operations of the API", intro]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts += [f"## {method.upper()} {path}", _sentence(operation["summary"])]
            rows = [_parameter(one) for one in operation.get("parameters", ())]
            parts += [_table(("parameter", "in", "value", "meaning"), rows)] if rows else []
            answers = [(f"`{status}`", answer["description"]) for status, answer in operation["responses"].items()]
            parts.append(_table(("status", "answer"), answers))
    return "\n\n".join(parts) + "\n"


def _parameter(one: Schema) -> tuple[str, str, str, str]:
    needed = " Required." if one.get("required") and one["in"] != "path" else ""
    return f"`{one['name']}`", one["in"], _value(one["schema"]), _sentence(one.get("description", "")) + needed


# The report


def _report() -> str:
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    intro = (
        "The document of `scan --format=json`, and each report in the answers of the [API](api.md). "
        "[report.schema.json](report.schema.json) is the JSON Schema. `null` means: not known."
    )
    parts = [_MADE, "# The JSON report", intro, "## The document", _keys(schema)]
    for name, form in sorted(schema["$defs"].items()):
        title = [f"## {_title(name)}", _sentence(form.get("description", ""))]
        if "properties" in form:
            parts += [*title, _keys(form)]
        elif "enum" in form:
            parts += [*title, "\n".join(f"- `{value}`" for value in form["enum"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _keys(form: Schema) -> str:
    rows = [
        (f"`{name}`", _value(field), _sentence(field.get("description", "")))
        for name, field in form["properties"].items()
    ]
    return _table(("key", "value", "meaning"), rows)


def _title(name: str) -> str:
    """`CaaRecordForm` as "caa record"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Form")).lower()


def _value(field: Schema) -> str:
    if "$ref" in field:
        title = _title(field["$ref"].rpartition("/")[2])
        return f"[{title}](#{title.replace(' ', '-')})"
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field and "caa_issuer" in field["enum"]:
        return "[checks](checks/README.md)"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(map(_value, field["anyOf"])))
    kind = field.get("type")
    if kind == "array":
        return f"list of {_value(field['items'])}" if "items" in field else "list"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_value(field['additionalProperties'])}"
    return f"{kind} ({field['format']})" if "format" in field else str(kind or "any")


# Both


def _sentence(text: str) -> str:
    text = " ".join(text.split()).replace("%%", "%").replace("%(prog)s", "tls-posture-exporter")
    text = re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", text)
    return "" if not text else text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for file, content in pages().items():
        (DOCS / file).write_text(content, encoding="utf-8")
