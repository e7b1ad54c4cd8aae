"""Protocols, cipher suites and key exchange groups, each with what every policy says of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.checks.cipher_suites import suite_rules
from exporter.checks.key_exchange_groups import groups_known
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.judging.items import names_in_force
from exporter.judging.listing import NamesDemand, permitted
from exporter.model import CipherOrder, Protocol, Verdict
from exporter.moments import AnyDay
from exporter.policies import Policy
from exporter.ternary import all_of
from exporter.tls.parameters import POST_QUANTUM_GROUPS
from exporter.tls.suites import BY_ANY_NAME, CipherSuite


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one policy says of one protocol, suite or group.

    Attributes:
        verdict: None where the policy does not ask for anything there.
        text: the verdict in words.
    """

    policy: str
    verdict: Verdict | None
    text: str


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One accepted suite.

    Attributes:
        name: IANA name, or its number.
        suite: None for a suite that is known by its number only.
        forward_secrecy: None where the name does not show it.
    """

    name: str
    suite: CipherSuite | None
    forward_secrecy: bool | None
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One accepted group."""

    name: str
    post_quantum: bool
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One protocol version.

    Attributes:
        accepted: None where it is not known.
        judgements: on the protocol itself.
        suites: in the order the server chose them; empty where they are not known, because an accepted protocol has
            one at least.
        suites_complete: there are no others.
        order: whose order decides; None with fewer than two suites, or where it is not known.
        groups: None where none was seen.
        groups_complete: there are no others; without any, no accepted suite uses one.
    """

    protocol: Protocol
    accepted: bool | None
    judgements: tuple[Judgement, ...]
    suites: tuple[SuiteRow, ...]
    suites_complete: bool
    order: CipherOrder | None
    groups: tuple[GroupRow, ...] | None
    groups_complete: bool
    group_order: CipherOrder | None


@dataclass(frozen=True, slots=True)
class ProtocolGrid:
    """All protocols, the newest first.

    Attributes:
        policies: the names of those that judge any of it, in the order of the columns.
    """

    facts: HandshakeFacts
    policies: tuple[str, ...]
    rows: tuple[ProtocolRow, ...]


def protocol_grid(facts: HandshakeFacts, policies: Sequence[Policy], day: AnyDay) -> ProtocolGrid:
    """The grid by these policies on this day."""
    rows = tuple(_row(facts, protocol, policies, day) for protocol in reversed(Protocol))
    return ProtocolGrid(facts, tuple(policy.name for policy in policies), rows)


def _row(facts: HandshakeFacts, protocol: Protocol, policies: Sequence[Policy], day: AnyDay) -> ProtocolRow:
    accepted = facts.protocols.get(protocol)
    listing = facts.groups.get(protocol)
    return ProtocolRow(
        protocol,
        accepted,
        tuple(_of_protocol(policy, protocol, accepted, day) for policy in policies),
        tuple(_suite_rows(facts, protocol, policies, day)) if accepted else (),
        protocol not in facts.cipher_suites_incomplete,
        facts.cipher_order.get(protocol),
        tuple(_group_rows(listing, policies, day)) if accepted and listing is not None else None,
        groups_known(facts, protocol),
        facts.group_order.get(protocol),
    )


def _suite_rows(
    facts: HandshakeFacts, protocol: Protocol, policies: Sequence[Policy], day: AnyDay
) -> Iterator[SuiteRow]:
    rules = {policy.name: suite_rules(policy.demands.get("cipher_suites", ()), day) for policy in policies}
    for name in facts.cipher_suites.get(protocol, ()):
        suite = BY_ANY_NAME.get(name)
        allowed = {
            policy: all_of(one.allows(protocol, name) for one in those) if those else "not judged"
            for policy, those in rules.items()
        }
        judgements = tuple(_allowance(policy, verdict) for policy, verdict in allowed.items())
        yield SuiteRow(name, suite, None if suite is None else suite.forward_secrecy, judgements)


def _group_rows(listing: Listing, policies: Sequence[Policy], day: AnyDay) -> Iterator[GroupRow]:
    for name in listing.names:
        judgements = tuple(
            _allowance(policy.name, all(permitted(one, day)(name) for one in those) if those else "not judged")
            for policy in policies
            for those in (_in_force(policy, "key_exchange_groups", day),)
        )
        yield GroupRow(name, name in POST_QUANTUM_GROUPS, judgements)


def _allowance(policy: str, allowed: bool | str | None) -> Judgement:
    match allowed:
        case True:
            return Judgement(policy, Verdict.PASS, "allowed")
        case False:
            return Judgement(policy, Verdict.FAIL, "not allowed")
        case None:
            return Judgement(policy, Verdict.UNKNOWN, "not known")
        case _:
            return Judgement(policy, None, "not judged")


def _in_force(policy: Policy, check: str, day: AnyDay) -> list[NamesDemand[Any]]:
    demands = policy.demands.get(check, ())
    return [one for one in demands if isinstance(one, NamesDemand) and one.counts(day)]


def _of_protocol(policy: Policy, protocol: Protocol, accepted: bool | None, day: AnyDay) -> Judgement:
    """By the check `protocols`: each version by itself."""
    demands = _in_force(policy, "protocols", day)
    if not demands:
        return Judgement(policy.name, None, "not judged")
    may = all(permitted(one, day)(protocol.value) for one in demands)
    must = any(protocol.value in names_in_force(one.required, day) for one in demands)
    match accepted:
        case True:
            return _allowance(policy.name, may)
        case False if must:
            return Judgement(policy.name, Verdict.FAIL, "required")
        case False:
            text = "not required" if may else "refused, as asked"
            return Judgement(policy.name, Verdict.NOT_APPLICABLE if may else Verdict.PASS, text)
        case None if may and not must:
            return Judgement(policy.name, Verdict.NOT_APPLICABLE, "allowed, and not required")
        case None:
            return Judgement(policy.name, Verdict.UNKNOWN, "not known")
