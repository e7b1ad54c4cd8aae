"""Writes docs/configuration.md, the reference of the configuration file: `python tools/configuration_page.py`.

Keys, types and defaults are those of the program's model. Meanings are the comments of config.example.yaml, so that
they are written once; tests/test_config_example.py sees to it that every key is there.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.config import Config

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "configuration.md"
Keys = tuple[str, ...]
Schema = Mapping[str, Any]

_INTRO = """\
<!-- Written by tools/configuration_page.py from the program and config.example.yaml; `make generate` rewrites it. -->

# Configuration

The file that `--config.file` names is YAML. [config.example.yaml](../config.example.yaml) has all keys in one file,
with values. `tls-posture-exporter check-config` finds all mistakes of a file. A minimal file is:

```yaml
targets:
  - www.example.com
```

- Durations are written as in Prometheus: `30s`, `5m`, `1h30m`, `2d`.
- Relative paths start at the folder of the file.
- A key that is unknown, or is given twice, is an error. The message has the key that may have been meant.
- `${NAME}` is a variable of the environment in `proxy_url` and in the labels of targets, and an error elsewhere.
- Keys at the top of the file that begin with `x-` are ignored. They are for parts that YAML anchors repeat.
- A key without a value counts as missing.
"""
_OPTION = re.compile(r"^( *)(# )?( *)(- )?([a-z_]+):(?: (.*))?$")
_LIST = "[]"
"""The step from a list to its entries."""


def comments(text: str) -> dict[Keys, tuple[str, str]]:
    """Place of an option in the example -> the comment above it, and the value there. The first of each counts."""
    found: dict[Keys, tuple[str, str]] = {}
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        option = _OPTION.match(line)
        if option is None:
            prose = re.sub(r"^[# ]+", "", line)
            above = [*above, prose] if re.match(r"^ *#", line) and prose and not prose.startswith("- ") else []
            continue
        column = len(option[1] + option[3] + (option[4] or ""))
        parents = [(at, name) for at, name in parents if at < column]
        parents.append((column, option[5]))
        place = tuple(name for _, name in parents)
        value = "" if option[2] else (option[6] or "").split(" #")[0]
        found.setdefault(place, (" ".join(above), value))
        above = []
    return found


def page() -> str:
    """The page, as Markdown."""
    schema = Config.model_json_schema()
    known = comments((ROOT / "config.example.yaml").read_text(encoding="utf-8"))
    parts = [_INTRO]
    for place, section in _sections(schema, schema, (), set()):
        title = ".".join(place).replace(f".{_LIST}", _LIST) or "Top of the file"
        text = known.get(_plain(place), ("", ""))[0]
        parts.append(f"## {f'`{title}`' if place else title}\n")
        parts += [f"{_sentences(text)}\n"] if text else []
        parts.append("\n".join(_table(schema, place, section, known)) + "\n")
    return "\n".join(parts)


def _sections(root: Schema, section: Schema, place: Keys, seen: set[str]) -> Iterator[tuple[Keys, Schema]]:
    """The mapping and all mappings in it. A form that is used at several places comes once, at the first of them."""
    yield place, section
    for name, field in section["properties"].items():
        for step, inner in _mappings(root, field):
            if inner["title"] not in seen:
                seen.add(inner["title"])
                yield from _sections(root, inner, (*place, name, *step), seen)


def _mappings(root: Schema, field: Schema) -> Iterator[tuple[Keys, Schema]]:
    """The mappings that a value can be, with the steps to them."""
    if "$ref" in field:
        inner = root["$defs"][field["$ref"].rpartition("/")[2]]
        if "properties" in inner:
            yield (), inner
    for one in field.get("anyOf", ()):
        yield from _mappings(root, one)
    if "items" in field:
        yield from (((_LIST, *step), inner) for step, inner in _mappings(root, field["items"]))
    if isinstance(field.get("additionalProperties"), dict):
        yield from ((("NAME", *step), inner) for step, inner in _mappings(root, field["additionalProperties"]))


def _plain(place: Keys) -> Keys:
    """The place as in the example, which names no steps into lists."""
    return tuple("office" if name == "NAME" and place[0] == "celery" else name for name in place if name != _LIST)


def _known(known: Mapping[Keys, tuple[str, str]], place: Keys) -> tuple[str, str]:
    """Comment and value of a key. What all sources of targets have is explained at one of them, or at the top."""
    again = [
        (source, *place[1:]) for source in ("file_sd_configs", "http_sd_configs") if place[0].endswith("_sd_configs")
    ]
    again.append(place[1:])
    return next((known[one] for one in (place, *again) if known.get(one, ("", ""))[0]), known.get(place, ("", "")))


def _table(root: Schema, place: Keys, section: Schema, known: Mapping[Keys, tuple[str, str]]) -> Iterator[str]:
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    common = root["$defs"]["GlobalSettings"]["properties"] if place == ("targets", _LIST) else {}
    for name, field in sorted(section["properties"].items(), key=lambda item: item[0] in common):
        text, value = _known(known, (*_plain(place), name))
        required = name in section.get("required", ())
        shared = name in common
        default = "" if shared else _default(field, value if place == ("global",) else "")
        meaning = "As in [`global`](#global), for this target." if shared else text
        cells = (f"`{name}`", _type(root, field), "required" if required else default, _sentences(meaning))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: Schema, shown: str) -> str:
    """The default of the program; for `global`, where a test compares them, the value of the example."""
    value = field.get("default")
    if shown and value is None:
        return f"`{shown}`"
    if value in (None, [], {}) or isinstance(value, dict):
        return ""
    if field.get("format") == "duration":
        return f"`{re.sub(r'^P(?:T)?', '', str(value)).lower()}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(root: Schema, field: Schema) -> str:
    if "$ref" in field:
        inner = root["$defs"][field["$ref"].rpartition("/")[2]]
        return " or ".join(f"`{value}`" for value in inner["enum"]) if "enum" in inner else "mapping"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(root, one) for one in field["anyOf"] if one.get("type") != "null"))
    match field.get("type"):
        case "array":
            return f"list of {_type(root, field['items'])}"
        case "object":
            return "mapping of names to " + _type(root, field["additionalProperties"])
        case "string":
            return "duration" if field.get("format") == "duration" else "text"
        case "integer" | "number":
            low, high = (field.get(key, field.get(other)) for key, other in (("minimum", "ge"), ("maximum", "le")))
            return "number" if low is None else f"number from {low}" + ("" if high is None else f" to {high:,}")
        case "boolean":
            return "`true` or `false`"
        case None:
            return "value"
        case other:
            raise ValueError(f"{other} has no name: {field}")


def _sentences(text: str) -> str:
    """The comment, with links to the documents that it names."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", text)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
