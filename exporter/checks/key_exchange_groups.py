"""Check `key_exchange_groups`: which elliptic curves and other named groups are used for key exchange.

Up to TLS 1.2 a finite field is known by its prime: the check `dh_parameters` judges it. In TLS 1.3 it is a named group.
"""

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Outcome, not_applicable, unknown
from exporter.judging.items import names_in_force, today
from exporter.judging.listing import Had, NamesDemand, asks_names, judge_names, to_keep
from exporter.judging.names import GroupName
from exporter.judging.suites import may_lack
from exporter.model import Protocol, Remedy
from exporter.remedies.parameters import SOUND_GROUPS, groups_change
from exporter.remedies.servers import nothing_known, remedies
from exporter.tls.suites import BY_NAME

_ON_CURVES = {"ECDHE", "AECDH"}


class KeyExchangeGroupsDemand(NamesDemand[GroupName]):
    """Groups, by their names at IANA."""


def _judge(case: Case, demand: KeyExchangeGroupsDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or not facts.accepted:
        return unknown("the key exchange groups are not known")
    names = tuple(dict.fromkeys(name for listing in facts.groups.values() for name in listing.names))
    dark = tuple(protocol.value for protocol in Protocol if not groups_known(facts, protocol))
    if not names and not dark and not names_in_force(demand.required, today(case)):
        return not_applicable("no key exchange with groups is accepted")
    gap = f"the list of groups of {', '.join(dark)} may not be complete"
    return judge_names(Had(names, None if dark else (), gap), demand, today(case))


def groups_known(facts: HandshakeFacts, protocol: Protocol) -> bool:
    """Whether the listed groups are all there are: SSL 2 has none, and TLS 1.3 has at least one."""
    if protocol is Protocol.SSL2 or facts.protocols.get(protocol) is False:
        return True
    if facts.protocols.get(protocol) is None:
        return False
    listing = facts.groups.get(protocol)
    if listing is not None:
        return listing.complete
    return protocol is not Protocol.TLS1_3 and not may_lack(facts, protocol) and not _uses_curves(facts, protocol)


def _uses_curves(facts: HandshakeFacts, protocol: Protocol) -> bool:
    """Whether an accepted suite uses a group, or may use one."""
    suites = [BY_NAME.get(name) for name in facts.cipher_suites.get(protocol, ())]
    return any(suite is None or suite.agreement in _ON_CURVES for suite in suites)


def _remedy(case: Case, demand: KeyExchangeGroupsDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The groups that are accepted and permitted, in their order, and the required ones."""
    facts = case.facts.get(HandshakeFacts)
    if facts is None:
        return nothing_known()
    listings = [facts.groups[protocol] for protocol in reversed(Protocol) if protocol in facts.groups]
    accepted = (name for listing in listings for name in listing.names)
    return remedies(case, groups_change(to_keep(accepted, demand, today(case), SOUND_GROUPS)))


CHECK = Check(
    name="key_exchange_groups",
    why=(
        "The group decides how hard it is to find the keys of a session. Traffic that is recorded today can "
        "be decrypted by a future quantum computer, unless the group is a hybrid such as X25519MLKEM768."
    ),
    demand=KeyExchangeGroupsDemand,
    verdict=_judge,
    asks=asks_names,
    remedy=_remedy,
)
