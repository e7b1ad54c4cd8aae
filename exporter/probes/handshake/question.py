"""What one hello asks."""

from dataclasses import dataclass

from exporter.model import Protocol

SUITES, GROUPS, APPLICATIONS, FALLBACK = "cipher_suites", "groups", "alpn", "fallback_scsv"
SIGNATURES = "signature_schemes"
"""What hellos are asked for; protocols and compression come with the suites."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One hello: what it offers in this protocol. None is all there is, and for SSL 2 there is no choice.

    `about` is what it is asked for, by which its connections are counted. With `far`, what was seen of groups and
    schemes is offered behind all the rest: an answer shows that the server reads these lists to the end.
    """

    protocol: Protocol
    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] | None = None
    schemes: tuple[int, ...] | None = None
    applications: tuple[str, ...] | None = None
    fallback: bool = False
    share: int | None = None
    about: str = SUITES
    far: bool = False

    @property
    def limited(self) -> bool:
        """Whether it leaves out groups, signature schemes or application protocols."""
        return (self.groups, self.schemes, self.applications) != (None, None, None)

    @property
    def leaves_nothing_out(self) -> bool:
        """Whether a server that took one of the suites before has no reason to refuse it now."""
        return not (self.limited or self.fallback or self.far) and self.share is None
