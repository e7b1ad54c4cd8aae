"""What log lines are about: fields next to the message, and those of the scan that is running."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

Field = str | int | float | bool
_current: ContextVar[Mapping[str, Field]] = ContextVar("about", default=MappingProxyType({}))


@contextmanager
def about(**known: Field | None) -> Iterator[None]:
    """Every line that this task logs in the block has these fields, also from threads by `asyncio.to_thread`."""
    token = _current.set({**_current.get(), **_known(known)})
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Mapping[str, Field]:
    """The fields of the blocks around the caller."""
    return _current.get()


def fields(**known: Field | None) -> dict[str, dict[str, Field]]:
    """The `extra` of a log call that gives its line these fields; None gives none."""
    return {"fields": _known(known)}


def _known(values: Mapping[str, Field | None]) -> dict[str, Field]:
    return {name: value for name, value in values.items() if value is not None}
