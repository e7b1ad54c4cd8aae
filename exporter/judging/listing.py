"""Compares the names that a server accepts with those that a policy requires, allows and forbids."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import model_validator

from exporter.judging.check import Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.judging.items import Item, in_force, listed, names_in_force, naming, sources
from exporter.moments import AnyDay

N = TypeVar("N", bound=str)


class NamesDemand(Demand, Generic[N]):
    """Names that the server must accept, may accept (all if left out), and must not accept."""

    required: tuple[Item[N], ...] = ()
    allowed: tuple[Item[N], ...] | None = None
    forbidden: tuple[Item[N], ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> "NamesDemand[N]":
        if not self.required and self.allowed is None and not self.forbidden:
            raise ValueError("asks for nothing; give it required, allowed or forbidden")
        return self


@dataclass(frozen=True, slots=True)
class Had:
    """What is known of a server's accepted names of one kind.

    Attributes:
        accepted: in the order they are shown.
        open_names: names that it may accept in addition; None when it may accept any.
        gap: what is not known where it may accept any: "the list of groups may not be complete".
    """

    accepted: tuple[str, ...]
    open_names: tuple[str, ...] | None = ()
    gap: str = ""

    def refused(self, name: str) -> bool:
        """Whether it is known that the server does not accept this name."""
        return self.open_names is not None and name not in self.accepted and name not in self.open_names


def judge_names(had: Had, demand: NamesDemand[N], day: AnyDay) -> Outcome:
    """The outcome: an accepted name that is forbidden, or a refused one that is required, fails at once."""
    required, forbidden = names_in_force(demand.required, day), names_in_force(demand.forbidden, day)
    allowed = None if demand.allowed is None else names_in_force(demand.allowed, day)
    if not required and not forbidden and allowed is None:
        return not_applicable("nothing of it is in force today")
    excess = tuple(name for name in had.accepted if name in forbidden or (allowed is not None and name not in allowed))
    missing = tuple(name for name in required if had.refused(name))
    if excess or missing:
        broken = (
            *naming(demand.allowed or (), excess),
            *naming(in_force(demand.forbidden, day), excess),
            *naming(in_force(demand.required, day), missing),
        )
        parts = (("accepts", "accepted", excess), ("does not accept", "missing", missing))
        said = " and ".join(f"{verb} {', '.join(names)}" for verb, _, names in parts if names)
        return failed(said, {key: names for _, key, names in parts if names}, sources(broken))
    return _unknown(had, required, forbidden, allowed) or passed(_good(had, allowed))


def _unknown(
    had: Had, required: tuple[str, ...], forbidden: tuple[str, ...], allowed: tuple[str, ...] | None
) -> Outcome | None:
    """What the check needs to know and does not; None when nothing is missing."""
    if had.open_names is None:
        if allowed is None and not forbidden and set(required) <= set(had.accepted):
            return None
        return unknown(had.gap)
    asked = {name for name in required if name not in had.accepted}
    asked |= {name for name in had.open_names if name in forbidden or (allowed is not None and name not in allowed)}
    dark = tuple(name for name in had.open_names if name in asked)
    if not dark:
        return None
    return unknown(f"it is not known whether {', '.join(dark)} is accepted", {"unknown": dark})


def _good(had: Had, allowed: tuple[str, ...] | None) -> str:
    if not had.accepted:
        return "accepts none of what is forbidden"
    return f"accepts {', '.join(had.accepted)}{' only' if allowed is not None else ''}"


def permitted(demand: NamesDemand[Any], day: AnyDay) -> Callable[[str], bool]:
    """A function that says whether the server may accept a name on this day. Required names are permitted."""
    allowed = None if demand.allowed is None else set(names_in_force(demand.allowed, day))
    forbidden = set(names_in_force(demand.forbidden, day))
    required = set(names_in_force(demand.required, day))
    return lambda name: name not in forbidden and (allowed is None or name in allowed or name in required)


def to_keep(accepted: Iterable[str], demand: NamesDemand[Any], day: AnyDay, sound: Sequence[str]) -> list[str]:
    """Names that are accepted and permitted, and required ones; where there are none, those permitted and sound."""
    may_have, required = permitted(demand, day), names_in_force(demand.required, day)
    kept = dict.fromkeys((*filter(may_have, accepted), *required))
    return list(kept) or list(filter(may_have, sound)) or list(names_in_force(demand.allowed or (), day))


def asks_names(demand: NamesDemand[N]) -> str:
    """`TLSv1.2, TLSv1.3 only; TLSv1.3 is required`."""
    return "; ".join(_asked(demand))


def _asked(demand: NamesDemand[N]) -> Iterator[str]:
    if demand.allowed is not None:
        yield f"{listed(demand.allowed)} only" if demand.allowed else "none at all"
    if demand.required:
        yield f"{listed(demand.required)} required"
    if demand.forbidden:
        yield f"no {listed(demand.forbidden)}"
