"""What one hello asks for."""

from dataclasses import dataclass

from exporter.model import Protocol

SUITES, GROUPS, ALPN, FALLBACK = "cipher_suites", "groups", "alpn", "fallback_scsv"
SIGNATURES = "signature_schemes"
"""Purposes of hellos. Protocols and compression are found with the suites."""


@dataclass(frozen=True, slots=True, eq=False)
class HelloQuery:
    """What one hello offers in one protocol. SSL 2 leaves no choice.

    Attributes:
        suites: codes in the client's order of preference.
        groups: codes; None offers all.
        schemes: codes of signature schemes; None offers all.
        alpn: names of application protocols; None offers all.
        fallback: send the fallback signal (RFC 7507).
        key_share: TLS 1.3: the group to send a key share for.
        purpose: what the hello is sent for; its connections are counted under it.
        chosen_last: groups and schemes that the server has chosen before are offered after all others. An answer then
            shows that the server reads these lists to the end.
    """

    protocol: Protocol
    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    alpn: tuple[str, ...] | None = None
    fallback: bool = False
    key_share: int | None = None
    purpose: str = SUITES
    chosen_last: bool = False

    @property
    def restricts_extensions(self) -> bool:
        """Whether it leaves out groups, signature schemes or application protocols."""
        return (self.groups, self.schemes, self.alpn) != (None, None, None)

    @property
    def unrestricted(self) -> bool:
        """Whether a server that took one of the suites before has no reason to refuse it now."""
        return not (self.restricts_extensions or self.fallback or self.chosen_last) and self.key_share is None
