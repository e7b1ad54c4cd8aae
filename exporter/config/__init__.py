"""The configuration file: its schema, its defaults, and all of its mistakes at once.

`values` has the types of values, `sections` the keys, `across` the conditions between sections. The package decides
nothing about scanning: `exporter.targets` turns settings into targets.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from exporter.config.across import PolicyName, problems_across
from exporter.config.sections import Config
from exporter.config.values import PolicyCheck, Surroundings
from exporter.config.variables import replace_variables
from exporter.errors import ConfigError
from exporter.files import one_view
from exporter.yamlfile import Document, read_document, validate

__all__ = ["Config", "load_config"]

_EXTENSION = "x-"
"""Keys at the top of the file that begin with this are for YAML anchors only, as in Compose files."""


def load_config(
    path: Path, wrong_policy: PolicyCheck, policy_name: PolicyName, environment: Mapping[str, str] = os.environ
) -> Config:
    """Read and validate the file. Relative paths in it are relative to its folder and become absolute.

    `environment` has the variables of `${NAME}`; `exporter.config.variables` says where that may be.

    Raises:
        ConfigError: with every problem of the file.
    """
    with one_view():  # thousands of targets can name the same file
        document = read_document(path)
        _drop_extensions(document)
        replace_variables(document, environment)
        config, problems = validate(document, Config, Surroundings(path.absolute().parent, wrong_policy))
        if config is not None:
            problems += problems_across(config, document, policy_name)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def _drop_extensions(document: Document) -> None:
    """Remove what exists only to be repeated by aliases. Mistakes of YAML in it stay problems."""
    if isinstance(document.data, dict):
        document.data = {key: part for key, part in document.data.items() if not key.startswith(_EXTENSION)}
