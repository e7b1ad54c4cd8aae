"""Reads the documents of file_sd and http_sd: lists of groups, in YAML or JSON, as Prometheus reads them.

What Prometheus does differently is in docs/discovery.md.
"""

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from exporter.errors import ConfigError
from exporter.quoting import quoted
from exporter.targets.groups import ADDRESS, DiscoveryError, Group
from exporter.yamlfile import Path_, dotted, parse_document

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KEYS = ("targets", "labels")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class _WrongError(Exception):
    """Part of a document is not what it has to be."""

    def __init__(self, path: Path_, message: str) -> None:
        super().__init__(message)
        self.path = path


def read_yaml(file: str, content: bytes, meta: Mapping[str, str]) -> tuple[Group, ...]:
    """The groups of a YAML document. Each has the labels of `meta`, which replace its own.

    All scalars are text, as they are written: Prometheus reads `017` and `yes` as these texts.

    Raises:
        DiscoveryError: with the first mistake and its place.
    """
    try:
        document = parse_document(file, content.decode("utf-8"), only_text=True)
    except UnicodeDecodeError:
        raise DiscoveryError(f"{file}: is not UTF-8") from None
    except ConfigError as error:
        raise DiscoveryError(str(error.problems[0])) from error
    if document.problems:
        raise DiscoveryError(str(min(document.problems)))
    try:
        return _groups(document.data, file, meta)
    except _WrongError as error:
        raise DiscoveryError(str(document.problem(error.path, str(error)))) from error


def read_json(source: str, content: bytes, meta: Mapping[str, str]) -> tuple[Group, ...]:
    """The groups of a JSON document, as `read_yaml`.

    As in Prometheus, letter case of `targets` and `labels` does not matter, the last of duplicate keys counts, and what
    is not UTF-8 becomes U+FFFD.

    Raises:
        DiscoveryError: with the first mistake and its place.
    """
    try:
        data = json.loads(content.decode("utf-8", "replace"), parse_constant=_refuse, parse_int=float)
    except json.JSONDecodeError as error:
        raise DiscoveryError(f"{source}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from None
    except ValueError as error:
        raise DiscoveryError(f"{source}: not valid JSON: {error}") from None
    except RecursionError:
        raise DiscoveryError(f"{source}: not a list of groups: nested too deep") from None
    if isinstance(data, list):
        data = [_folded(group) for group in data]
    try:
        return _groups(data, source, meta)
    except _WrongError as error:
        where = f"{source}: {dotted(error.path)}" if error.path else source
        raise DiscoveryError(f"{where}: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a value of JSON")


def _folded(group: object) -> object:
    return {key.casefold(): value for key, value in group.items()} if isinstance(group, dict) else group


def _groups(data: object, source: str, meta: Mapping[str, str]) -> tuple[Group, ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise _WrongError((), "is not a list of groups")
    return tuple(_group(entry, (index,), f"{source}:{index}", meta) for index, entry in enumerate(data))


def _group(entry: object, path: Path_, source: str, meta: Mapping[str, str]) -> Group:
    if not isinstance(entry, dict):
        raise _WrongError(path, "is empty" if entry is None else "is not a mapping")
    for key in entry:
        if key not in _KEYS:
            raise _WrongError((*path, key), "unknown key; known are targets and labels")
    targets = _targets(entry.get("targets"), (*path, "targets"))
    return Group(source, targets, {**_labels(entry.get("labels"), (*path, "labels")), **meta})


def _targets(found: object, path: Path_) -> tuple[Mapping[str, str], ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise _WrongError(path, "is not a list")
    return tuple({ADDRESS: _text(one, (*path, index))} for index, one in enumerate(found))


def _labels(found: object, path: Path_) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _WrongError(path, "is not a mapping")
    for name in found:
        if not _NAME.fullmatch(name):
            raise _WrongError((*path, name), f"{quoted(name)} is not a label name")
    return {name: _text(value, (*path, name)) for name, value in found.items()}


def _text(value: object, path: Path_) -> str:
    """The text. A value that is missing is empty, as in Go."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _WrongError(path, "is not text")
    return _SURROGATE.sub(_REPLACEMENT, value)
