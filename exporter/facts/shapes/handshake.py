"""How handshake facts are shown: metric families, samples, JSON."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated

from typing_extensions import TypedDict

from exporter.facts.form import Key
from exporter.facts.handshake import WEAK_PROTOCOLS, HandshakeFacts, Listing
from exporter.facts.shape import Shape
from exporter.model import PROTOCOL_LABEL, CipherOrder, Family, Label, Protocol, Sample, Unit
from exporter.tls.extensions import FLAGS

PROTOCOL_ACCEPTED = Family(
    "tls_posture_protocol_accepted",
    "Whether the server accepts the protocol version (as of the last scan)",
    Unit.FLAG,
    "for a protocol of which it is not known",
    labels=(PROTOCOL_LABEL,),
)

WEAK_COUNT = Family(
    "tls_posture_weak_protocols",
    "How many of SSLv2, SSLv3, TLSv1.0 and TLSv1.1 are accepted (as of the last scan)",
    Unit.COUNT,
    "when it is not known of one of the four",
    example=2,
)

SUITES_ACCEPTED = Family(
    "tls_posture_cipher_suites_accepted",
    "Number of cipher suites the server accepts (as of the last scan)",
    Unit.COUNT,
    "for a protocol that is refused, or whose list may lack suites",
    labels=(PROTOCOL_LABEL,),
    example=8,
)

ORDER_ENFORCED = Family(
    "tls_posture_cipher_order_enforced",
    "Whether the server's cipher suite order decides (1) or the client's does, if only at times (0); "
    "absent with fewer than two suites (as of the last scan)",
    Unit.FLAG,
    "for a protocol with fewer than two suites, and when it is not known",
    labels=(PROTOCOL_LABEL,),
)

COMPRESSION = Family(
    "tls_posture_compression_accepted",
    "Whether the server accepts TLS compression (as of the last scan)",
    Unit.FLAG,
    "when it is not known",
    example=0,
)

FORWARD_SECRECY = Family(
    "tls_posture_forward_secrecy",
    "Whether every accepted cipher suite has forward secrecy (as of the last scan)",
    Unit.FLAG,
    "when all known suites have it and others may be accepted",
)

GROUP_ACCEPTED = Family(
    "tls_posture_key_exchange_group_accepted",
    "1 for each key exchange group the server accepts in some protocol (as of the last scan)",
    Unit.ONE,
    "for a group that is refused, or of which it is not known",
    labels=(Label("group", "IANA name of the group", example="x25519"),),
)

GROUP_ORDER_ENFORCED = Family(
    "tls_posture_key_exchange_group_order_enforced",
    "Whether the server's order of key exchange groups decides (1) or the client's does, if only at times (0); "
    "absent with fewer than two groups (as of the last scan)",
    Unit.FLAG,
    "for a protocol with fewer than two groups, and when it is not known",
    labels=(PROTOCOL_LABEL,),
)

POST_QUANTUM = Family(
    "tls_posture_post_quantum_key_exchange",
    "Whether a hybrid or pure ML-KEM key exchange group is accepted (as of the last scan)",
    Unit.FLAG,
    "when TLS 1.3 may be accepted, and not all of its groups are known",
)

DH_PRIME_BITS = Family(
    "tls_posture_dh_prime_bits",
    "Size of the smallest prime in a finite-field key exchange; absent without one (as of the last scan)",
    Unit.BITS,
    "when no prime was seen",
    example=2048,
)

EXTENSION = Family(
    "tls_posture_extension_supported",
    "Whether the server has what the extension is for, in every protocol up to TLS 1.2 (as of the last scan)",
    Unit.FLAG,
    "when the extension does not apply, or it is not known",
    labels=(Label("extension", "name of the extension", FLAGS, FLAGS[0]),),
)

CONTRADICTORY = Family(
    "tls_posture_contradictory_answers",
    "Whether answers within the scan contradict each other, as those of machines with different settings behind one "
    "address do (as of the last scan)",
    Unit.FLAG,
    "when the handshake probe could not tell anything",
    example=0,
)

FULL = (GROUP_ACCEPTED, GROUP_ORDER_ENFORCED, DH_PRIME_BITS, EXTENSION, CONTRADICTORY)
"""Families of the full detail."""

FAMILIES = (
    *(PROTOCOL_ACCEPTED, WEAK_COUNT, SUITES_ACCEPTED, ORDER_ENFORCED, COMPRESSION, FORWARD_SECRECY),
    *(GROUP_ACCEPTED, GROUP_ORDER_ENFORCED, POST_QUANTUM, DH_PRIME_BITS, EXTENSION, CONTRADICTORY),
)


def samples(facts: HandshakeFacts) -> Iterator[Sample]:
    """Samples of what is known; what is unknown is absent."""
    for protocol, accepted in facts.protocols.items():
        if accepted is not None:
            yield Sample(PROTOCOL_ACCEPTED, accepted, {"protocol": protocol})
    weak = [facts.protocols.get(protocol) for protocol in WEAK_PROTOCOLS]
    if None not in weak:
        yield Sample(WEAK_COUNT, sum(map(bool, weak)))
    for protocol in facts.accepted:
        suites = facts.cipher_suites.get(protocol)
        if suites and protocol not in facts.cipher_suites_incomplete:  # an empty list: not known
            yield Sample(SUITES_ACCEPTED, len(suites), {"protocol": protocol})
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
        DH_PRIME_BITS: facts.dh_primes[0].bits if facts.dh_primes else None,
        CONTRADICTORY: bool(facts.contradictions),
    }
    yield from (Sample(family, value) for family, value in verdicts.items() if value is not None)


def _order_samples(family: Family, orders: Mapping[Protocol, CipherOrder | None]) -> Iterator[Sample]:
    for protocol, order in orders.items():
        if order is not None:
            yield Sample(family, order is CipherOrder.SERVER, {"protocol": protocol})


class ListingForm(TypedDict):
    """Names that the server accepts, in the order it chose them."""

    names: Annotated[list[str], Key("IANA names", complete="complete")]
    complete: Annotated[bool, Key("there are no others", compared=False)]


class PrimeForm(TypedDict):
    """The prime of a finite-field key exchange."""

    bits: Annotated[int, Key("its size")]
    name: Annotated[str | None, Key("whose common prime it is")]


class ChainForm(TypedDict):
    """A chain of certificates."""

    key: Annotated[str | None, Key("kind of the first one's key")]
    protocols: Annotated[list[str], Key("those it was served in")]
    sha256: Annotated[list[str], Key("fingerprints, the leaf first")]


class HandshakeKeys(TypedDict):
    """What is known from handshakes."""

    protocols: Annotated[dict[str, bool | None], Key("protocol -> accepted, null when not known")]
    cipher_suites: Annotated[
        dict[str, list[str]],  # an accepted protocol has at least one suite
        Key("protocol -> IANA names in the order found", incomplete="cipher_suites_incomplete", never_empty=True),
    ]
    cipher_suites_incomplete: Annotated[list[str], Key("protocols whose list may lack suites", compared=False)]
    cipher_order: Annotated[
        dict[str, CipherOrder | None],
        Key("protocol -> whose order of suites decides; null with fewer than two, or when not known"),
    ]
    compression: Annotated[bool | None, Key("TLS compression is accepted in some protocol")]
    groups: Annotated[
        dict[str, list[str]],
        Key(
            "protocol -> IANA names of key exchange groups in the order found; up to TLS 1.2 curves alone",
            incomplete="groups_incomplete",
        ),
    ]
    groups_incomplete: Annotated[list[str], Key("protocols whose groups may lack some", compared=False)]
    group_order: Annotated[
        dict[str, CipherOrder | None],
        Key("protocol -> whose order of groups decides; null with fewer than two, or when not known"),
    ]
    ignores_supported_groups: Annotated[bool | None, Key("the server chose a group that was not offered")]
    # These two are seen in passing: the lists may be incomplete.
    dh_primes: Annotated[list[PrimeForm], Key("of finite-field key exchanges up to TLS 1.2", compared=False)]
    extensions: Annotated[dict[str, bool | None], Key("what the server has, in every protocol up to TLS 1.2")]
    alpn: Annotated[ListingForm | None, Key("application protocols, up to TLS 1.2")]
    signature_schemes: Annotated[ListingForm | None, Key("of the key exchange in TLS 1.2")]
    plain_chains: Annotated[list[ChainForm], Key("certificates as served up to TLS 1.2", compared=False)]
    # Problems and cost of one scan.
    contradictions: Annotated[list[str], Key("what the server said one thing of and then another", compared=False)]
    hellos: Annotated[
        dict[str, int], Key("connections of the handshake probe by what they were opened for", compared=False)
    ]
    notes: Annotated[list[str], Key("what stood in the way of the handshake probe", compared=False)]
    enumerated_at: Annotated[
        datetime | None,
        Key(
            "when a scan last asked for everything; later scans confirmed it in fewer connections; null when each "
            "scan asks for everything",
            compared=False,
        ),
    ]


def document(facts: HandshakeFacts) -> HandshakeKeys:
    """The keys of the report's `facts` that this probe fills."""
    return {
        "protocols": {protocol.value: accepted for protocol, accepted in facts.protocols.items()},
        "cipher_suites": {protocol.value: list(names) for protocol, names in facts.cipher_suites.items()},
        "cipher_suites_incomplete": sorted(facts.cipher_suites_incomplete),
        "cipher_order": {protocol.value: order for protocol, order in facts.cipher_order.items()},
        "compression": facts.compression,
        "groups": {protocol.value: list(listing.names) for protocol, listing in facts.groups.items()},
        "groups_incomplete": sorted(protocol for protocol, listing in facts.groups.items() if not listing.complete),
        "group_order": {protocol.value: order for protocol, order in facts.group_order.items()},
        "ignores_supported_groups": facts.ignores_supported_groups,
        "dh_primes": [{"bits": prime.bits, "name": prime.name} for prime in facts.dh_primes],
        "extensions": dict(facts.extensions),
        "alpn": _listing(facts.alpn),
        "signature_schemes": _listing(facts.signature_schemes),
        "plain_chains": [
            {
                "key": chain.key,
                "protocols": list(chain.protocols),
                "sha256": [sha256(certificate).hexdigest() for certificate in chain.certificates],
            }
            for chain in facts.plain_chains
        ],
        "contradictions": list(facts.contradictions),
        "hellos": dict(facts.hellos),
        "notes": list(facts.notes),
        "enumerated_at": facts.enumerated_at,
    }


def _listing(listing: Listing | None) -> ListingForm | None:
    return None if listing is None else {"names": list(listing.names), "complete": listing.complete}


SHAPE = Shape(HandshakeFacts, HandshakeKeys, document, FAMILIES, FULL, samples, "Protocols and cipher suites")
