"""The keys that a form (a Pydantic model) has at a place, for messages about keys that it has not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from exporter.nearest import suggestion

Place = Sequence[str | int]
"""Keys and indices, as Pydantic gives them as `loc`."""


def unknown_key(model: type[BaseModel], place: Place) -> str:
    """The message for a key that the form does not have at its place.

    It suggests a key that the form has there, else the section that has this key.
    """
    key = str(place[-1])
    if near := suggestion(key, keys_at(model, place[:-1])):
        return f"unknown key{near}"
    sections = [one for one in _sections_with(key, model) if one not in place]
    return f"unknown key here; it is a key of {sections[0]}" if sections else "unknown key"


def keys_at(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """The keys of the section at this place, in the order of the form; none if a form has no section there."""
    return _keys_at(model, tuple(0 if isinstance(part, int) else part for part in place))


@lru_cache(maxsize=1024)  # thousands of targets can have the same mistake
def _keys_at(model: type[BaseModel], place: tuple[str | int, ...]) -> tuple[str, ...]:
    kinds = [*_plain(model)]
    for part in place:
        # Pydantic adds parts for the members of a union. They lead no further.
        kinds = [inner for kind in kinds for inner in _inside(kind, part)] or kinds
    return tuple(dict.fromkeys(key for kind in kinds if _is_form(kind) for key in _fields(kind)))


def _sections_with(key: str, model: type[BaseModel]) -> Iterator[str]:
    for section in _fields(model):
        if key in keys_at(model, (section,)) or key in keys_at(model, (section, 0)):
            yield section


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Keys, as a file has them, and the types of their values."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _inside(kind: Any, part: str | int) -> Iterable[Any]:  # noqa: ANN401 - any annotation
    """The types of what is at this key or index of a value of this type."""
    origin, parts = get_origin(kind), get_args(kind)
    if _is_form(kind):
        fields = _fields(kind)
        return _plain(fields[part]) if part in fields else ()
    if not isinstance(origin, type) or not parts:
        return ()
    if issubclass(origin, Mapping):
        return _plain(parts[1]) if isinstance(part, str) else ()
    return [inner for one in parts for inner in _plain(one)] if isinstance(part, int) else ()


def _plain(kind: Any) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    """The types without annotations, each member of a union by itself."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _plain(get_args(kind)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(kind):
            yield from _plain(member)
    elif _is_form(kind) and issubclass(kind, RootModel):
        yield from _plain(kind.model_fields["root"].annotation)
    else:
        yield kind


def _is_form(kind: object) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel)
