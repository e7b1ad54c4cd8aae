"""Results of trying attacks, and where attacks can work at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from exporter.facts.handshake import HandshakeFacts
from exporter.facts.signature import Signature
from exporter.model import Protocol, Target
from exporter.ternary import any_of
from exporter.tls.suites import BY_NAME


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of trying one attack.

    Attributes:
        vulnerable: None when the handshake did not get to the attack, or the answers differ.
        detail: details for a person.
        signature: signature of the server that was tried. The answer applies to no other.
        hurried: how many tries in a row, including this one, were made before they were due, because the server had
            changed.
    """

    vulnerable: bool | None
    detail: str
    at: datetime
    signature: Signature = field(default=(), compare=False)
    hurried: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class VulnerabilityFacts:
    """Attack -> result of trying it; attacks that were not tried are missing. Each result has its own time."""

    attacks_tried: Mapping[str, Tried] = field(default_factory=lambda: MappingProxyType({}))


TRIED_PROTOCOLS = (Protocol.TLS1_2, Protocol.TLS1_1, Protocol.TLS1_0, Protocol.SSL3)
"""Newest first. TLS 1.3 has nothing that is tried.

The OpenSSL versions with Heartbleed and early ChangeCipherSpec did not have TLS 1.3, and it has no RSA key exchange and
no renegotiation (RFC 8446, 1.2 and 4.1.2).
"""


RSA_SUITES = frozenset(name for name, suite in BY_NAME.items() if suite.agreement == "RSA")
"""Suites (IANA names) in which the client encrypts to the certificate's key."""


def _in_some(facts: HandshakeFacts, has: Callable[[Protocol], bool | None]) -> bool | None:
    """Whether some accepted protocol up to TLS 1.2 has it; None when none is known to, but one may."""
    verdicts = [
        False if facts.protocols.get(protocol) is False else has(protocol) if facts.protocols.get(protocol) else None
        for protocol in TRIED_PROTOCOLS
    ]
    return any_of(verdicts)


def _takes_rsa(facts: HandshakeFacts, protocol: Protocol) -> bool | None:
    """Whether the protocol accepts RSA key exchange.

    None also where it accepts RSA key exchange with a pre-shared key only (RFC 4279, 4), which is not tried.
    """
    if rsa_suites(facts, protocol):
        return True
    names = facts.cipher_suites.get(protocol, ())
    whole = names and protocol not in facts.cipher_suites_incomplete
    return False if whole and not any(map(_may_encrypt_to_certificate, names)) else None


def _may_encrypt_to_certificate(name: str) -> bool:
    suite = BY_NAME.get(name)
    return suite is None or (name in RSA_SUITES and not suite.export)


def rsa_suites(facts: HandshakeFacts, protocol: Protocol) -> tuple[str, ...]:
    """Accepted suites (IANA names) in which a client encrypts to the certificate's key, without a pre-shared key."""
    names = facts.cipher_suites.get(protocol, ())
    return tuple(n for n in names if n in BY_NAME and _may_encrypt_to_certificate(n) and not BY_NAME[n].psk)


POSSIBLE: Mapping[str, Callable[[HandshakeFacts], bool | None]] = {
    "heartbleed": lambda facts: _in_some(facts, facts.heartbeat.get),
    "ccs_injection": lambda facts: _in_some(facts, lambda _: True),
    "robot": lambda facts: _in_some(facts, partial(_takes_rsa, facts)),
    "client_renegotiation": lambda facts: _in_some(facts, lambda _: True),
}
"""Attack -> whether the server has what the attack needs. False: there is nothing to try, and the attack cannot work.
"""


def longer(target: Target) -> timedelta:
    """How much longer than `max_age` answers are valid, because attacks are not tried with every scan."""
    interval = target.vulnerability_interval or timedelta(0)
    return max(timedelta(0), interval - target.scan_interval)


def lifetime(target: Target) -> timedelta:
    """How long an answer is valid: `max_age` after the scan that should have brought a new one."""
    return target.max_age + longer(target)
