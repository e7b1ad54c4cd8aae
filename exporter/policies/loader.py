"""Reads policies: the file, the file that it extends, and all mistakes in both."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from exporter.checks.registry import CHECKS
from exporter.config.values import is_policy_path
from exporter.errors import ConfigError, Problem
from exporter.files import read_file
from exporter.judging.check import Demand
from exporter.model import Severity
from exporter.nearest import suggestion_or_all
from exporter.policies.form import Header, policy_form
from exporter.quoting import quoted
from exporter.yamlfile import Document, parse_document, read_text, validate

Demands = Mapping[str, tuple[Demand, ...]]
_WORST_FIRST = list(Severity)
_POLICY_KEYS = frozenset({"checks", "extends"})
"""A file is taken for a policy if it has one of these. Messages quote only such files."""
MOST_BELOW = 16
"""Maximum number of policies that extend each other in a chain."""


@dataclass(frozen=True, slots=True)
class Part:
    """One policy file by itself.

    Attributes:
        header: None when the file has problems.
        sections: check name -> demands, None for a check that is dropped.
        extends: as written in the file.
        place: the place of `extends`, without a message.
    """

    header: Header | None
    sections: Mapping[str, tuple[Demand, ...] | None]
    problems: tuple[Problem, ...]
    extends: str | None
    place: Problem


@lru_cache(maxsize=1)
def shipped() -> dict[str, Path]:
    """Name -> file of the shipped policies."""
    folder = Path(str(files("exporter.policies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def unknown_policy(name: str) -> str | None:
    """The message for a name that no shipped policy has; None when one has it."""
    names = list(shipped())
    if name in names:
        return None
    return f"unknown policy {quoted(name)}{suggestion_or_all(name, names)}"


def read_policy(path: Path, below: tuple[Path, ...] = ()) -> tuple[Header, Demands]:
    """The header of a policy file, and its demands with those of the policy that it extends.

    `below`: the files that extend it, the first one first.

    Raises:
        ConfigError: one of the files cannot be used; the error names all problems.
    """
    part = _part(path, read_text(path))
    problems, inherited = list(part.problems), {}
    if part.extends is not None:
        try:
            inherited = dict(_inherited(path, part, (*below, path)))
        except ConfigError as error:
            problems += error.problems
    if problems or part.header is None:
        raise ConfigError(problems)
    demands = inherited | dict(part.sections)
    return part.header, {check.name: those for check in CHECKS if (those := demands.get(check.name)) is not None}


def _inherited(path: Path, part: Part, below: tuple[Path, ...]) -> Demands:
    extends = str(part.extends)
    if not is_policy_path(extends):
        wrong = unknown_policy(extends)
        if wrong is not None:
            raise ConfigError([replace(part.place, message=wrong)])
    base = path.parent / extends if is_policy_path(extends) else shipped()[extends]
    try:
        read_file(base)
    except (OSError, ValueError):
        raise ConfigError([replace(part.place, message=f"{quoted(extends)} is not a file")]) from None
    same = [one.resolve() == base.resolve() for one in below]
    if any(same):
        circle = " extends ".join(one.name for one in (*below[same.index(True) :], base))
        raise ConfigError([replace(part.place, message=f"goes in a circle: {circle}")])
    if len(below) > MOST_BELOW:
        raise ConfigError([replace(part.place, message=f"is the end of a chain of more than {MOST_BELOW} policies")])
    return read_policy(base, below)[1]


@lru_cache(maxsize=64)  # it keeps the texts too
def _part(path: Path, text: str) -> Part:
    document = parse_document(str(path), text)
    data = document.data if isinstance(document.data, dict) else {}
    if not _POLICY_KEYS & data.keys():
        # A path may lead to any file that the exporter can read. Its content is nobody's concern, keys included.
        raise ConfigError([Problem(str(path), 1, 1, "", "is not a policy file")])
    checks = data.get("checks")
    named = (
        frozenset(check.name for check in CHECKS if check.name in checks)
        if isinstance(checks, dict)
        else frozenset[str]()
    )
    parsed, problems = validate(document, policy_form(named))
    sections: dict[str, Any] = {}
    if parsed is not None:
        found = parsed.checks  # type: ignore[attr-defined]
        sections = {name: _sorted(getattr(found, name)) for name in found.model_fields_set}
        problems += _same_severities(document, found)
    header = None if problems or parsed is None else Header(**parsed.model_dump(exclude={"checks"}))
    extends = data.get("extends") if isinstance(data.get("extends"), str) else None
    return Part(header, sections, tuple(problems), extends, document.problem(("extends",), ""))


def _sorted(demands: tuple[Demand, ...] | None) -> tuple[Demand, ...] | None:
    """The demands, the most severe first."""
    if demands is None:
        return None
    return tuple(sorted(demands, key=lambda demand: _WORST_FIRST.index(demand.severity)))


def _same_severities(document: Document, checks: Any) -> list[Problem]:  # noqa: ANN401 - a model made at run time
    """Problems of demands of one check with the same severity, by which metrics and findings distinguish them."""
    problems = []
    for name in checks.model_fields_set:
        severities = [demand.severity for demand in getattr(checks, name) or ()]
        for index, severity in enumerate(severities):
            if severity in severities[:index]:
                first = document.problem(("checks", name, severities.index(severity), "severity"), "").line
                message = f"another demand of this check is {severity}, on line {first}; each needs its own"
                problems.append(document.problem(("checks", name, index, "severity"), message))
    return problems
