"""Rules as the operator writes them, read from YAML."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from exporter.config.relabelling import RelabelSettings
from exporter.config.section import Section
from exporter.errors import ConfigError
from exporter.targets.relabel import RelabelRule, compile_rules
from exporter.yamlfile import parse_document, validate


class Rules(Section):
    """A file with nothing but rules."""

    relabel_configs: list[RelabelSettings]


def read_rules(text: str) -> tuple[RelabelRule, ...]:
    """The rules of a YAML document.

    Raises:
        ConfigError: with every mistake in them.
    """
    config, problems = validate(parse_document("rules.yaml", text), Rules)
    if problems or config is None:
        raise ConfigError(problems)
    return compile_rules(config.relabel_configs)


def rules(*those: Mapping[str, Any]) -> tuple[RelabelRule, ...]:
    """The rules, each as a mapping."""
    return read_rules(json.dumps({"relabel_configs": those}, ensure_ascii=False))  # JSON is YAML


def is_accepted(those: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there is no mistake in the rules."""
    try:
        rules(*those)
    except ConfigError:
        return False
    return True
