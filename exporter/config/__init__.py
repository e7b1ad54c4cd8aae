"""The configuration file: its schema, its defaults, and all of its mistakes at once.

`values` has the types of values, `sections` the keys, `across` the conditions between sections. The package decides
nothing about scanning: `exporter.targets` turns settings into targets.
"""

from collections.abc import Sequence
from pathlib import Path

from exporter.config.across import PolicyName, problems_across
from exporter.config.exceptions import unknown_names
from exporter.config.sections import Config
from exporter.config.values import PolicyCheck, Surroundings, is_policy_path
from exporter.errors import ConfigError
from exporter.files import one_view
from exporter.yamlfile import read_document, validate

__all__ = ["Config", "load_config"]


def load_config(
    path: Path,
    wrong_policy: PolicyCheck,
    policy_name: PolicyName,
    checks: Sequence[str] = (),
    shipped: Sequence[str] = (),
) -> Config:
    """Read and validate the file. Relative paths in it are relative to its folder and become absolute.

    Args:
        path: the file.
        wrong_policy: see `PolicyCheck`.
        policy_name: see `PolicyName`.
        checks: the names of all checks.
        shipped: the names of the policies that the exporter comes with.

    Raises:
        ConfigError: with every problem of the file.
    """
    with one_view():  # thousands of targets can name the same file
        document = read_document(path)
        config, problems = validate(document, Config, Surroundings(path.absolute().parent, wrong_policy))
        if config is not None:
            problems += problems_across(config, document, policy_name)
            if config.exceptions:
                policies = [*shipped, *map(policy_name, filter(is_policy_path, config.all_policies))]
                problems += unknown_names(config.exceptions, document, checks, policies)
    if problems or config is None:
        raise ConfigError(problems)
    return config
