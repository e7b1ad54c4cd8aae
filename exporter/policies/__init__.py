"""Named policies: YAML files that say what is demanded of each check, and where the demand is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from exporter.checks.registry import CHECKS
from exporter.config import Config, KnownNames, load_config
from exporter.config.values import is_policy_path
from exporter.errors import ConfigError
from exporter.judging.check import Demand
from exporter.policies.form import NotExpressed
from exporter.policies.loader import read_policy, shipped, unknown_policy


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        source: the document that the policy is taken from, for people.
        demands: check name -> demands, each of a different severity, the worst first. Checks without demands are not
            judged.
        file: the file that it was read from.
        source_url: where to find the source; None when the policy does not say.
        published: the date of the source; None when the policy does not say.
        extends: name or path of the policy that it extends, as written in the file.
        not_expressed: rules of the source that are not judged.
    """

    name: str
    title: str
    version: str
    source: str
    description: str
    demands: Mapping[str, tuple[Demand, ...]]
    file: Path
    source_url: str | None = None
    published: date | None = None
    extends: str | None = None
    not_expressed: tuple[NotExpressed, ...] = ()


def wrong_policy(policy: str) -> str | None:
    """What is wrong with a policy's name or path; None when it can be loaded."""
    if not is_policy_path(policy):
        return unknown_policy(policy)
    try:
        load_policy(policy)
    except ConfigError as error:
        return f"policy file {'; '.join(map(str, error.problems))}"
    return None


def load_policy(policy: str) -> Policy:
    """A shipped policy by name, or a policy file by path (read again when it changed).

    Raises:
        ConfigError: there is no such policy, or its file or one that it extends has mistakes; the error names all of
            them.
        KeyError: there is no shipped policy of this name.
    """
    path = Path(policy) if is_policy_path(policy) else shipped()[policy]
    header, demands = read_policy(path)
    return Policy(**dict(header), demands=demands, file=path)


def named_policies(files: Sequence[str]) -> dict[str, str]:
    """Own name -> name or path, of the shipped policies and of these files. A shipped policy keeps its name.

    Raises:
        ConfigError: a file has mistakes.
    """
    return {load_policy(file).name: file for file in files} | {name: name for name in shipped()}


def read_config(path: Path) -> Config:
    """The configuration, with its policies checked.

    Raises:
        ConfigError: with every problem of the file.
    """
    checks = [check.name for check in CHECKS]
    return load_config(path, KnownNames(wrong_policy, lambda policy: load_policy(policy).name, checks, list(shipped())))


__all__ = ["NotExpressed", "Policy", "load_policy", "named_policies", "read_config", "shipped", "wrong_policy"]
