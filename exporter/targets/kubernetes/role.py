"""What a role of `kubernetes_sd_configs` is: the kinds of objects that it reads, and how they become targets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.config.kubernetes import SelectorRole
from exporter.targets.groups import Group
from exporter.targets.kubernetes.objects import ApiResource, Key


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """Targets of objects.

    Attributes:
        wildcards: hosts with TLS that are patterns. Nobody can connect to them.
    """

    groups: tuple[Group, ...] = ()
    wildcards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kind:
    """Objects that a role reads.

    Attributes:
        selector: which entry of `selectors` is for them.
        read: what is kept of an object. It raises `msgspec.ValidationError`.
    """

    resource: ApiResource
    selector: SelectorRole
    read: Callable[[msgspec.Raw], object]


@dataclass(frozen=True, slots=True)
class Role:
    """One value of `role`.

    Attributes:
        combine: the targets of all objects, given as what was kept of them, a mapping for each of `kinds`.
    """

    kinds: tuple[Kind, ...]
    combine: Callable[[Sequence[Mapping[Key, Any]]], FoundObjects]


def number_of_targets(kept: object) -> int:
    """How many targets an object becomes, as far as it alone decides."""
    return sum(len(group.targets) for group in kept.groups) if isinstance(kept, FoundObjects) else 0


def together(parts: Iterable[FoundObjects]) -> FoundObjects:
    """All of them as one. Groups without targets are left out."""
    found = list(parts)
    groups = tuple(group for part in found for group in part.groups if group.targets)
    return FoundObjects(groups, frozenset().union(*(part.wildcards for part in found)))


def all_found(objects: Sequence[Mapping[Key, FoundObjects]]) -> FoundObjects:
    """For roles that need no other object to know the targets of one."""
    return together(part for _, part in sorted(objects[0].items()))
