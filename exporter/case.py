"""The input of judgement: the facts of one target at one moment, and what is known of its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.model import Facts, Target
from exporter.moments import Now
from exporter.software.files import shipped_table
from exporter.software.support import SupportTable


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is known of other targets and affects this one.

    Attributes:
        ssl2_keys: SHA-256 of a public key (hex, of its SubjectPublicKeyInfo) -> names of other targets that serve it
            and accept SSL 2.
        unclear_keys: the same for other targets of which it is not known whether they accept SSL 2.
    """

    ssl2_keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unclear_keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


NO_NEIGHBOURS = Neighbours()


@dataclass(frozen=True, slots=True)
class Case:
    """What a check judges: the valid facts of a target, and the time (UTC) of judgement.

    Attributes:
        now: compared with moments, it notes when the judgement can change.
        table: the end of support of software releases.
    """

    target: Target
    facts: Facts
    now: Now
    neighbours: Neighbours = NO_NEIGHBOURS
    table: SupportTable = field(default_factory=shipped_table)
