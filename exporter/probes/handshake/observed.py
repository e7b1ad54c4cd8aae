"""What answers tell beside the suite: it comes with every hello and costs no connection.

Two answers of one protocol that cannot both be this server's contradict each other: then several machines with
different settings stand behind the address, and what they disagree on is told as such and not averaged.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.facts.handshake import Prime
from exporter.model import CipherOrder, Protocol
from exporter.pki.keys import CURVES, key_kind
from exporter.probes.handshake.hello import NO_COMPRESSION, Offer
from exporter.probes.handshake.keyexchange import read_key_exchange
from exporter.probes.handshake.server_hello import ServerHello
from exporter.tls.extensions import (
    ANSWERED,
    APPLICATIONS_NUMBER,
    ENCRYPT_THEN_MAC,
    ENCRYPT_THEN_MAC_NUMBER,
    KEY_SHARE_NUMBER,
    OCSP_STAPLING,
    RENEGOTIATION_INFO_NUMBER,
    SECURE_RENEGOTIATION,
)
from exporter.tls.parameters import GROUP_NAMES, SCHEMES, for_ecdsa_key, for_rsa_key
from exporter.tls.suites import BY_CODE, for_ecdsa, layout, signed

DOWNGRADE_MARKS = {b"DOWNGRD\x01": Protocol.TLS1_2, b"DOWNGRD\x00": Protocol.TLS1_1}
"""End of a ServerHello's random, and the newest protocol it may stand in (RFC 8446, 4.1.3)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates as served in plain text.

    Attributes:
        key: kind of the leaf's key: `RSA`, `ECDSA P-256`, ...; None when it cannot be read.
        certificates: DER, the leaf first.
        cut: there are more, which were too many to be read.
    """

    key: str | None
    certificates: tuple[bytes, ...]
    cut: bool = False


class Choice(NamedTuple):
    """One choice of a group."""

    suite: int
    offered: tuple[int, ...]
    chosen: int


@dataclass(slots=True)
class Seen:
    """What the answers of one protocol told.

    Attributes:
        suites: codes in the order they were first chosen, save those that the server could not go on with.
        groups: codes in the order they were first chosen.
        other_groups: codes that were chosen and not offered.
        choices: every answer that named a group that was offered.
        schemes: signature schemes in the order they were first chosen.
        flags: extension -> its answers, of which there should be one.
        primes: of finite-field key exchanges.
        prime_suites: codes of the suites that showed one.
        chains: distinct ones, in the order they came.
        leaves: what should decide the certificate -> the leaves that were served then, of which there should be one.
        marks: downgrade marks, None for an answer without one.
        compresses: it took compression.
    """

    suites: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    other_groups: set[int] = field(default_factory=set)
    choices: list[Choice] = field(default_factory=list)
    schemes: list[int] = field(default_factory=list)
    flags: dict[str, set[bool]] = field(default_factory=dict)
    primes: set[Prime] = field(default_factory=set)
    prime_suites: set[int] = field(default_factory=set)
    chains: dict[tuple[bytes, ...], Chain] = field(default_factory=dict)
    leaves: dict[tuple[object, ...], set[bytes]] = field(default_factory=dict)
    marks: set[Protocol | None] = field(default_factory=set)
    compresses: bool = False

    def flag(self, name: str, value: bool) -> None:
        """Note what one answer says of an extension."""
        self.flags.setdefault(name, set()).add(value)


class Observed:
    """What all answers of one server told.

    Attributes:
        applications: ALPN names in the order they were first chosen.
        reach: (attribute of `Offer`, whether TLS 1.3) -> the furthest place of a list from which something was chosen.
        ssl2_certificate: DER; SSL 2 has one and no chain.
    """

    def __init__(self) -> None:
        self._seen: dict[Protocol, Seen] = {}
        self.applications: list[str] = []
        self.reach: dict[tuple[str, bool], int] = {}
        self.ssl2_certificate: bytes | None = None

    def of(self, protocol: Protocol) -> Seen:
        """What the answers of this protocol told; empty when there was none."""
        if protocol not in self._seen:
            self._seen[protocol] = Seen()
        return self._seen[protocol]

    def learn(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        """Take in one answer in the protocol that was asked for."""
        seen = self.of(protocol)
        if hello.rest.alert is not None:
            return
        if hello.suite not in seen.suites:
            seen.suites.append(hello.suite)
        if protocol is Protocol.TLS1_3:
            group = tls13_group(hello)
            if group is not None:
                self._learn_group(protocol, offer, hello.suite, group)
            return
        seen.compresses |= hello.compression != NO_COMPRESSION
        self._learn_extensions(protocol, offer, hello)
        seen.marks.add(DOWNGRADE_MARKS.get(hello.random[-8:]))
        self._learn_key_exchange(protocol, offer, hello)
        if hello.rest.certificates:
            self._learn_chain(protocol, offer, hello)

    def _learn_key_exchange(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen, exchange = self.of(protocol), read_key_exchange(hello)
        if exchange is None:
            return
        if exchange.group is not None:
            self._learn_group(protocol, offer, hello.suite, exchange.group)
        if exchange.prime is not None:
            seen.primes.add(exchange.prime)
            seen.prime_suites.add(hello.suite)
        offered = SCHEMES if offer.schemes is None else offer.schemes
        if exchange.scheme is not None and exchange.scheme in offered:
            self._reaches("schemes", protocol, offered.index(exchange.scheme) + 1)
            if exchange.scheme not in seen.schemes:
                seen.schemes.append(exchange.scheme)

    def _learn_chain(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen, served = self.of(protocol), hello.rest.certificates
        if served not in seen.chains:
            seen.chains[served] = Chain(key_kind(served[0]), served, hello.rest.cut)
        suite = for_ecdsa(hello.suite), layout(hello.suite), signed(hello.suite)
        occasion = (seen.chains[served].key, *suite, _signatures(offer))
        seen.leaves.setdefault(occasion, set()).add(served[0])

    def _learn_group(self, protocol: Protocol, offer: Offer, suite: int, group: int) -> None:
        seen = self.of(protocol)
        if offer.offered_groups and group not in offer.offered_groups:
            seen.other_groups.add(group)
            return
        if group in offer.offered_groups:
            self._reaches("groups", protocol, offer.offered_groups.index(group) + 1)
        if group not in seen.groups:
            seen.groups.append(group)
        seen.choices.append(Choice(suite, offer.offered_groups, group))

    def _reaches(self, name: str, protocol: Protocol, place: int) -> None:
        key = name, protocol is Protocol.TLS1_3
        self.reach[key] = max(place, self.reach.get(key, 0))

    def reads(self, name: str, protocol: Protocol, length: int) -> bool:
        """Whether the server was seen to read that many groups or schemes of a list."""
        return self.reach.get((name, protocol is Protocol.TLS1_3), 0) >= length

    def _learn_extensions(self, protocol: Protocol, offer: Offer, hello: ServerHello) -> None:
        seen = self.of(protocol)
        seen.flag(SECURE_RENEGOTIATION, RENEGOTIATION_INFO_NUMBER in hello.extensions)
        if protocol is Protocol.SSL3 or not offer.extras:
            return
        for name, number in ANSWERED.items():
            seen.flag(name, number in hello.extensions)
        seen.flag(OCSP_STAPLING, hello.rest.stapled)
        suite = BY_CODE.get(hello.suite)
        if suite is not None and suite.cbc:
            seen.flag(ENCRYPT_THEN_MAC, ENCRYPT_THEN_MAC_NUMBER in hello.extensions)
        answered = hello.extensions.get(APPLICATIONS_NUMBER, b"")
        chosen = next((name for name in offer.applications if answered[3:] == name.encode("ascii")), None)
        if chosen is not None and chosen not in self.applications:
            self.applications.append(chosen)

    # --- the sum ------------------------------------------------------------------------------------------------------

    def flag(self, name: str) -> bool | None:
        """What holds in every protocol; None when nothing was answered, or answers contradict each other."""
        answers = [seen.flags[name] for seen in self._seen.values() if name in seen.flags]
        if name == OCSP_STAPLING and any(True in answer for answer in answers):
            return True  # servers fetch the first response when they are first asked for it (nginx)
        if not answers or any(len(answer) > 1 for answer in answers):
            return None
        return all(True in answer for answer in answers)

    def contradictions(self) -> Iterator[str]:
        """What answers of one protocol contradict each other on."""
        for protocol, seen in self._seen.items():
            for name, answers in seen.flags.items():
                if len(answers) > 1 and name != OCSP_STAPLING:
                    yield f"{protocol}: {name}"
            if any(len(alike) > 1 for alike in seen.leaves.values()):
                yield f"{protocol}: certificate"
            if len(seen.marks) > 1:
                yield f"{protocol}: downgrade mark"

    def chains(self) -> Mapping[Chain, tuple[Protocol, ...]]:
        """Distinct chains, and the protocols they were served in."""
        chains: dict[Chain, tuple[Protocol, ...]] = {}
        for protocol, seen in sorted(self._seen.items(), key=lambda item: list(Protocol).index(item[0])):
            for chain in seen.chains.values():
                chains[chain] = (*chains.get(chain, ()), protocol)
        return chains

    def certificate_curves(self) -> tuple[int, ...]:
        """Groups that keys in certificates lie on, as far as they are known."""
        kinds = {chain.key for seen in self._seen.values() for chain in seen.chains.values()}
        return tuple(code for kind, code in CERTIFICATE_CURVES.items() if kind in kinds)

    def group_order(self, protocol: Protocol) -> CipherOrder | None:
        """Whose order decides the group, by the choices at hand; None where they do not tell."""
        return group_order(self.of(protocol).choices)


def _signatures(offer: Offer) -> frozenset[tuple[bool, bool, bool]]:
    """Kinds of signatures that the client takes, by which servers choose among certificates for like keys.

    Each is ECDSA or not, RSA or not, with SHA-1 or MD5 or not: a hello that lacks one of many schemes chooses no other.
    """
    schemes = SCHEMES if offer.schemes is None else offer.schemes
    return frozenset((for_ecdsa_key(one), for_rsa_key(one), one >> 8 in {1, 2}) for one in schemes)


def tls13_group(hello: ServerHello) -> int | None:
    """The group that an answer in TLS 1.3 names; None for a HelloRetryRequest that only brings a cookie."""
    share = hello.extensions.get(KEY_SHARE_NUMBER, b"")
    return int.from_bytes(share[:2], "big") if len(share) >= 2 else None


def group_order(choices: Sequence[Choice]) -> CipherOrder | None:
    """Whose order decides, from the groups offered and the one chosen, answer by answer.

    The server's favourite is what it chose from the first offer. That it takes it although the client would rather
    have had another speaks for the server's order, that it takes another which the client put in front for the
    client's. All answers together can only speak for the server: some choose the group by the suite (Schannel), and
    whatever else they say is looked for suite by suite. None when nothing speaks for either.
    """
    accepted = {choice.chosen for choice in choices}
    if _judge(choices, accepted) == {CipherOrder.SERVER}:
        return CipherOrder.SERVER
    by_suite = (_judge([c for c in choices if c.suite == suite], accepted) for suite in {c.suite for c in choices})
    verdicts = set[CipherOrder]().union(*by_suite)
    return (verdicts.pop() if len(verdicts) == 1 else CipherOrder.MIXED) if verdicts else None


def _judge(choices: Sequence[Choice], accepted: Collection[int]) -> set[CipherOrder]:
    verdicts = set()
    for _, offered, chosen in choices:
        favourite = choices[0].chosen
        common = [group for group in offered if group in accepted]
        if len(common) < 2 or favourite not in common or common[0] == favourite:
            continue
        if chosen == favourite:
            verdicts.add(CipherOrder.SERVER)
        else:
            verdicts.add(CipherOrder.CLIENT if chosen == common[0] else CipherOrder.MIXED)
    return verdicts


CERTIFICATE_CURVES = {f"ECDSA {CURVES[name]}": code for code, name in GROUP_NAMES.items() if name in CURVES}
"""Kind of key -> code of its curve as a group."""
