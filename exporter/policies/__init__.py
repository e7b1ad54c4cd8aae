"""Named policies: YAML files that say, check by check, what is asked for and where that is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from exporter.config import Config, load_config
from exporter.config.values import is_policy_path
from exporter.errors import ConfigError
from exporter.judging.check import Demand
from exporter.policies.form import NotExpressed
from exporter.policies.loader import read_policy, shipped, unknown_policy


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        source: which document it is taken from, for people.
        demands: name of each check that it asks for -> its demands, each of another severity, the worst first; checks
            it does not name are not judged.
        file: where it was read from.
        source_url: where the source is to be found; None when that is not said.
        published: the day of the source; None when that is not said.
        extends: name or path of the policy whose checks it has as well, as it stands in the file.
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
    """What is wrong with a policy's name or path, None when it can be loaded."""
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
        ConfigError: there is no such policy, or its file or one that it extends has mistakes (all of them are named).
        KeyError: there is no shipped policy of this name.
    """
    path = Path(policy) if is_policy_path(policy) else shipped()[policy]
    header, demands = read_policy(path)
    return Policy(**dict(header), demands=demands, file=path)


def read_config(path: Path) -> Config:
    """The configuration, its policies checked too.

    Raises:
        ConfigError: with every problem of the file.
    """
    return load_config(path, wrong_policy, lambda policy: load_policy(policy).name)


__all__ = ["NotExpressed", "Policy", "load_policy", "read_config", "shipped", "wrong_policy"]
