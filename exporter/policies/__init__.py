"""Named policies: YAML files that say, check by check, what is asked for and where that is written."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from exporter.checks.base import Demand
from exporter.checks.registry import CHECKS
from exporter.config import is_policy_path
from exporter.errors import ConfigError
from exporter.yamlfile import read_document, validate


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        demands: name of each check that it asks for -> its demand; checks it does not name are not judged.
        file: where it was read from.
    """

    name: str
    title: str
    version: str
    source: str
    description: str
    demands: Mapping[str, Demand]
    file: Path


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    version: str
    source: str
    description: str = ""


def _sections() -> type[BaseModel]:
    fields: dict[str, Any] = {check.name: (check.demand | None, None) for check in CHECKS}
    return create_model("Checks", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


_PolicyFile = create_model("PolicyFile", __base__=_Header, checks=(_sections(), ...))


@lru_cache(maxsize=1)
def shipped() -> dict[str, Path]:
    """Name -> file of the policies that come with the program."""
    folder = Path(str(files(__name__)))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def wrong_policy(policy: str) -> str | None:
    """What is wrong with a policy's name or path, None when it can be loaded."""
    if is_policy_path(policy):
        try:
            load_policy(policy)
        except ConfigError as error:
            return f"policy file {error.problems[0]}"
        return None
    names = list(shipped())
    if policy in names:
        return None
    near = difflib.get_close_matches(policy, names, n=1)
    return f"unknown policy {policy!r}; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}")


def load_policy(policy: str) -> Policy:
    """A shipped policy by name, or a policy file by path (read again when it changed).

    Raises:
        ConfigError: there is no such policy, or its file has mistakes (all of them are named).
        KeyError: there is no shipped policy of this name.
    """
    path = Path(policy) if is_policy_path(policy) else shipped()[policy]
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0  # reading it says what is wrong
    return _load(path, changed)


@lru_cache(maxsize=256)
def _load(path: Path, _changed: int) -> Policy:
    document = read_document(path)
    parsed, problems = validate(document, _PolicyFile)
    if problems or parsed is None:
        raise ConfigError(problems)
    content = parsed.model_dump(exclude={"checks"})
    sections = parsed.checks  # type: ignore[attr-defined]
    demands = {check.name: demand for check in CHECKS if (demand := getattr(sections, check.name)) is not None}
    return Policy(**content, demands=demands, file=path)
