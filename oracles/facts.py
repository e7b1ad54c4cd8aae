"""The facts that a scanner reports about a server, in one form for all scanners."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL = "all"
"""Used instead of a protocol if a scanner has one verdict for all protocols."""


class ReportError(Exception):
    """A scanner gave no report that can be compared."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a scanner reported. What it did not report is absent.

    Attributes:
        protocols: whether each is accepted.
        suites: IANA names by protocol, only of protocols with suites.
        orders: whose order decides, by protocol, or under `all` if there is one verdict for all protocols.
        compression: whether TLS compression is accepted; None if not reported.
        groups: IANA names of the groups of the key exchange, by protocol or under `all`.
        signatures: IANA names of the schemes that the server signs the handshake with, by protocol.
        extensions: what is supported, under the names of our own facts.
        alpn: application protocols, of those that the scanner asks for.
        dh_bits: lengths of the primes of finite-field key exchanges, up to TLS 1.2.
        unknown: `(fact, place)` of tests without a result; read from the report of ours only.
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
        """Number of suites, summed over all protocols."""
        return sum(map(len, self.suites.values()))
