"""Rules of `relabel_configs`, with the keys, defaults and conditions of Prometheus.

Source: Prometheus, model/relabel/relabel.go (`Config.Validate`).
"""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from exporter.config.section import Section
from exporter.nearest import not_one_of
from exporter.quoting import quoted, shown
from exporter.regexes import RegexError, compile_regex


class RelabelAction(StrEnum):
    """What a rule does."""

    REPLACE = "replace"
    KEEP = "keep"
    DROP = "drop"
    HASHMOD = "hashmod"
    LABELMAP = "labelmap"
    LABELDROP = "labeldrop"
    LABELKEEP = "labelkeep"
    LOWERCASE = "lowercase"
    UPPERCASE = "uppercase"
    KEEPEQUAL = "keepequal"
    DROPEQUAL = "dropequal"


DEFAULT_REGEX = "(.*)"
DEFAULT_SEPARATOR = ";"
DEFAULT_REPLACEMENT = "$1"
LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_TARGET = compile_regex(r"(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+")
"""A label name with variables (`relabelTarget` of Prometheus)."""
_EQUAL = frozenset({RelabelAction.KEEPEQUAL, RelabelAction.DROPEQUAL})
_BY_NAME = frozenset({RelabelAction.LABELDROP, RelabelAction.LABELKEEP})
_CASE = frozenset({RelabelAction.LOWERCASE, RelabelAction.UPPERCASE})
_SETS_ONE = _EQUAL | _CASE | {RelabelAction.HASHMOD}
"""Actions with one label as target, whose name has no variables."""
_NOT_FOR = {
    "source_labels": _BY_NAME,
    "separator": _BY_NAME | _EQUAL,
    "regex": _EQUAL,
    "modulus": _BY_NAME | _EQUAL,
    "target_label": _BY_NAME,
    "replacement": _BY_NAME | _EQUAL | _CASE,
}
"""Actions for which a key can only have its default."""
_LARGEST_MODULUS = 2**64 - 1


def _action(value: object) -> RelabelAction:
    if not isinstance(value, str) or value.lower() not in list(RelabelAction):
        raise ValueError(not_one_of(shown(value), value, list(RelabelAction)))
    return RelabelAction(value.lower())


def _text(value: object) -> object:
    """The text of a scalar. `regex: true` and `regex: 443` are usual, and Prometheus reads them as text."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case _:
            return value


def _regex(value: str) -> str:
    try:
        compile_regex(value)
    except RegexError as error:
        raise ValueError(f"{quoted(value)} is not usable: {error}") from error
    return value


def _source_label(value: str) -> str:
    if not LABEL_NAME.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a label name")
    return value


ScalarText = Annotated[str, BeforeValidator(_text)]
RegexText = Annotated[ScalarText, AfterValidator(_regex)]


class RelabelSettings(Section):
    """One rule. A rule is checked by its action, which is read first."""

    action: Annotated[RelabelAction, BeforeValidator(_action)] = RelabelAction.REPLACE
    source_labels: list[Annotated[str, AfterValidator(_source_label)]] = Field(default_factory=list)
    separator: ScalarText = DEFAULT_SEPARATOR
    regex: RegexText = DEFAULT_REGEX
    modulus: int = Field(default=0, ge=0, le=_LARGEST_MODULUS, strict=True)
    target_label: ScalarText = ""
    replacement: ScalarText = DEFAULT_REPLACEMENT

    @field_validator("source_labels", "regex")
    @classmethod
    def _not_given(cls, value: object, info: ValidationInfo) -> object:
        """Prometheus refuses these two also with their defaults."""
        _refuse_for(info)
        return value

    @field_validator("separator", "modulus", "target_label", "replacement")
    @classmethod
    def _as_default(cls, value: object, info: ValidationInfo) -> object:
        if value != cls.model_fields[str(info.field_name)].default:
            _refuse_for(info)
        return value

    @field_validator("target_label")
    @classmethod
    def _target_label(cls, value: str, info: ValidationInfo) -> str:
        action = info.data.get("action")
        with_variables = action is RelabelAction.REPLACE and "$" in value
        if value and with_variables and not _TARGET.match(value):
            raise ValueError(f"{quoted(value)} is not a label name with variables such as $1")
        named = action is RelabelAction.REPLACE or action in _SETS_ONE
        if value and named and not with_variables and not LABEL_NAME.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not a label name")
        return value

    @field_validator("replacement")
    @classmethod
    def _replacement(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("action") is RelabelAction.LABELMAP and not _TARGET.match(value):
            raise ValueError(f"{quoted(value)} is not a label name with variables such as $1")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.action is RelabelAction.REPLACE or self.action in _SETS_ONE) and not self.target_label:
            raise ValueError(f"action {self.action} needs target_label")
        if self.action is RelabelAction.HASHMOD and not self.modulus:
            raise ValueError("action hashmod needs a modulus of at least 1")
        return self


def _refuse_for(info: ValidationInfo) -> None:
    action = info.data.get("action")
    if action in _NOT_FOR[str(info.field_name)]:
        raise ValueError(f"is not for action {action}")
