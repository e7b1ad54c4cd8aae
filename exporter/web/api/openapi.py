"""The published description of the API, made of the operations and their forms."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from exporter import __version__
from exporter.web.api.errors import STATUS
from exporter.web.api.forms import ErrorAnswer
from exporter.web.api.operation import PREFIX, AnyOperation
from exporter.web.api.parameters import Parameters

DESCRIPTION_PATH = "/openapi.json"
_MODE: JsonSchemaMode = "serialization"
_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = "Errors have the form of Prometheus' API. Parameters that are unknown are errors. See docs/api.md."
_SEGMENTS = {
    "{name}": "the name; percent-encoded, `/` as `%2F`",
    "{id}": "as in the answer to the request",
    "{format}": "of the document",
}


def description(operations: Sequence[AnyOperation]) -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    answers = [one.answer for one in operations if isinstance(one.answer, type)]
    forms: list[type[BaseModel]] = list(dict.fromkeys([*answers, ErrorAnswer]))
    _, definitions = models_json_schema([(form, _MODE) for form in forms], ref_template=_REFERENCE)
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one)
    paths[PREFIX + DESCRIPTION_PATH] = {"get": _OF_THIS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TLS Posture Exporter",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "externalDocs": {"description": "The source of the running version", "url": "../../source"},
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }


def _json(form: type[Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=form.__name__)}}}


_OF_THIS = {
    "operationId": "getDescription",
    "summary": "This description",
    "responses": {
        "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}},
        "400": {"description": "bad_data", "content": _json(ErrorAnswer)},
        "405": {"description": "method_not_allowed", "content": _json(ErrorAnswer)},
    },
}


def _operation(one: AnyOperation) -> dict[str, Any]:
    success = _success(one)
    if one.status == 202:
        success["headers"] = {"Location": {"description": "path of the scan", "schema": {"type": "string"}}}
    responses: dict[str, Any] = {str(one.status): success}
    for error in sorted(one.all_errors, key=STATUS.__getitem__):
        responses[str(STATUS[error])] = {"description": error, "content": _json(ErrorAnswer)}
    in_path = [
        {"name": segment[1:-1], "in": "path", "required": True, "description": text, "schema": _segment(one)}
        for segment, text in _SEGMENTS.items()
        if segment in one.segments
    ]
    return {
        "operationId": one.id,
        "summary": one.summary,
        "parameters": in_path + _query(one.parameters),
        "responses": responses,
    }


def _success(one: AnyOperation) -> dict[str, Any]:
    if isinstance(one.answer, type):
        return {"description": one.answer.__doc__, "content": _json(one.answer)}
    kinds = dict.fromkeys(kind.partition(";")[0] for kind in one.answer.values())
    disposition = {"description": "the name of a file", "schema": {"type": "string"}}
    return {
        "description": "The document.",
        "content": {kind: {"schema": {} if kind == "application/json" else {"type": "string"}} for kind in kinds},
        "headers": {"Content-Disposition": disposition},
    }


def _segment(one: AnyOperation) -> dict[str, Any]:
    return {"type": "string"} | ({} if isinstance(one.answer, type) else {"enum": list(one.answer)})


def _query(form: type[Parameters]) -> list[dict[str, Any]]:
    schema = form.model_json_schema(ref_template=_REFERENCE)
    found = []
    for name, value in schema.get("properties", {}).items():
        inline = _inlined(value, schema.get("$defs", {}))
        text = inline.pop("description", "")
        if inline.get("default", "") is None:
            del inline["default"]
        found.append({"name": name, "in": "query", "required": False, "description": text, "schema": inline})
    return found


def _inlined(value: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The schema without references to the few enumerations that parameters have."""
    if isinstance(value, dict):
        if "$ref" in value:
            return {"type": "string", "enum": definitions[value["$ref"].rpartition("/")[2]]["enum"]}
        return {key: _inlined(part, definitions) for key, part in value.items() if key != "title"}
    return [_inlined(part, definitions) for part in value] if isinstance(value, list) else value
