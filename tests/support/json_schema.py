"""The part of JSON Schema (2020-12) that our own schemas use."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_KNOWN = {
    *("$ref", "anyOf", "type", "enum", "const", "pattern", "format", "minLength", "minimum", "maximum"),
    *("exclusiveMinimum", "items", "minItems", "uniqueItems", "properties", "required", "additionalProperties"),
    *("title", "description", "default", "$defs", "$schema"),
}
Found = Iterator[tuple[str, str]]


def violations(data: Any, schema: dict[str, Any]) -> Found:  # noqa: ANN401 - any JSON
    """Dotted path of each part that does not match the schema, and the reason."""
    yield from _look(data, schema, schema, ())


def _look(data: Any, schema: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]) -> Found:  # noqa: ANN401
    assert set(schema) <= _KNOWN, "the schema uses what this does not know"
    where = ".".join(path)
    if "$ref" in schema:
        yield from _look(data, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    if "anyOf" in schema and all(list(_look(data, one, root, path)) for one in schema["anyOf"]):
        yield where, "fits none of several forms"
    kind = schema.get("type")
    if kind and (not isinstance(data, _TYPES[kind]) or (isinstance(data, bool) and kind != "boolean")):
        yield where, f"is no {kind}"
        return
    yield from ((where, why) for why in _of_value(data, schema))
    if isinstance(data, list):
        for index, part in enumerate(data):
            yield from _look(part, schema.get("items", {}), root, (*path, str(index)))
    if isinstance(data, dict):
        yield from _of_object(data, schema, root, path)


def _of_value(data: Any, schema: dict[str, Any]) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if "enum" in schema and data not in schema["enum"]:
        yield "is not one of the values"
    if "const" in schema and data != schema["const"]:
        yield "is another value"
    if isinstance(data, str):
        if not re.search(schema.get("pattern", ""), data) or len(data) < schema.get("minLength", 0):
            yield "does not match"
        if schema.get("format") == "date" and not _is_date(data):
            yield "is no date"
    if isinstance(data, int | float) and not schema.get("minimum", data) <= data <= schema.get("maximum", data):
        yield "is out of bounds"
    if isinstance(data, int | float) and "exclusiveMinimum" in schema and data <= schema["exclusiveMinimum"]:
        yield "is too small"
    if isinstance(data, list) and len(data) < schema.get("minItems", 0):
        yield "is too short"


def _of_object(data: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]) -> Found:
    properties = schema.get("properties", {})
    if set(schema.get("required", ())) - set(data):
        yield ".".join(path), "lacks something"
    if schema.get("additionalProperties") is False and set(data) - set(properties):
        yield ".".join(path), "has something else"
    for name in properties.keys() & data.keys():
        yield from _look(data[name], properties[name], root, (*path, name))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
