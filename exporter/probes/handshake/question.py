"""What one hello asks."""

from dataclasses import dataclass

from exporter.model import Protocol

SUITES, GROUPS, APPLICATIONS, FALLBACK = "cipher_suites", "groups", "alpn", "fallback_scsv"
SIGNATURES = "signature_schemes"
"""What hellos are asked for; protocols and compression come with the suites."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One hello: what it offers in this protocol. None is all there is, and for SSL 2 there is no choice.

    `about` is what it is asked for, by which its connections are counted.
    """

    protocol: Protocol
    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    applications: tuple[str, ...] | None = None
    fallback: bool = False
    share: int | None = None
    about: str = SUITES
