"""What was found about one protocol, and which hellos it depends on that may or may not have been refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.model import CipherOrder
from exporter.probes.handshake.enumeration import AnyEnumeration
from exporter.probes.handshake.query import HelloQuery


@dataclass(slots=True)
class ProtocolResult:
    """What is known of one protocol, if the unproved refusals are refusals.

    Attributes:
        accepted: None when it is not known.
        suites: accepted ones, in the order of the server's choices.
        complete: there are no others.
        cipher_order: whose order decides which suite is taken.
        group_order: whose order decides which group is taken, in TLS 1.3.
        unproved: hellos that ended without an alert that refuses, on which the suites depend.
        enumerations: groups, signature schemes and application protocols that were asked for. Each can have an unproved
            hello of its own.
    """

    accepted: bool | None = None
    suites: list[int] = field(default_factory=list)
    complete: bool = True
    cipher_order: CipherOrder | None = None
    group_order: CipherOrder | None = None
    unproved: list[HelloQuery] = field(default_factory=list)
    enumerations: list[AnyEnumeration] = field(default_factory=list)

    def is_complete(self, name: str) -> bool | None:
        """Whether all of this list (`groups`, `schemes`, `alpn`) is known; None when it was not asked for."""
        asked = [one.complete for one in self.enumerations if one.name == name]
        return all(asked) if asked else None

    def all_unproved(self) -> Iterator[HelloQuery]:
        """Each hello of this protocol that needs a proof."""
        yield from self.unproved
        yield from (one.unproved for one in self.enumerations if one.unproved is not None)

    def keep_proved(self, proved: frozenset[HelloQuery]) -> bool:
        """Make unknown what depends on refusals that are not proved; whether all were proved."""
        all_proved = True
        for one in self.enumerations:
            if one.unproved is not None and one.unproved not in proved:
                all_proved = one.complete = False
        if not proved.issuperset(self.unproved):
            all_proved = self.complete = False
            self.accepted = self.accepted or None
        return all_proved
