"""Reads a YAML file into plain data, with the position of each part.

It leaves out YAML 1.1's surprises: `no`, `12:30`, `017` and `2026-11-22` are strings. Files may be hostile: the result
is always data or `ConfigError`.
"""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, RootModel, ValidationError

from exporter.errors import ConfigError, Problem
from exporter.files import read_file
from exporter.formkeys import unknown_key
from exporter.nearest import suggestion
from exporter.quoting import quoted, redacted, shown

Path_ = tuple[str | int, ...]
"""Keys and indices from the top of the document."""

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH = 32
"""Our files have 6 levels. PyYAML builds nodes by recursion on the C stack: 200,000 brackets would end the process."""

SPARE_NODES = 100_000
"""A file has fewer nodes than characters. If there are more than this in addition, aliases multiply them (the "billion
laughs")."""

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[re.Pattern[str], str, Callable[[str], object]]] = {
    # YAML 1.2.2, 10.3.2 (core schema), without octal, hexadecimal, infinities and integers of more than 18 digits.
    "null": (re.compile(r"~|null|Null|NULL|"), "~nN", lambda _text: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF", lambda text: text.lower() == "true"),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})"), "-+0123456789", int),
    "float": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?"), "-+.0123456789", float),
    "merge": (re.compile(r"<<"), "<", str),
    "str": (re.compile(r".*", re.DOTALL), "", str),
}


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a day, such as 2027-01-01")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not a day of the calendar") from error


Day = Annotated[date, BeforeValidator(_day)]
"""A calendar day, UTC. Files are read without YAML's own dates, so it is text there."""


class StrictForm(BaseModel):
    """Part of a file of data: a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _DeepError(Exception):
    """Nodes are nested deeper than any of our files."""


class _Bounded(yaml.CSafeLoader):
    """The safe loader, which stops before the recursion of PyYAML gets deep. PyYAML calls both hooks for each node."""

    _depth = 0

    def descend_resolver(self, _parent: yaml.Node | None, _index: object) -> None:
        """Count the level of the node that PyYAML is about to build."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:  # scalars are one level below the deepest list or mapping
            raise _DeepError

    def ascend_resolver(self) -> None:
        """Leave the node."""
        self._depth -= 1


class _Loader(_Bounded):
    """The loader with our scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own protocol


class _TextLoader(_Bounded):
    """The loader without numbers and truth values: `1`, `1.50` and `true` are text, as they are written."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own protocol


for _name, (_pattern, _first, _) in _SCALARS.items():
    if _name != "str":
        _starts = [*_first, ""] if _pattern.fullmatch("") else [*_first]
        for _loader in (_Loader, _TextLoader) if _name in {"null", "merge"} else (_Loader,):
            _loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$"), _starts)


class Document:
    """A YAML document as data, with a position for every key path.

    Attributes:
        data: dicts with string keys, lists and scalars.
    """

    def __init__(self, file: str, root: yaml.Node | None, most_nodes: int) -> None:
        """Convert the nodes.

        Raises:
            ConfigError: they are nested too deep, or there are too many.
        """
        self.file = file
        self._noted: dict[Problem, None] = {}  # aliases can repeat the same position
        self._keys: dict[Path_, yaml.Mark] = {}
        self._values: dict[Path_, yaml.Mark] = {}
        self._unread: set[Path_] = set()
        self._nodes_left = most_nodes
        self.data = None if root is None else self._read(root, ())

    def _read(self, node: yaml.Node, path: Path_) -> object:
        self._values[path] = node.start_mark
        self._count(node, len(path))
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            data = {}
            for name, (key, value) in self._entries(node, path, len(path)).items():
                self._keys[*path, name] = key.start_mark
                data[name] = self._read(value, (*path, name))
            return data
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self._read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            pattern, _, convert = _SCALARS[kind]
            if pattern.fullmatch(node.value):
                return convert(node.value)
        self._unread.add(path)
        self._note(node, path, f"tag {redacted(node.tag.replace(_TAG, '!!'))} is unknown, or not for this value")
        return None

    def _count(self, node: yaml.Node, depth: int) -> None:
        """Count a node. Aliases turn the tree into a graph, maybe with cycles, so its depth and size show only here."""
        self._nodes_left -= 1
        if depth > MAX_DEPTH:
            raise ConfigError([_at(self.file, node.start_mark, (), f"nested deeper than {MAX_DEPTH} levels")])
        if self._nodes_left < 0:
            raise ConfigError([_at(self.file, node.start_mark, (), "aliases make the file too large")])

    def _entries(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The mapping's own entries, then those that `<<` adds (https://yaml.org/type/merge.html)."""
        self._count(node, depth)
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            self._count(key, depth)
            if not isinstance(key, yaml.ScalarNode):
                self._note(key, path, "a key is text; this one is a list or a mapping")
            elif key.tag not in {f"{_TAG}str", f"{_TAG}merge"}:
                self._note(key, path, f"the key {quoted(key.value)} is not text; put it in quotes")
            elif key.value in entries:
                before = entries[key.value][0].start_mark.line + 1
                self._note(key, (*path, key.value), f"duplicate key, first on line {before}")
            else:
                entries[key.value] = (key, value)
        key, value = entries.get("<<", (None, None))
        if key is None or value is None or key.tag != f"{_TAG}merge":
            return entries
        del entries["<<"]
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(source, yaml.MappingNode):
                for name, entry in self._entries(source, path, depth + 1).items():
                    entries.setdefault(name, entry)
            else:
                self._note(source, (*path, "<<"), "is not a mapping")
        return entries

    def refuse(self, path: Path_, message: str) -> None:
        """Add a problem of the value at this key path. What the model says of this value is then left out."""
        self._unread.add(path)
        self._noted[self.problem(path, message)] = None

    def _note(self, node: yaml.Node, path: Path_, message: str) -> None:
        self._noted[_at(self.file, node.start_mark, path, message)] = None

    @property
    def problems(self) -> list[Problem]:
        """Duplicate keys and other things that are valid YAML, but not accepted here."""
        return list(self._noted)

    def unread(self, path: Path_) -> bool:
        """Whether `problems` already says why there is no value at this key path or above it."""
        return any(path[:length] in self._unread for length in range(len(path) + 1))

    def problem(self, path: Path_, message: str, *, at_key: bool = False) -> Problem:
        """A problem at this key path, or at the nearest path above it that the file has."""
        known = path
        while known and known not in self._values:
            known = known[:-1]
        mark = self._keys.get(known) if at_key and known == path else self._values.get(known)
        return _at(self.file, mark, path, message)


def dotted(path: Path_) -> str:
    """`targets.0.host`; a key with unprintable characters is quoted, and a secret in a key is left out."""
    return ".".join(text if (text := redacted(str(part))).isprintable() else quoted(text) for part in path)


def _at(file: str, mark: Any, path: Path_, message: str) -> Problem:  # noqa: ANN401 - two unrelated classes of marks
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(file, line, column, dotted(path), message)


def read_document(path: Path) -> Document:
    """Read the file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or is YAML made to exhaust its reader.
    """
    return parse_document(str(path), read_text(path))


def read_text(path: Path) -> str:
    """The text of the file.

    Raises:
        ConfigError: the file cannot be read, or is not UTF-8.
    """
    file = str(path)
    try:
        return read_file(path).decode("utf-8")
    except OSError as error:
        raise ConfigError([_at(file, None, (), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([_at(file, None, (), "is not UTF-8")]) from error
    except ValueError as error:  # a path that no file can have
        raise ConfigError([_at(file, None, (), f"cannot be read: {error}")]) from error


def parse_document(file: str, text: str, *, only_text: bool = False) -> Document:
    """Parse the text of this file. Messages about its form do not quote it.

    With `only_text`, every value that is not a list, a mapping or null is text.

    Raises:
        ConfigError: it is not YAML, or is YAML made to exhaust its reader.
    """
    loader = _TextLoader if only_text else _Loader
    try:
        return Document(file, yaml.compose(text, Loader=loader), len(text) + SPARE_NODES)
    except _DeepError:
        raise ConfigError([_too_deep(file, text, loader)]) from None
    except yaml.MarkedYAMLError as error:
        what = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError(
            [_at(file, error.problem_mark or error.context_mark, (), f"not valid YAML: {what}")]
        ) from error
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")  # libyaml counts bytes
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError([Problem(file, line, column, "", f"not valid YAML: {error.reason}")]) from error


def _too_deep(file: str, text: str, loader: type[yaml.CSafeLoader]) -> Problem:
    """The problem at the first list or mapping that is too deep; events come one by one and need no stack."""
    depth, mark = 0, None
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            break
    return _at(file, mark, (), f"nested deeper than {MAX_DEPTH} levels")


_MESSAGES = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "string_type": "{input} is not text; put it in quotes",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "{input} does not match {pattern}",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "finite_number": "is not a finite number",
    "float_parsing": "is not a number",
    "greater_than_equal": "{input} is less than {ge}",
    "less_than_equal": "{input} is more than {le}",
    "enum": "{input} is not one of {expected}",
    "literal_error": "{input} is not {expected}",
    "list_type": "is not a list",
    "frozen_set_type": "is not a list",
    "tuple_type": "is not a list",
    "too_short": "is empty",
    "dict_type": "is not a mapping",
    "model_type": "is not a mapping",
    "model_attributes_type": "is not a mapping",
    "value_error": "{error}",
}
"""Messages for the kinds of Pydantic errors that our models can raise, for people who write YAML."""
_CHOICE = re.compile(r"'([^']*)'")
"""A known value in Pydantic's list of them."""


def validate(document: Document, model: type[M], context: object = None) -> tuple[M | None, list[Problem]]:
    """Convert the document to the model, or list every problem that prevents it.

    The context is for the model's validators. A `RootModel` is for a list.
    """
    problems = list(document.problems)
    if document.unread(()):
        return None, problems
    if not isinstance(document.data, list if issubclass(model, RootModel) else dict):
        what = "is empty" if document.data is None else "is not a mapping"
        return None, [*problems, document.problem((), f"the file {what}")]
    try:
        return model.model_validate(document.data, context=context), problems
    except ValidationError as error:
        for item in error.errors(include_url=False):
            is_key = item["loc"][-1:] == ("[key]",)
            path = _own(document.data, item["loc"][:-1] if is_key else item["loc"])
            if not document.unread(path):
                is_unknown = item["type"] == "extra_forbidden"
                message = unknown_key(model, item["loc"]) if is_unknown else in_words(item)
                problems.append(document.problem(path, message, at_key=is_key or is_unknown))
        return None, problems


def _own(data: object, path: Path_) -> Path_:
    """The path as it is in the file, without the parts that a model adds to short forms."""
    kept: list[str | int] = []
    for part in path:
        if isinstance(data, dict) and isinstance(part, str):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        kept.append(part)
    return tuple(kept)


def in_words(item: Any) -> str:  # noqa: ANN401 - pydantic_core.ErrorDetails, or its like
    """The message of Pydantic's error in our words."""
    kind, value = str(item["type"]), item["input"]
    if kind.endswith("_type") and value is None:
        return "is empty"
    if kind == "string_type" and isinstance(value, dict | list):
        return "is not text"
    template, context = _MESSAGES.get(kind), item.get("ctx", {})
    if template is None:
        return str(item["msg"])
    near = suggestion(value, _CHOICE.findall(context.get("expected", ""))) if isinstance(value, str) else ""
    return template.format(**context, input=shown(value)) + near
