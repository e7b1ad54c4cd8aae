"""Reads a YAML file into plain data together with where each part of it stands.

YAML 1.1's surprises are left out: `no`, `12:30`, `017` and `2026-11-22` are the strings they look like.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from exporter.errors import ConfigError, Problem

Path_ = tuple[str | int, ...]
"""Keys and indices from the top of the document."""


class _Loader(yaml.CSafeLoader):
    """The safe loader with the scalars of YAML 1.2's core schema, less its octal numbers."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own protocol


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class Document:
    """A YAML document as data, with a place for every key path.

    Attributes:
        data: dicts, lists and scalars.
    """

    def __init__(self, file: str, root: yaml.Node | None, data: object) -> None:
        self.file = file
        self.data = data
        self.problems: list[Problem] = []
        self._keys: dict[Path_, yaml.Mark] = {}
        self._values: dict[Path_, yaml.Mark] = {}
        if root is not None:
            self._walk(root, ())

    def _walk(self, node: yaml.Node, path: Path_) -> None:
        self._values[path] = node.start_mark
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._walk(item, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                below = (*path, str(key.value))
                if below in self._keys:
                    first = self._keys[below].line + 1
                    self.problems.append(
                        Problem(
                            self.file,
                            key.start_mark.line + 1,
                            key.start_mark.column + 1,
                            dotted(below),
                            f"duplicate key, first on line {first}",
                        )
                    )
                    continue
                self._keys[below] = key.start_mark
                self._walk(value, below)

    def problem(self, path: Path_, message: str, *, at_key: bool = False) -> Problem:
        """A problem at this key path, or at the nearest place above it that the file has."""
        known = path
        while known and known not in self._values:
            known = known[:-1]
        mark = self._keys.get(known) if at_key and known == path else self._values.get(known)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Problem(self.file, line, column, dotted(path), message)


def dotted(path: Path_) -> str:
    """`targets.0.host`."""
    return ".".join(str(part) for part in path)


def read_document(path: Path) -> Document:
    """Read the file.

    Raises:
        ConfigError: the file cannot be read, or is not YAML.
    """
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem(file, 1, 1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(file, 1, 1, "", "is not UTF-8")]) from error
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return Document(file, root, None if root is None else _construct(loader, root))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError([Problem(file, line, column, "", f"not valid YAML: {what}")]) from error
    except yaml.reader.ReaderError as error:
        raise ConfigError([Problem(file, 1, 1, "", f"not valid YAML: {error.reason}")]) from error
    finally:
        loader.dispose()


def _construct(loader: Any, root: yaml.Node) -> object:  # noqa: ANN401 - the stubs lack construct_document
    return loader.construct_document(root)


_MESSAGES = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
}


def validate(document: Document, model: type[BaseModel]) -> tuple[BaseModel | None, list[Problem]]:
    """The document as the model, or every problem that keeps it from being one."""
    problems = list(document.problems)
    if not isinstance(document.data, dict):
        what = "is empty" if document.data is None else "is not a mapping"
        return None, [*problems, Problem(document.file, 1, 1, "", f"the file {what}")]
    bad_keys = [key for key in document.data if not isinstance(key, Hashable) or not isinstance(key, str)]
    data = {str(key): value for key, value in document.data.items()} if bad_keys else document.data
    try:
        return model.model_validate(data), problems
    except ValidationError as error:
        for item in error.errors(include_url=False):
            kind, path = item["type"], tuple(item["loc"])
            message = _MESSAGES.get(kind) or _plain(item["msg"])
            problems.append(document.problem(path, message, at_key=kind == "extra_forbidden"))
        return None, problems


def _plain(message: str) -> str:
    """Pydantic's sentence in the form of ours."""
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return message[:1].lower() + message[1:] if message[:2].istitle() else message
