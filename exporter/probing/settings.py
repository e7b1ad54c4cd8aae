"""The effective settings of a target as text, without secrets."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import timedelta

from exporter.model import HttpOptions, Target
from exporter.text import escaped

_LEFT_OUT = frozenset({"policies", "ca_file", "client_certificate", "questions"})
"""The first is shown by the names of the policies. Paths of files are nobody's concern."""


def settings_text(target: Target, policies: Sequence[str]) -> str:
    """A line for each setting that has a value."""
    return "".join(f"{name}: {escaped(value)}\n" for name, value in _settings(target, policies))


def without_paths(text: str, target: Target) -> str:
    """The log of a scan without the paths of the target's files, which messages about these files contain."""
    for path in sorted(target.files, key=len, reverse=True):
        text = text.replace(path, "(file)")
    return text


def _settings(target: Target, policies: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "policies", ", ".join(policies)
    for field in fields(Target):
        value = getattr(target, field.name)
        if isinstance(value, HttpOptions):
            yield from ((f"{field.name}.{name}", _shown(one)) for name, one in asdict(value).items() if one is not None)
        elif field.name not in _LEFT_OUT and value not in (None, (), {}):
            yield field.name, _shown(value)
    yield "own_trust_store", "true" if target.ca_file else "false"
    yield "client_certificate", "true" if target.client_certificate else "false"


def _shown(value: object) -> str:
    match value:
        case timedelta():
            return f"{value.total_seconds():g}s"
        case tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key}={part}" for key, part in value.items())
        case _:
            return str(value)
