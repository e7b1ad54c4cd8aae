"""What answers show besides the suite: it comes with each answer and costs no connection.

Two answers of one protocol that cannot both come from one server contradict each other. Then several machines with
different settings are behind the address. What they disagree on is reported as a contradiction.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from exporter.facts.handshake import Prime
from exporter.model import CipherOrder, Protocol
from exporter.pki.keys import CURVES, key_kind
from exporter.probes.handshake.group_order import GroupChoice, group_order
from exporter.probes.handshake.hello import NO_COMPRESSION, Offer
from exporter.probes.handshake.keyexchange import read_key_exchange, tls13_group
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.extensions import (
    ANSWERED,
    APPLICATIONS_NUMBER,
    ENCRYPT_THEN_MAC,
    ENCRYPT_THEN_MAC_NUMBER,
    OCSP_STAPLING,
    RENEGOTIATION_INFO_NUMBER,
    SECURE_RENEGOTIATION,
)
from exporter.tls.parameters import GROUP_NAMES, SCHEMES, for_ecdsa_key, for_rsa_key
from exporter.tls.suites import BY_CODE, for_ecdsa, layout, signed

DOWNGRADE_MARKS = {b"DOWNGRD\x01": Protocol.TLS1_2, b"DOWNGRD\x00": Protocol.TLS1_1}
"""Last bytes of a ServerHello's random -> the newest protocol in which they may occur (RFC 8446, 4.1.3)."""


@dataclass(frozen=True, slots=True)
class ObservedChain:
    """Certificates as served in plain text.

    Attributes:
        key: kind of the leaf's key: `RSA`, `ECDSA P-256`, ...; None when it cannot be read.
        certificates: DER, the leaf first.
        truncated: there are more, which were too many to be read.
    """

    key: str | None
    certificates: tuple[bytes, ...]
    truncated: bool = False


@dataclass(slots=True)
class ProtocolObservations:
    """What the answers of one protocol showed.

    Attributes:
        suites: codes in the order they were first chosen, without those the server could not continue with.
        groups: codes in the order they were first chosen.
        unoffered_groups: codes that were chosen and not offered.
        group_choices: each answer that named a group that was offered.
        schemes: signature schemes in the order they were first chosen.
        extension_answers: extension -> whether it was answered; more than one value is a contradiction.
        primes: of finite-field key exchanges.
        suites_with_prime: codes of the suites that showed one.
        chains: distinct ones, in the order they came.
        leaves: what should decide the certificate -> the leaves served then; more than one is a contradiction.
        downgrade_marks: None for an answer without one.
        accepts_compression: an answer chose a compression method.
    """

    suites: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    unoffered_groups: set[int] = field(default_factory=set)
    group_choices: list[GroupChoice] = field(default_factory=list)
    schemes: list[int] = field(default_factory=list)
    extension_answers: dict[str, set[bool]] = field(default_factory=dict)
    primes: set[Prime] = field(default_factory=set)
    suites_with_prime: set[int] = field(default_factory=set)
    chains: dict[tuple[bytes, ...], ObservedChain] = field(default_factory=dict)
    leaves: dict[tuple[object, ...], set[bytes]] = field(default_factory=dict)
    downgrade_marks: set[Protocol | None] = field(default_factory=set)
    accepts_compression: bool = False

    def add_extension_answer(self, name: str, value: bool) -> None:
        """Add what one answer says of an extension."""
        self.extension_answers.setdefault(name, set()).add(value)


class Observations:
    """What all answers of one server showed.

    Attributes:
        alpn: names of application protocols in the order they were first chosen.
        furthest_read: (attribute of `Offer`, whether TLS 1.3) -> the last place, from 1, of a list from which something
            was chosen.
        ssl2_certificate: DER; SSL 2 has one certificate and no chain.
    """

    def __init__(self) -> None:
        self._by_protocol: dict[Protocol, ProtocolObservations] = {}
        self.alpn: list[str] = []
        self.furthest_read: dict[tuple[str, bool], int] = {}
        self.ssl2_certificate: bytes | None = None

    def of(self, protocol: Protocol) -> ProtocolObservations:
        """What the answers of this protocol showed; empty when there was none."""
        if protocol not in self._by_protocol:
            self._by_protocol[protocol] = ProtocolObservations()
        return self._by_protocol[protocol]

    def add(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        """Add one answer in the protocol that was asked for."""
        seen = self.of(protocol)
        if hello.rest.alert is not None:
            return
        if hello.suite not in seen.suites:
            seen.suites.append(hello.suite)
        if protocol is Protocol.TLS1_3:
            group = tls13_group(hello)
            if group is not None:
                self._add_group(protocol, offer, hello.suite, group)
            return
        seen.accepts_compression |= hello.compression != NO_COMPRESSION
        self._add_extensions(protocol, offer, hello)
        seen.downgrade_marks.add(DOWNGRADE_MARKS.get(hello.random[-8:]))
        self._add_key_exchange(protocol, offer, hello)
        if hello.rest.certificates:
            self._add_chain(protocol, offer, hello)

    def _add_key_exchange(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen, exchange = self.of(protocol), read_key_exchange(hello)
        if exchange is None:
            return
        if exchange.group is not None:
            self._add_group(protocol, offer, hello.suite, exchange.group)
        if exchange.prime is not None:
            seen.primes.add(exchange.prime)
            seen.suites_with_prime.add(hello.suite)
        offered = SCHEMES if offer.schemes is None else offer.schemes
        if exchange.scheme is not None and exchange.scheme in offered:
            self._add_place("schemes", protocol, offered.index(exchange.scheme) + 1)
            if exchange.scheme not in seen.schemes:
                seen.schemes.append(exchange.scheme)

    def _add_chain(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen, served = self.of(protocol), hello.rest.certificates
        if served not in seen.chains:
            seen.chains[served] = ObservedChain(key_kind(served[0]), served, hello.rest.truncated)
        suite = for_ecdsa(hello.suite), layout(hello.suite), signed(hello.suite)
        occasion = (seen.chains[served].key, *suite, _signatures(offer.schemes))
        seen.leaves.setdefault(occasion, set()).add(served[0])

    def _add_group(self, protocol: Protocol, offer: Offer, suite: int, group: int) -> None:
        seen = self.of(protocol)
        if offer.offered_groups and group not in offer.offered_groups:
            seen.unoffered_groups.add(group)
            return
        if group in offer.offered_groups:
            self._add_place("groups", protocol, offer.offered_groups.index(group) + 1)
        if group not in seen.groups:
            seen.groups.append(group)
        seen.group_choices.append(GroupChoice(suite, offer.offered_groups, group))

    def _add_place(self, name: str, protocol: Protocol, place: int) -> None:
        key = name, protocol is Protocol.TLS1_3
        self.furthest_read[key] = max(place, self.furthest_read.get(key, 0))

    def reads_at_least(self, name: str, protocol: Protocol, length: int) -> bool:
        """Whether the server was seen to read that many entries of a list of groups or schemes."""
        return self.furthest_read.get((name, protocol is Protocol.TLS1_3), 0) >= length

    def _add_extensions(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen = self.of(protocol)
        seen.add_extension_answer(SECURE_RENEGOTIATION, RENEGOTIATION_INFO_NUMBER in hello.extensions)
        if protocol is Protocol.SSL3 or not offer.optional_extensions:
            return
        for name, number in ANSWERED.items():
            seen.add_extension_answer(name, number in hello.extensions)
        seen.add_extension_answer(OCSP_STAPLING, hello.rest.stapled)
        suite = BY_CODE.get(hello.suite)
        if suite is not None and suite.cbc:
            seen.add_extension_answer(ENCRYPT_THEN_MAC, ENCRYPT_THEN_MAC_NUMBER in hello.extensions)
        answered = hello.extensions.get(APPLICATIONS_NUMBER, b"")
        chosen = next((name for name in offer.alpn if answered[3:] == name.encode("ascii")), None)
        if chosen is not None and chosen not in self.alpn:
            self.alpn.append(chosen)

    # --- over all protocols -------------------------------------------------------------------------------------------

    def has_extension(self, name: str) -> bool | None:
        """Whether each protocol has the extension; None when none answered, or answers contradict each other."""
        answers = [
            seen.extension_answers[name] for seen in self._by_protocol.values() if name in seen.extension_answers
        ]
        if name == OCSP_STAPLING and any(True in answer for answer in answers):
            return True  # nginx fetches the first response only when it is first asked for one
        if not answers or any(len(answer) > 1 for answer in answers):
            return None
        return all(True in answer for answer in answers)

    def contradictions(self) -> Iterator[str]:
        """What answers of one protocol disagree on, as `PROTOCOL: WHAT`."""
        for protocol, seen in self._by_protocol.items():
            for name, answers in seen.extension_answers.items():
                if len(answers) > 1 and name != OCSP_STAPLING:
                    yield f"{protocol}: {name}"
            if any(len(leaves) > 1 for leaves in seen.leaves.values()):
                yield f"{protocol}: certificate"
            if len(seen.downgrade_marks) > 1:
                yield f"{protocol}: downgrade mark"

    def chains(self) -> Mapping[ObservedChain, tuple[Protocol, ...]]:
        """Distinct chains, and the protocols they were served in."""
        chains: dict[ObservedChain, tuple[Protocol, ...]] = {}
        for protocol, seen in sorted(self._by_protocol.items(), key=lambda item: list(Protocol).index(item[0])):
            for chain in seen.chains.values():
                chains[chain] = (*chains.get(chain, ()), protocol)
        return chains

    def certificate_curves(self) -> tuple[int, ...]:
        """Codes of the curves of the keys in certificates, as far as they are known."""
        kinds = {chain.key for seen in self._by_protocol.values() for chain in seen.chains.values()}
        return tuple(code for kind, code in CERTIFICATE_CURVES.items() if kind in kinds)

    def group_order(self, protocol: Protocol) -> CipherOrder | None:
        """Whose order of groups decides, by the choices seen so far; None where they do not show it."""
        return group_order(self.of(protocol).group_choices)


@lru_cache(maxsize=512)
def _signatures(schemes: tuple[int, ...] | None) -> frozenset[tuple[bool, bool, bool]]:
    """Kinds of signatures that the client accepts. Servers choose by them among certificates for keys of one kind.

    Each kind is ECDSA or not, RSA or not, with SHA-1 or MD5 or not. So a hello that lacks one of many schemes is
    expected to get the same certificate.
    """
    offered = SCHEMES if schemes is None else schemes
    return frozenset((for_ecdsa_key(one), for_rsa_key(one), one >> 8 in {1, 2}) for one in offered)


CERTIFICATE_CURVES = {f"ECDSA {CURVES[name]}": code for code, name in GROUP_NAMES.items() if name in CURVES}
"""Kind of key -> code of its curve as a group."""
