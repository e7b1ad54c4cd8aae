"""What is found out of one protocol, before it is told: what is accepted, and on which hellos in doubt that hangs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.model import CipherOrder
from exporter.probes.handshake.exhaust import AnyKind
from exporter.probes.handshake.question import Question


@dataclass(slots=True)
class Reading:
    """What is known of one protocol, if the doubts turn out to be refusals.

    Attributes:
        accepted: None when it is not known.
        suites: accepted ones, in the order of the server's choices.
        complete: there are no others.
        order: whose order decides which suite is taken.
        group_order: whose order decides which group is taken, in TLS 1.3.
        doubts: hellos turned away without a proper refusal, on which the suites hang.
        kinds: groups, signature schemes and application protocols that were asked for, each with its own doubt.
    """

    accepted: bool | None = None
    suites: list[int] = field(default_factory=list)
    complete: bool = True
    order: CipherOrder | None = None
    group_order: CipherOrder | None = None
    doubts: list[Question] = field(default_factory=list)
    kinds: list[AnyKind] = field(default_factory=list)

    def complete_kind(self, name: str) -> bool | None:
        """Whether all of this kind are known; None when it was not asked for."""
        asked = [kind.complete for kind in self.kinds if kind.name == name]
        return all(asked) if asked else None

    def all_doubts(self) -> Iterator[Question]:
        """Every hello of this protocol that is in doubt."""
        yield from self.doubts
        yield from (kind.doubt for kind in self.kinds if kind.doubt is not None)

    def settle(self, refused: frozenset[Question]) -> bool:
        """Keep what hangs on proper or proved refusals alone; whether that is all."""
        settled = True
        for kind in self.kinds:
            if kind.doubt is not None and kind.doubt not in refused:
                settled = kind.complete = False
        if not refused.issuperset(self.doubts):
            settled = self.complete = False
            self.accepted = self.accepted or None
        return settled
