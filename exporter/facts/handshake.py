"""Facts of a server from its answers to hellos."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from exporter.model import CipherOrder, Facts, Protocol
from exporter.tls.parameters import POST_QUANTUM_GROUPS
from exporter.tls.suites import BY_ANY_NAME

WEAK_PROTOCOLS = (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1)
"""Deprecated protocols: RFC 6176, RFC 7568, RFC 8996."""

EXTENSIONS, SERVER_NAME, APPLICATIONS, RETRY_REQUEST = "extensions", "server_name", "alpn", "hello_retry_request"
"""Parts of a hello that a server may not tolerate: extensions of TLS 1.2 (status_request, session_ticket, ...), SNI,
unknown application protocols, hellos without a key share (RFC 8446, 4.2.8)."""


@dataclass(frozen=True, slots=True, order=True)
class Prime:
    """The prime of a finite-field key exchange.

    Attributes:
        bits: its length in bits.
        name: name of a well-known prime (`ffdhe2048`, `1024 bits of Apache 2.1.5`); None for another.
    """

    bits: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Names that the server accepts, in the order it chose them, and whether the list is complete."""

    names: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ServedChain:
    """A certificate chain as served in plain text, up to TLS 1.2.

    Attributes:
        key: kind of the leaf's key (`RSA`, `ECDSA P-256`, ...); None when it cannot be read.
        protocols: the protocols it was served in.
        certificates: DER, the leaf first.
        cut: the chain was too long to be read completely.
    """

    key: str | None
    protocols: tuple[Protocol, ...]
    certificates: tuple[bytes, ...]
    cut: bool = False


def to_be_enumerated(facts: Facts) -> Facts:
    """The same facts, which the next scan must not merely confirm.

    For a scan that somebody asks for, who may have changed the server, and for a target that fails: that it no longer
    does shows with the next scan.
    """
    handshake, seen_at = facts.get(HandshakeFacts), facts.seen_at(HandshakeFacts)
    if handshake is None or seen_at is None:
        return facts
    return facts.with_part(replace(handshake, enumerated_at=None), seen_at)


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """What a server accepts; each value is None (or missing) where it is not known.

    Attributes:
        protocols: all six; True accepted, False refused, None not known.
        cipher_suites: accepted protocols -> IANA names in the order the server chose them.
        cipher_suites_incomplete: protocols whose list may lack suites, because an answer about them is not known.
        cipher_order: accepted protocols -> whose order decides; None with fewer than two suites or when not known.
        compression: some protocol accepts TLS compression (CRIME).
        groups: protocols from TLS 1.0 on -> IANA names of key exchange groups; missing where none was seen. Up to TLS
            1.2 only elliptic curves: a finite field is known by its prime.
        group_order: protocols -> whose order of groups decides; None with fewer than two or when not known.
        extensions: name -> whether the server has it in each accepted protocol up to TLS 1.2; None when it does not
            apply or is not known. `encrypt_then_mac` applies where suites in CBC mode are accepted.
        heartbeat: accepted protocols up to TLS 1.2 -> whether the server answered the extension in any answer.
        alpn: application protocols of ALPN, up to TLS 1.2.
        signature_schemes: signature schemes of the key exchange in TLS 1.2.
        dh_primes: primes of finite-field key exchanges, the smallest first.
        unseen_dh_primes: protocols -> accepted suites whose key exchange has a prime that no answer showed.
        plain_chains: each distinct chain served up to TLS 1.2.
        ssl2_certificate: DER, as served in SSL 2, which has no chains; None without SSL 2.
        ignores_supported_groups: the server chose a group that was not offered.
        asked_without: which of the four parts above hellos had to leave out, because the server did not answer with
            them.
        contradictions: what the server answered differently in one scan, as several machines behind one address do.
        hellos: number of connections by their purpose.
        greeting: what the server said before TLS; shown as the software that it names.
        notes: what prevented answers, for a person.
        enumerated_at: when a scan last asked for everything, if a later scan may confirm it in fewer connections; None
            if each scan asks for everything. See `exporter.probes.handshake.rescan`.
    """

    protocols: Mapping[Protocol, bool | None]
    cipher_suites: Mapping[Protocol, tuple[str, ...]]
    cipher_suites_incomplete: frozenset[Protocol]
    cipher_order: Mapping[Protocol, CipherOrder | None]
    compression: bool | None
    groups: Mapping[Protocol, Listing] = field(default_factory=lambda: MappingProxyType({}))
    group_order: Mapping[Protocol, CipherOrder | None] = field(default_factory=lambda: MappingProxyType({}))
    extensions: Mapping[str, bool | None] = field(default_factory=lambda: MappingProxyType({}))
    heartbeat: Mapping[Protocol, bool] = field(default_factory=lambda: MappingProxyType({}))
    alpn: Listing | None = None
    signature_schemes: Listing | None = None
    dh_primes: tuple[Prime, ...] = ()
    unseen_dh_primes: Mapping[Protocol, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    plain_chains: tuple[ServedChain, ...] = ()
    ssl2_certificate: bytes | None = None
    ignores_supported_groups: bool | None = None
    asked_without: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    hellos: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    greeting: str | None = None
    notes: tuple[str, ...] = field(default=())
    enumerated_at: datetime | None = field(default=None, compare=False, repr=False)  # it is about us, not the server

    @property
    def accepted(self) -> tuple[Protocol, ...]:
        """The accepted protocols, oldest first."""
        return tuple(protocol for protocol in Protocol if self.protocols.get(protocol))

    def hides_prime(self, protocol: Protocol, name: str) -> bool:
        """Whether the prime of a suite with a finite field is not known. The prime of static DH is in a certificate."""
        suite = BY_ANY_NAME.get(name)
        return suite is None or suite.agreement == "DH" or name in self.unseen_dh_primes.get(protocol, ())

    @property
    def forward_secrecy(self) -> bool | None:
        """Whether every accepted suite has forward secrecy.

        None when a list may lack suites and all known suites have it.
        """
        names = [name for protocol in self.accepted for name in self.cipher_suites.get(protocol, ())]
        suites = [BY_ANY_NAME.get(name) for name in names]
        if any(suite is not None and not suite.forward_secrecy for suite in suites):
            return False
        unknown = self.cipher_suites_incomplete or any(self.protocols.get(protocol) is None for protocol in Protocol)
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
