"""What a scanner says of a server, in one form for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL = "all"
"""In place of a protocol where a scanner gives one word for all of them."""


class ReportError(Exception):
    """A scanner gave no report that can be compared."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a scanner told; what it did not tell is absent.

    Attributes:
        protocols: accepted or refused.
        suites: IANA names by protocol, of protocols with any.
        orders: whose order decides, by protocol; under `all` where one verdict is given for all of them.
        compression: TLS compression is accepted; None when not told.
        groups: IANA names of the groups of the key exchange, by protocol or under `all`.
        signatures: IANA names of the schemes that the server signs the handshake with, by protocol.
        extensions: what is supported, under the names of our own facts.
        alpn: application protocols, of those that the scanner asks for.
        dh_bits: lengths of the primes of finite-field key exchanges, up to TLS 1.2.
        unknown: `(fact, place)` of what was asked and could not be told; read from ours alone.
    """

    protocols: Mapping[str, bool] = field(default_factory=dict)
    suites: Mapping[str, frozenset[str]] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    compression: bool | None = None
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    signatures: Mapping[str, frozenset[str]] = field(default_factory=dict)
    extensions: Mapping[str, bool] = field(default_factory=dict)
    alpn: frozenset[str] | None = None
    dh_bits: frozenset[int] | None = None
    unknown: frozenset[tuple[str, str]] = frozenset()

    @property
    def suite_count(self) -> int:
        """Suites over all protocols."""
        return sum(map(len, self.suites.values()))
