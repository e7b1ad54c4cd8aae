"""Declares the JSON form of facts: typed dictionaries with keys that describe their values.

Each value is annotated with a `Key`. It describes the value in the published schema, and says whether the addresses of
one target are compared by it. Nothing here imports pydantic: only JSON reports and their schema need that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, get_args, get_type_hints

from typing_extensions import is_typeddict


@dataclass(frozen=True, slots=True)
class Key:
    """Description of one key of a form.

    Attributes:
        text: a description for the published schema.
        compared: whether all addresses of a target have to agree on the value.
        complete: the key of the same form that says whether the value is complete; where that is False, the value is
            not compared.
        incomplete: the key of the same form that lists the incomplete parts of the value; these parts are not compared.
        never_empty: an empty list means that nothing is known, and is not compared.
    """

    text: str
    compared: bool = True
    complete: str | None = None
    incomplete: str | None = None
    never_empty: bool = False

    def __get_pydantic_json_schema__(self, core: object, handler: Callable[[object], dict[str, Any]]) -> dict[str, Any]:
        """The schema of the value, with the description."""
        return handler(core) | {"description": self.text}


class _DateTime:
    """Marks text as a point in time."""

    def __get_pydantic_json_schema__(self, core: object, handler: Callable[[object], dict[str, Any]]) -> dict[str, Any]:
        return handler(core) | {"format": "date-time"}


DateTime = Annotated[str, _DateTime()]
"""A point in time as text by ISO 8601, with its offset from UTC."""


@dataclass(frozen=True, slots=True)
class FormEntry:
    """One key of a form, and its value.

    Attributes:
        value: type of the value.
        form: the type, where it is a dictionary with declared keys (or null).
    """

    key: Key
    value: Any
    form: type | None

    @property
    def compared(self) -> bool:
        """Whether addresses are compared by this key, or by a part of its value."""
        return self.key.compared and (self.form is None or any(one.compared for one in entries(self.form).values()))


@cache
def entries(form: type) -> Mapping[str, FormEntry]:
    """The keys of a form, in the order they are shown."""
    hints = get_type_hints(form, include_extras=True)
    return {name: _entry(hint) for name, hint in hints.items()}


def _entry(hint: Any) -> FormEntry:  # noqa: ANN401 - a type
    (key,) = (one for one in hint.__metadata__ if isinstance(one, Key))
    plain = hint.__origin__
    alternatives = get_args(plain) if isinstance(plain, UnionType) else (plain,)
    return FormEntry(key, plain, next((one for one in alternatives if is_typeddict(one)), None))
