"""The configuration file: its schema, its defaults, and all of its mistakes at once.

`values` has the types of values, `sections` the keys, `across` the conditions between sections. The package decides
nothing about scanning: `exporter.targets` turns settings into targets.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.config.across import PolicyName, problems_across
from exporter.config.exceptions import unknown_names
from exporter.config.sections import Config
from exporter.config.values import PolicyCheck, Surroundings, is_policy_path
from exporter.config.variables import replace_variables
from exporter.errors import ConfigError
from exporter.files import one_view
from exporter.yamlfile import Document, read_document, validate

__all__ = ["Config", "KnownNames", "load_config"]

_EXTENSION = "x-"
"""Keys at the top of the file that begin with this are for YAML anchors only, as in Compose files."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What names in a configuration may mean.

    Attributes:
        wrong_policy: see `PolicyCheck`.
        policy_name: see `PolicyName`.
        checks: the names of all checks.
        shipped: the names of the policies that the exporter comes with.
    """

    wrong_policy: PolicyCheck
    policy_name: PolicyName
    checks: Sequence[str] = ()
    shipped: Sequence[str] = ()


def load_config(path: Path, known: KnownNames, environment: Mapping[str, str] = os.environ) -> Config:
    """Read and validate the file. Relative paths in it are relative to its folder and become absolute.

    `environment` has the variables of `${NAME}`; `exporter.config.variables` says where that may be.

    Raises:
        ConfigError: with every problem of the file.
    """
    with one_view():  # thousands of targets can name the same file
        document = read_document(path)
        _drop_extensions(document)
        replace_variables(document, environment)
        config, problems = validate(document, Config, Surroundings(path.absolute().parent, known.wrong_policy))
        if config is not None:
            problems += problems_across(config, document, known.policy_name)
            if config.exceptions:
                policies = [*known.shipped, *map(known.policy_name, filter(is_policy_path, config.all_policies))]
                problems += unknown_names(config.exceptions, document, known.checks, policies)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def _drop_extensions(document: Document) -> None:
    """Remove what exists only to be repeated by aliases. Mistakes of YAML in it stay problems."""
    if isinstance(document.data, dict):
        document.data = {key: part for key, part in document.data.items() if not key.startswith(_EXTENSION)}
