"""Remedies for what handshakes show: from the demand and what is accepted now to lines."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from typing import Any

from exporter.case import Case
from exporter.checks.cipher_order import CipherOrderDemand
from exporter.checks.cipher_suites import CipherSuitesDemand
from exporter.checks.dh_parameters import DhParametersDemand
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.judging.check import Demand, Outcome
from exporter.judging.items import SuiteItem, in_force, names_in_force, today
from exporter.judging.listing import NamesDemand
from exporter.model import CipherOrder, Protocol, Remedy
from exporter.remedies import parameters
from exporter.remedies.protocols import protocol_change, to_keep
from exporter.remedies.servers import Server, everywhere, remedies
from exporter.remedies.suites import Permitted, Suites, choose, speaks_old, suites_change, usual
from exporter.tls.suites import BY_NAME

_NOTHING_KNOWN = "What the server accepts is not known any more: set it to what is asked for."


def _permitted(demand: NamesDemand[Any], day: date) -> Callable[[str], bool]:
    allowed = None if demand.allowed is None else set(names_in_force(demand.allowed, day))
    forbidden = set(names_in_force(demand.forbidden, day))
    required = set(names_in_force(demand.required, day))
    return lambda name: name not in forbidden and (allowed is None or name in allowed or name in required)


def protocols(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The versions that are accepted and permitted, and those that are required."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not isinstance(demand, NamesDemand):
        return everywhere(_NOTHING_KNOWN)
    day = today(case)
    required = [Protocol(name) for name in names_in_force(demand.required, day) if name in set(Protocol)]
    return remedies(case, protocol_change(facts, to_keep(facts, _permitted(demand, day), required)))


def cipher_suites(case: Case, demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The suites that are accepted and permitted, in their order or that which is preferred, and the required ones."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not isinstance(demand, CipherSuitesDemand):
        return everywhere(_NOTHING_KNOWN)
    day = today(case)
    permitted = _suites_permitted(demand, day)
    required = _required(in_force(demand.required, day), facts, permitted)
    prefer = in_force(demand.prefer, day)
    chosen = choose(facts, permitted, required, lambda name: _rank(name, prefer))
    return _with_protocols(case, facts, chosen, outcome)


def _suites_permitted(demand: CipherSuitesDemand, day: date) -> Permitted:
    forbidden = in_force(demand.forbidden, day)
    allowed = {
        tls13: None if entries is None else in_force(entries, day)
        for tls13, entries in ((False, demand.allowed), (True, demand.tls13_allowed))
    }

    def permitted(protocol: Protocol, name: str) -> bool:
        entries = allowed[protocol is Protocol.TLS1_3]
        return not _any(forbidden, name) and (entries is None or _any(entries, name))

    return permitted


def _any(entries: Iterable[SuiteItem], name: str) -> bool:
    return any(entry.matches(name) for entry in entries)


def _required(entries: Iterable[SuiteItem], facts: HandshakeFacts, permitted: Permitted) -> list[str]:
    """The names that must come in, where they are not accepted: of an entry by what suites are, the usual ones."""
    accepted = {name for protocol in facts.accepted for name in facts.cipher_suites.get(protocol, ())}
    missing: list[str] = []
    for entry in entries:
        if entry.where is None:
            missing += entry.names
        elif not any(entry.matches(name) for name in accepted):
            for tls13, protocol in ((False, Protocol.TLS1_2), (True, Protocol.TLS1_3)):
                missing += usual(partial(_both, entry, permitted, protocol), tls13=tls13)
    return list(dict.fromkeys(missing))


def _both(entry: SuiteItem, permitted: Permitted, protocol: Protocol, name: str) -> bool:
    return bool(entry.matches(name)) and permitted(protocol, name)


def _rank(name: str, prefer: Sequence[SuiteItem]) -> int:
    return next((place for place, entry in enumerate(prefer) if entry.matches(name)), len(prefer))


def forward_secrecy(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The suites that are accepted and have it."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return everywhere(_NOTHING_KNOWN)
    chosen = choose(facts, lambda _protocol, name: name in BY_NAME and BY_NAME[name].forward_secrecy)
    return _with_protocols(case, facts, chosen, outcome)


def _with_protocols(case: Case, facts: HandshakeFacts, chosen: Suites, outcome: Outcome) -> tuple[Remedy, ...]:
    """The lists, and the end of protocols for which nothing is left: SSL 2 has suites of its own, and all go."""
    changes = [suites_change(chosen, old=speaks_old(facts))]
    if chosen.classic == ():
        changes.append(protocol_change(facts, to_keep(facts, lambda protocol: protocol is Protocol.TLS1_3)))
    elif Protocol.SSL2 in outcome.evidence:
        changes.append(protocol_change(facts, to_keep(facts, lambda _protocol: True)))
    return remedies(case, *changes)


def cipher_order(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The switch for whose order decides; of `either` the server's."""
    facts = case.facts.get(HandshakeFacts)
    wanted: str = demand.required if isinstance(demand, CipherOrderDemand) else CipherOrder.SERVER
    mixed = [protocol for protocol, order in facts.cipher_order.items() if order is CipherOrder.MIXED] if facts else []
    order = CipherOrder.CLIENT if wanted == CipherOrder.CLIENT else CipherOrder.SERVER
    return remedies(case, parameters.order_change(order, mixed, _without_chacha(facts) if facts and mixed else ()))


def _without_chacha(facts: HandshakeFacts) -> tuple[str, ...]:
    """HAProxy's lines without ChaCha20, which it always prefers where the client does."""
    chosen = choose(facts, lambda _protocol, name: "CHACHA20" not in name)
    return suites_change(chosen, old=False).lines.get(Server.HAPROXY, ())


def compression(case: Case, _demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The switch for it."""
    return remedies(case, parameters.compression_change())


def key_exchange_groups(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The groups that are accepted and permitted, in their order, and those that are required."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not isinstance(demand, NamesDemand):
        return everywhere(_NOTHING_KNOWN)
    listings = [facts.groups[protocol] for protocol in reversed(Protocol) if protocol in facts.groups]
    return remedies(case, parameters.groups_change(_kept(listings, demand, today(case), parameters.SOUND_GROUPS)))


def signature_schemes(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The schemes that are accepted and permitted, in their order, and those that are required."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not isinstance(demand, NamesDemand):
        return everywhere(_NOTHING_KNOWN)
    listings = [facts.signature_schemes] if facts.signature_schemes else []
    return remedies(case, parameters.schemes_change(_kept(listings, demand, today(case), parameters.SOUND_SCHEMES)))


def _kept(listings: Iterable[Listing], demand: NamesDemand[Any], day: date, sound: Sequence[str]) -> list[str]:
    """What is accepted and permitted, and what is required; where that is nothing, what is permitted and sound."""
    permitted = _permitted(demand, day)
    accepted = dict.fromkeys(name for listing in listings for name in listing.names)
    required = names_in_force(demand.required, day)
    kept = dict.fromkeys((*filter(permitted, accepted), *required))
    return list(kept) or [name for name in sound if permitted(name)] or list(names_in_force(demand.allowed or (), day))


def dh_parameters(case: Case, demand: Demand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """A known prime of the demanded size."""
    bits = demand.min_bits if isinstance(demand, DhParametersDemand) else None
    return remedies(case, parameters.dh_change(bits or parameters.SOUND_PRIME_BITS))


def extensions(case: Case, _demand: Demand, outcome: Outcome) -> tuple[Remedy, ...]:
    """What turns on or off each extension that is not as asked for."""
    missing = dict.fromkeys(outcome.evidence.get("missing", ()), True)
    surplus = dict.fromkeys(outcome.evidence.get("accepted", ()), False)
    return remedies(case, *parameters.extensions_change({**missing, **surplus}))
