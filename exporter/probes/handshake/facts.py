"""What hellos tell of a server, and how it is shown: metric families, samples, JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exporter.model import CipherOrder, Family, Protocol, Sample
from exporter.probes.handshake.registry import BY_NAME

WEAK_PROTOCOLS = (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1)
"""RFC 6176, RFC 7568, RFC 8996."""


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """Protocols, suites, order and compression, each None (or missing) where it could not be told.

    Attributes:
        protocols: all six; True accepted, False refused, None not known.
        cipher_suites: accepted protocols -> IANA names in the order the server chose them.
        incomplete: protocols whose list may lack suites, since a question about them stayed open.
        cipher_order: accepted protocols -> whose order decides; None with fewer than two suites or when not known.
        compression: TLS compression (CRIME) is accepted in some protocol.
        notes: what stood in the way, for a person.
    """

    protocols: Mapping[Protocol, bool | None]
    cipher_suites: Mapping[Protocol, tuple[str, ...]]
    incomplete: frozenset[Protocol]
    cipher_order: Mapping[Protocol, CipherOrder | None]
    compression: bool | None
    notes: tuple[str, ...] = field(default=())

    @property
    def accepted(self) -> tuple[Protocol, ...]:
        """The accepted protocols, oldest first."""
        return tuple(protocol for protocol in Protocol if self.protocols.get(protocol))

    @property
    def forward_secrecy(self) -> bool | None:
        """Whether every accepted suite has it; None when a list may lack suites and those at hand all have it."""
        names = [name for protocol in self.accepted for name in self.cipher_suites.get(protocol, ())]
        if any(name not in BY_NAME or not BY_NAME[name].forward_secrecy for name in names):
            return False
        unknown = self.incomplete or any(self.protocols.get(protocol) is None for protocol in Protocol)
        listed = all(self.cipher_suites.get(protocol) for protocol in self.accepted)
        return None if unknown or not names or not listed else True


PROTOCOL_ACCEPTED = Family(
    "tls_posture_protocol_accepted", "Whether the server accepts the protocol version (as of the last scan)"
)
WEAK_COUNT = Family(
    "tls_posture_weak_protocols", "How many of SSLv2, SSLv3, TLSv1.0 and TLSv1.1 are accepted (as of the last scan)"
)
SUITES_ACCEPTED = Family(
    "tls_posture_cipher_suites_accepted", "Number of cipher suites the server accepts (as of the last scan)"
)
ORDER_ENFORCED = Family(
    "tls_posture_cipher_order_enforced",
    "Whether the server's cipher suite order decides (1) or the client's does, if only at times (0); "
    "absent with fewer than two suites (as of the last scan)",
)
COMPRESSION = Family(
    "tls_posture_compression_accepted", "Whether the server accepts TLS compression (as of the last scan)"
)
FORWARD_SECRECY = Family(
    "tls_posture_forward_secrecy", "Whether every accepted cipher suite has forward secrecy (as of the last scan)"
)
FAMILIES = (PROTOCOL_ACCEPTED, WEAK_COUNT, SUITES_ACCEPTED, ORDER_ENFORCED, COMPRESSION, FORWARD_SECRECY)


def samples(facts: HandshakeFacts) -> Iterator[Sample]:
    """Samples of what is known; what is not known is absent."""
    for protocol, accepted in facts.protocols.items():
        if accepted is not None:
            yield Sample(PROTOCOL_ACCEPTED, accepted, {"protocol": protocol})
    weak = [facts.protocols.get(protocol) for protocol in WEAK_PROTOCOLS]
    if None not in weak:
        yield Sample(WEAK_COUNT, sum(map(bool, weak)))
    for protocol in facts.accepted:
        if protocol not in facts.incomplete and facts.cipher_suites.get(protocol):  # none at all: not known
            yield Sample(SUITES_ACCEPTED, len(facts.cipher_suites[protocol]), {"protocol": protocol})
    for protocol, order in facts.cipher_order.items():
        if order is not None:
            yield Sample(ORDER_ENFORCED, order is CipherOrder.SERVER, {"protocol": protocol})
    for family, value in ((COMPRESSION, facts.compression), (FORWARD_SECRECY, facts.forward_secrecy)):
        if value is not None:
            yield Sample(family, value)


def document(facts: HandshakeFacts) -> dict[str, object]:
    """Keys of the report's `facts` that this probe fills."""
    return {
        "protocols": {protocol.value: accepted for protocol, accepted in facts.protocols.items()},
        "cipher_suites": {protocol.value: list(names) for protocol, names in facts.cipher_suites.items()},
        "cipher_suites_incomplete": sorted(facts.incomplete),
        "cipher_order": {protocol.value: order for protocol, order in facts.cipher_order.items()},
        "compression": facts.compression,
        "notes": list(facts.notes),
    }
