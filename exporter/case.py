"""What is judged: the facts that hold for one target at one moment, and what its neighbours add to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from exporter.model import Facts, Target
from exporter.software.files import shipped_table
from exporter.software.support import SupportTable


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is known of the other targets and bears on this one.

    Attributes:
        ssl2_keys: SHA-256 of a public key (hex, of its SubjectPublicKeyInfo) -> names of other targets that serve it
            and accept SSL 2.
        unclear_keys: likewise, of other targets of which it is not known whether they accept SSL 2.
    """

    ssl2_keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unclear_keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


NO_NEIGHBOURS = Neighbours()


@dataclass(frozen=True, slots=True)
class Case:
    """What a check judges: the facts that hold for a target, and the time (UTC) of judgement.

    Attributes:
        table: until when software is maintained.
    """

    target: Target
    facts: Facts
    now: datetime
    neighbours: Neighbours = NO_NEIGHBOURS
    table: SupportTable = field(default_factory=shipped_table)
