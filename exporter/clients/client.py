"""One TLS client: what its ClientHello offers, and what it refuses of a server's choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exporter.model import Protocol


class ClientKind(StrEnum):
    """The kind of a client, for people."""

    SYSTEM = "system"
    BROWSER = "browser"
    MAIL = "mail"
    LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class Source:
    """The source of facts about clients.

    Attributes:
        date: when they were read or captured (UTC).
    """

    name: str
    date: datetime
    text: str


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client refuses although it offered it, which its hello does not show. None means no known limit.

    Attributes:
        min_dh_bits, max_dh_bits: limits on the prime of a finite-field key exchange.
        min_rsa_bits: limit on RSA keys in certificates.
        refuses_sha1: refuses signatures with SHA-1 (or MD5 and SHA-1) over the key exchange, as used before TLS 1.2.
        wants_secure_renegotiation: refuses a server without RFC 5746.
    """

    min_dh_bits: int | None = None
    max_dh_bits: int | None = None
    min_rsa_bits: int | None = None
    refuses_sha1: bool = False
    wants_secure_renegotiation: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """One client. Codes are IANA's, in the client's order of preference, without GREASE and signals.

    Attributes:
        current: this release, or a newer one that offers the same, still gets security fixes.
        source: where the information is from.
        how: how it was captured; empty if the source is enough.
        protocols: accepted versions, oldest first.
        groups: None if it sends no supported_groups.
        shares: groups of its TLS 1.3 key shares; None if unknown.
        schemes: None if it sends no signature_algorithms.
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
    """All known clients by id, in the order in which they are shown.

    Attributes:
        as_of: when the table was last reviewed (UTC).
    """

    as_of: datetime
    clients: Mapping[str, Client]
