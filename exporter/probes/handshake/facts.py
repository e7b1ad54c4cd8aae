"""What hellos tell of a server, and how it is shown: metric families, samples, JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from exporter.model import CipherOrder, Family, Protocol, Sample
from exporter.probes.handshake.keyexchange import Prime
from exporter.probes.handshake.parameters import POST_QUANTUM_GROUPS
from exporter.probes.handshake.registry import BY_ANY_NAME

WEAK_PROTOCOLS = (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1)
"""RFC 6176, RFC 7568, RFC 8996."""

EXTENSIONS, SERVER_NAME, APPLICATIONS, RETRY_REQUEST = "extensions", "server_name", "alpn", "hello_retry_request"
"""What a server may not stand: extensions of TLS 1.2 (status_request, session_ticket, ...), SNI, application protocols
that it does not know, hellos without a key share (RFC 8446, 4.2.8)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Names that the server accepts, in the order it chose them, and whether there are no others."""

    names: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ServedChain:
    """Certificates as served in plain text, up to TLS 1.2.

    Attributes:
        key: kind of the leaf's key (`RSA`, `ECDSA P-256`, ...); None when it cannot be read.
        protocols: those it was served in.
        certificates: DER, the leaf first.
        cut: there are more, which were too many to be read.
    """

    key: str | None
    protocols: tuple[Protocol, ...]
    certificates: tuple[bytes, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """What a server accepts, each None (or missing) where it could not be told.

    Attributes:
        protocols: all six; True accepted, False refused, None not known.
        cipher_suites: accepted protocols -> IANA names in the order the server chose them.
        incomplete: protocols whose list may lack suites, since a question about them stayed open.
        cipher_order: accepted protocols -> whose order decides; None with fewer than two suites or when not known.
        compression: TLS compression (CRIME) is accepted in some protocol.
        groups: protocols from TLS 1.0 on -> IANA names of key exchange groups; missing where none was seen. Up to
            TLS 1.2 elliptic curves alone: a finite field shows as its prime.
        group_order: protocols -> whose order of groups decides; None with fewer than two or when not known.
        extensions: name -> whether the server has it; None when it does not apply or is not known. Up to TLS 1.2,
            where it must hold in each protocol; `encrypt_then_mac` where suites in CBC mode are accepted.
        heartbeat: accepted protocols up to TLS 1.2 -> whether the server answered the extension in any answer.
        applications: ALPN, up to TLS 1.2.
        signature_schemes: of the key exchange in TLS 1.2.
        primes: of finite-field key exchanges, the smallest first.
        unseen_primes: protocols -> accepted suites whose key exchange has a prime that no answer showed.
        chains: each distinct chain served up to TLS 1.2.
        ssl2_certificate: DER, as served in SSL 2, which has no chains; None without SSL 2.
        ignores_supported_groups: the server chose a group that was not offered.
        asked_without: what hellos had to leave out, of the four above, since with it the server did not answer.
        contradictions: what the server said one thing of and then another, as several machines behind one address do.
        spent: connections by what they were opened for.
        greeting: what the server said of itself before TLS; shown as what it tells of its software.
        notes: what stood in the way, for a person.
    """

    protocols: Mapping[Protocol, bool | None]
    cipher_suites: Mapping[Protocol, tuple[str, ...]]
    incomplete: frozenset[Protocol]
    cipher_order: Mapping[Protocol, CipherOrder | None]
    compression: bool | None
    groups: Mapping[Protocol, Listing] = field(default_factory=lambda: MappingProxyType({}))
    group_order: Mapping[Protocol, CipherOrder | None] = field(default_factory=lambda: MappingProxyType({}))
    extensions: Mapping[str, bool | None] = field(default_factory=lambda: MappingProxyType({}))
    heartbeat: Mapping[Protocol, bool] = field(default_factory=lambda: MappingProxyType({}))
    applications: Listing | None = None
    signature_schemes: Listing | None = None
    primes: tuple[Prime, ...] = ()
    unseen_primes: Mapping[Protocol, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    chains: tuple[ServedChain, ...] = ()
    ssl2_certificate: bytes | None = None
    ignores_supported_groups: bool | None = None
    asked_without: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    spent: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    greeting: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def accepted(self) -> tuple[Protocol, ...]:
        """The accepted protocols, oldest first."""
        return tuple(protocol for protocol in Protocol if self.protocols.get(protocol))

    def hides_prime(self, protocol: Protocol, name: str) -> bool:
        """Whether the prime of a suite with a finite field is not known; that of static DH is in a certificate."""
        suite = BY_ANY_NAME.get(name)
        return suite is None or suite.agreement == "DH" or name in self.unseen_primes.get(protocol, ())

    @property
    def forward_secrecy(self) -> bool | None:
        """Whether every accepted suite has it; None when a list may lack suites and those at hand all have it."""
        names = [name for protocol in self.accepted for name in self.cipher_suites.get(protocol, ())]
        suites = [BY_ANY_NAME.get(name) for name in names]
        if any(suite is not None and not suite.forward_secrecy for suite in suites):
            return False
        unknown = self.incomplete or any(self.protocols.get(protocol) is None for protocol in Protocol)
        listed = None not in suites and all(self.cipher_suites.get(protocol) for protocol in self.accepted)
        return None if unknown or not names or not listed else True

    @property
    def post_quantum(self) -> bool | None:
        """Whether a hybrid or pure ML-KEM group is accepted, which only TLS 1.3 has."""
        listing = self.groups.get(Protocol.TLS1_3)
        if listing is not None and POST_QUANTUM_GROUPS.intersection(listing.names):
            return True
        refused = self.protocols.get(Protocol.TLS1_3) is False
        return False if refused or (listing is not None and listing.complete) else None


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
GROUP_ACCEPTED = Family(
    "tls_posture_key_exchange_group_accepted",
    "1 for each key exchange group the server accepts in some protocol (as of the last scan)",
)
GROUP_ORDER_ENFORCED = Family(
    "tls_posture_key_exchange_group_order_enforced",
    "Whether the server's order of key exchange groups decides (1) or the client's does, if only at times (0); "
    "absent with fewer than two groups (as of the last scan)",
)
POST_QUANTUM = Family(
    "tls_posture_post_quantum_key_exchange",
    "Whether a hybrid or pure ML-KEM key exchange group is accepted (as of the last scan)",
)
DH_PRIME_BITS = Family(
    "tls_posture_dh_prime_bits",
    "Size of the smallest prime in a finite-field key exchange; absent without one (as of the last scan)",
)
EXTENSION = Family(
    "tls_posture_extension_supported",
    "Whether the server has what the extension is for, in every protocol up to TLS 1.2 (as of the last scan)",
)
CONTRADICTORY = Family(
    "tls_posture_contradictory_answers",
    "Whether answers within the scan contradict each other, as those of machines with different settings behind one "
    "address do (as of the last scan)",
)
FULL = (GROUP_ACCEPTED, GROUP_ORDER_ENFORCED, DH_PRIME_BITS, EXTENSION, CONTRADICTORY)
"""Families of the full detail."""
FAMILIES = (
    *(PROTOCOL_ACCEPTED, WEAK_COUNT, SUITES_ACCEPTED, ORDER_ENFORCED, COMPRESSION, FORWARD_SECRECY),
    *(GROUP_ACCEPTED, GROUP_ORDER_ENFORCED, POST_QUANTUM, DH_PRIME_BITS, EXTENSION, CONTRADICTORY),
)


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
    yield from _order_samples(ORDER_ENFORCED, facts.cipher_order)
    yield from _order_samples(GROUP_ORDER_ENFORCED, facts.group_order)
    for group in dict.fromkeys(name for listing in facts.groups.values() for name in listing.names):
        yield Sample(GROUP_ACCEPTED, 1, {"group": group})
    for extension, supported in facts.extensions.items():
        if supported is not None:
            yield Sample(EXTENSION, supported, {"extension": extension})
    verdicts = {
        COMPRESSION: facts.compression,
        FORWARD_SECRECY: facts.forward_secrecy,
        POST_QUANTUM: facts.post_quantum,
        DH_PRIME_BITS: facts.primes[0].bits if facts.primes else None,
        CONTRADICTORY: bool(facts.contradictions),
    }
    yield from (Sample(family, value) for family, value in verdicts.items() if value is not None)


def _order_samples(family: Family, orders: Mapping[Protocol, CipherOrder | None]) -> Iterator[Sample]:
    for protocol, order in orders.items():
        if order is not None:
            yield Sample(family, order is CipherOrder.SERVER, {"protocol": protocol})


def document(facts: HandshakeFacts) -> dict[str, object]:
    """Keys of the report's `facts` that this probe fills."""
    return {
        "protocols": {protocol.value: accepted for protocol, accepted in facts.protocols.items()},
        "cipher_suites": {protocol.value: list(names) for protocol, names in facts.cipher_suites.items()},
        "cipher_suites_incomplete": sorted(facts.incomplete),
        "cipher_order": {protocol.value: order for protocol, order in facts.cipher_order.items()},
        "compression": facts.compression,
        "groups": {protocol.value: list(listing.names) for protocol, listing in facts.groups.items()},
        "groups_incomplete": sorted(protocol for protocol, listing in facts.groups.items() if not listing.complete),
        "group_order": {protocol.value: order for protocol, order in facts.group_order.items()},
        "ignores_supported_groups": facts.ignores_supported_groups,
        "dh_primes": [{"bits": prime.bits, "name": prime.name} for prime in facts.primes],
        "extensions": dict(facts.extensions),
        "alpn": _listing(facts.applications),
        "signature_schemes": _listing(facts.signature_schemes),
        "plain_chains": [
            {
                "key": chain.key,
                "protocols": list(chain.protocols),
                "sha256": [sha256(certificate).hexdigest() for certificate in chain.certificates],
            }
            for chain in facts.chains
        ],
        "contradictions": list(facts.contradictions),
        "hellos": dict(facts.spent),
        "notes": list(facts.notes),
    }


def _listing(listing: Listing | None) -> dict[str, object] | None:
    return None if listing is None else {"names": list(listing.names), "complete": listing.complete}
