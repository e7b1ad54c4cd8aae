"""What is known of one TLS client: what its ClientHello offers, and what it refuses of what a server chooses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exporter.model import Protocol


class ClientKind(StrEnum):
    """What a client is, for people."""

    SYSTEM = "system"
    BROWSER = "browser"
    MAIL = "mail"
    LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts about clients are from.

    Attributes:
        date: when they were read or captured (UTC).
    """

    name: str
    date: datetime
    text: str


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client refuses though it offered it; a hello does not show that. None is no limit that is known.

    Attributes:
        min_dh_bits, max_dh_bits: of the prime in a finite-field key exchange.
        min_rsa_bits: of RSA keys in certificates.
        refuses_sha1: signatures with SHA-1 (or MD5 and SHA-1) over the key exchange, as they are before TLS 1.2.
        wants_secure_renegotiation: a server without RFC 5746.
    """

    min_dh_bits: int | None = None
    max_dh_bits: int | None = None
    min_rsa_bits: int | None = None
    refuses_sha1: bool = False
    wants_secure_renegotiation: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """One client. Codes are IANA's, in its order of preference, without GREASE and signals.

    Attributes:
        current: it, or a newer release that offers the same, still gets security fixes.
        source: where this is from.
        how: what it was captured with; empty where the source says it all.
        protocols: those it takes, oldest first.
        groups: None where it sends no supported_groups.
        shares: groups it sends TLS 1.3 key shares for; None where that is not known.
        schemes: None where it sends no signature_algorithms.
    """

    id: str
    name: str
    kind: ClientKind
    current: bool
    source: Source
    how: str
    protocols: tuple[Protocol, ...]
    sends_sni: bool
    suites: tuple[int, ...]
    groups: tuple[int, ...] | None = None
    shares: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    limits: ClientLimits = ClientLimits()


@dataclass(frozen=True, slots=True)
class ClientTable:
    """All clients that are known, by id, in the order they are shown.

    Attributes:
        as_of: when the table was last gone through (UTC).
    """

    as_of: datetime
    clients: Mapping[str, Client]
