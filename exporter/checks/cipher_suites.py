"""Check `cipher_suites`: only suites that the policy allows are accepted, in every accepted protocol."""

import difflib
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from exporter.case import Case
from exporter.checks.base import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Facts, Family, Protocol, Sample
from exporter.probes.handshake import HandshakeFacts
from exporter.probes.handshake.registry import BY_NAME, BY_OPENSSL_NAME


def iana_name(name: str) -> str:
    """The IANA name of a suite given by its IANA or OpenSSL name.

    Raises:
        ValueError: there is no such suite; names a near one where there is one.
    """
    suite = BY_NAME.get(name) or BY_OPENSSL_NAME.get(name)
    if suite is None:
        near = difflib.get_close_matches(name, [*BY_NAME, *BY_OPENSSL_NAME], n=1)
        raise ValueError(f"{name!r} is no registered cipher suite" + (f"; did you mean {near[0]}?" if near else ""))
    return suite.name


SuiteName = Annotated[str, AfterValidator(iana_name)]
"""Checked name by name, so that each wrong one is reported where it stands."""


class CipherSuitesDemand(Demand):
    """Allow-list of suites, by IANA or OpenSSL name.

    Attributes:
        allowed: for SSLv2 to TLSv1.2.
        tls13_allowed: for TLSv1.3; None allows all of them, where a source speaks of TLS 1.2 only.
    """

    allowed: frozenset[SuiteName]
    tls13_allowed: frozenset[SuiteName] | None

    def allows(self, protocol: Protocol, suite: str) -> bool:
        """Whether this suite (IANA name) may be accepted in this protocol."""
        if protocol is Protocol.TLS1_3:
            return self.tls13_allowed is None or suite in self.tls13_allowed
        return suite in self.allowed


def _excess(facts: HandshakeFacts, demand: CipherSuitesDemand, protocol: Protocol) -> tuple[str, ...]:
    return tuple(suite for suite in facts.cipher_suites.get(protocol, ()) if not demand.allows(protocol, suite))


def _may_lack(facts: HandshakeFacts, protocol: Protocol) -> bool:
    """Whether there may be accepted suites that the list does not have; an accepted protocol has at least one."""
    accepted = facts.protocols.get(protocol)
    return accepted is None or protocol in facts.incomplete or (accepted and not facts.cipher_suites.get(protocol))


def _judge(case: Case, demand: CipherSuitesDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the cipher suites are not known")
    excess = {str(protocol): _excess(facts, demand, protocol) for protocol in facts.accepted}
    evidence = {protocol: suites for protocol, suites in excess.items() if suites}
    if evidence:
        count = len({suite for suites in evidence.values() for suite in suites})
        where = ", ".join(evidence)
        return failed(
            f"accepts {count} cipher suite{'s' if count > 1 else ''} that the policy does not allow ({where})", evidence
        )
    judged = [protocol for protocol in Protocol if protocol is not Protocol.TLS1_3 or demand.tls13_allowed is not None]
    open_ones = tuple(protocol for protocol in judged if _may_lack(facts, protocol))
    if open_ones:
        return unknown(f"the list of {', '.join(open_ones)} may not be whole", {"unknown": open_ones})
    return passed("accepts only cipher suites that the policy allows")


NONCOMPLIANT = Family(
    "tls_posture_cipher_suites_noncompliant",
    "Number of accepted cipher suites that the policy does not allow (as of the last scan)",
)
SUITE_INFO = Family("tls_posture_cipher_suite_info", "1 for each accepted cipher suite (as of the last scan)")


def _samples(facts: Facts, demand: CipherSuitesDemand, policy: str) -> Iterator[Sample]:
    handshake = facts.get(HandshakeFacts)
    if handshake is None:
        return
    for protocol in handshake.accepted:
        excess = _excess(handshake, demand, protocol)
        if not _may_lack(handshake, protocol):
            yield Sample(NONCOMPLIANT, len(excess), {"protocol": protocol, "policy": policy})
        for suite in handshake.cipher_suites.get(protocol, ()):
            compliant = "false" if suite in excess else "true"
            yield Sample(SUITE_INFO, 1, {"protocol": protocol, "cipher_suite": suite, "compliant": compliant})


CHECK = Check(
    name="cipher_suites",
    demand=CipherSuitesDemand,
    judge=_judge,
    families=(NONCOMPLIANT, SUITE_INFO),
    full=frozenset({SUITE_INFO}),
    samples=_samples,
)
