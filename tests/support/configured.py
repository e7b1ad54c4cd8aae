"""Servers as they come out of a scan when they are configured to a policy, and what else they could have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from exporter.facts.handshake import Listing, Prime
from exporter.model import CipherOrder, Finding, Protocol, Severity, Verdict
from exporter.policies import load_policy
from tests.support.facts import (
    NONE_WORKS,
    caa,
    certificates,
    deployment,
    facts,
    handshake,
    http_everywhere,
    issuer,
    result,
    showing,
    tried,
    watched,
)
from tests.support.judging import report_after
from tests.support.targets import NOW

ECDSA_128, ECDSA_256 = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
RSA_128, RSA_256 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
AES_128, AES_256 = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"
CHACHA = "TLS_CHACHA20_POLY1305_SHA256"
TWO_YEARS = "max-age=63072000"

Suites = Mapping[Protocol, tuple[str, ...]]


@dataclass(frozen=True)
class Server:
    """What a scan of it told.

    Attributes:
        hello: other fields of HandshakeFacts.
        leaf: fields of its certificate and of the chain, as in `deployment`.
        issuer: fields of the certificate that stands behind it.
        hsts: the header; None without.
        attacks: attack -> whether it works.
        caa: records; None where policies do not look.
        at: when it was scanned, and judged.
    """

    suites: Suites
    groups: tuple[str, ...] = ("x25519", "secp256r1", "secp384r1")
    hello: Mapping[str, Any] = field(default_factory=dict)
    leaf: Mapping[str, Any] = field(default_factory=dict)
    issuer: Mapping[str, Any] = field(default_factory=dict)
    hsts: str | None = TWO_YEARS
    software: str = "nginx/1.30.4"
    attacks: Mapping[str, bool | None] = field(default_factory=lambda: NONE_WORKS)
    caa: tuple[tuple[str, str], ...] = (("issue", "ca.test.example"),)
    at: datetime = NOW

    def verdicts(self, policy: str) -> dict[tuple[str, Severity], Verdict]:
        """Check and severity of each demand of this policy -> what came of it."""
        return {(finding.check, finding.severity): finding.verdict for finding in self.findings(policy)}

    def findings(self, policy: str) -> tuple[Finding, ...]:
        """What the policy says about it."""
        hello: dict[str, Any] = {
            "groups": {protocol: Listing(self.groups, complete=True) for protocol in self.suites},
            "extensions": EXTENSIONS,
            "heartbeat": {p: False for p in self.suites if p is not Protocol.TLS1_3},
            "signature_schemes": Listing(("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384"), complete=True),
            "dh_primes": (),
        }
        seen = facts(
            handshake(self.suites, **(hello | dict(self.hello))),
            certificates(deployment(issuer(**self.issuer), **(LEAF | dict(self.leaf)))),
            showing(http_everywhere(*([self.hsts] if self.hsts else [])), ("server", self.software)),
            caa(*self.caa),
            tried(self.attacks, at=self.at),
            at=self.at,
        )
        return report_after(result(seen, target=watched(), ended_at=self.at), (load_policy(policy),), self.at).findings


EXTENSIONS: Mapping[str, bool | None] = {
    "secure_renegotiation": True,
    "extended_master_secret": True,
    "session_tickets": False,
    "heartbeat": False,
    "encrypt_then_mac": None,
    "ocsp_stapling": False,
    "fallback_scsv": None,
    "downgrade_marks": True,
}
"""Without suites in CBC mode."""
LEAF: dict[str, Any] = {"not_after": datetime(2026, 12, 29, 23, 59, 59, tzinfo=UTC)}
"""EC on P-256, made for 90 days, signed by ECDSA."""

Change = Callable[[Server], Server]


def with_suite(name: str, protocol: Protocol = Protocol.TLS1_2, **hello: Any) -> Change:  # noqa: ANN401 - as there
    """One more suite, as the last one, and what comes of that."""
    return lambda s: with_hello(**hello)(replace(s, suites={**s.suites, protocol: (*s.suites.get(protocol, ()), name)}))


def with_first_suite(name: str, protocol: Protocol = Protocol.TLS1_2) -> Change:
    """One more suite, in front."""
    return lambda s: replace(s, suites={**s.suites, protocol: (name, *s.suites[protocol])})


def with_suites(protocol: Protocol, *names: str) -> Change:
    """These suites alone in this protocol, which may be one more."""
    return lambda s: replace(s, suites={**s.suites, protocol: names})


def without(protocol: Protocol) -> Change:
    """One protocol less."""
    return lambda s: replace(s, suites={p: names for p, names in s.suites.items() if p is not protocol})


def with_group(name: str) -> Change:
    """One more group."""
    return lambda s: replace(s, groups=(*s.groups, name))


def without_group(name: str) -> Change:
    """One group less."""
    return lambda s: replace(s, groups=tuple(group for group in s.groups if group != name))


def with_hello(**fields: Any) -> Change:  # noqa: ANN401 - any field of HandshakeFacts
    """Other answers in the handshake."""
    return lambda s: replace(s, hello={**s.hello, **fields})


def with_order(order: CipherOrder) -> Change:
    """Somebody else's order decides."""
    return lambda s: with_hello(order=dict.fromkeys(s.suites, order))(s)


def with_extension(name: str, has: bool) -> Change:
    """One extension more or less."""
    return lambda s: with_hello(extensions={**s.hello.get("extensions", EXTENSIONS), name: has})(s)


def with_scheme(name: str) -> Change:
    """One more signature scheme."""
    return with_hello(signature_schemes=Listing(("ecdsa_secp256r1_sha256", name), complete=True))


def with_dhe(suite: str, prime: Prime) -> Change:
    """A finite-field key exchange."""
    return with_suite(suite, dh_primes=(prime,))


def with_leaf(**fields: Any) -> Change:  # noqa: ANN401 - any field of ServedCertificate or Deployment
    """Another certificate."""
    return lambda s: replace(s, leaf={**s.leaf, **fields})


def with_issuer(**fields: Any) -> Change:  # noqa: ANN401 - any field of ServedCertificate
    """Another authority."""
    return lambda s: replace(s, issuer={**s.issuer, **fields})


def with_hsts(header: str | None) -> Change:
    """Another header, or none."""
    return lambda s: replace(s, hsts=header)


def with_attack(name: str) -> Change:
    """An attack works."""
    return lambda s: replace(s, attacks={**s.attacks, name: True})


def seen_on(year: int, month: int, day: int) -> Change:
    """Scanned and judged on another day, with a certificate of that time."""
    at = datetime(year, month, day, 12, tzinfo=UTC)
    times = {"not_before": at - timedelta(days=30), "not_after": at + timedelta(days=59)}
    valid = {"valid_from": times["not_before"], "valid_until": times["not_after"]}
    return lambda s: replace(s, at=at, leaf={**s.leaf, **times, **valid})


def both(*changes: Change) -> Change:
    """One after the other."""

    def change(server: Server) -> Server:
        for one in changes:
            server = one(server)
        return server

    return change
