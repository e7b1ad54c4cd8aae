"""The form of a policy file, and its JSON Schema."""

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from exporter.checks.registry import CHECKS
from exporter.judging.items import Filled
from exporter.yamlfile import Day

Text = Annotated[str, Field(min_length=1)]


class NotExpressed(BaseModel):
    """A rule of the source that the policy does not judge.

    Attributes:
        section: where the rule is.
        why: why it is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Text
    section: Text
    why: Text


class Header(BaseModel):
    """What a policy is: all of the file except its checks. Attributes as in `exporter.policies.Policy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: Text
    version: Text
    source: Text
    source_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    published: Day | None = None
    extends: Text | None = None
    description: str = ""
    not_expressed: tuple[NotExpressed, ...] = ()


def _several(section: object) -> object:
    """A list of demands. A single demand is short for a list of one."""
    if section is not None and not isinstance(section, dict | list):
        raise ValueError("is neither a demand nor a list of them")
    return [section] if isinstance(section, dict) else section


@lru_cache(maxsize=64)
def policy_form(named: frozenset[str]) -> type[Header]:
    """The form of a policy file whose checks are among those named: the sections of all others must be absent.

    Building the forms of all checks takes longer than a scan, and a policy names only some checks.
    """
    fields: dict[str, Any] = {check.name: (None, None) for check in CHECKS}
    for check in CHECKS:
        if check.name in named:
            several: Any = Filled[check.demand]  # type: ignore[name-defined]
            fields[check.name] = (Annotated[several | None, BeforeValidator(_several)], None)
    sections = create_model("Checks", __config__=ConfigDict(extra="forbid", frozen=True), **fields)
    return create_model("PolicyFile", __base__=Header, checks=(sections, ...))


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file."""
    schema = policy_form(frozenset(check.name for check in CHECKS)).model_json_schema()
    for section in schema["$defs"]["Checks"]["properties"].values():
        several, nothing = section["anyOf"]
        section["anyOf"] = [several["items"], several, nothing]
    names: dict[str, Any] = {}
    schema = _shared(schema, names)
    schema["$defs"] |= names
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Policy"}


def _shared(schema: Any, names: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The schema with each list of names that has a title moved to one place."""
    if isinstance(schema, list):
        return [_shared(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "enum" in schema and schema.get("title", "").endswith("name"):
        key = schema["title"].title().replace(" ", "")
        names[key] = schema
        return {"$ref": f"#/$defs/{key}"}
    return {key: _shared(part, names) for key, part in schema.items()}
